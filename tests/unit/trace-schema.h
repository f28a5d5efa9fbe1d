/* SPDX-License-Identifier: MIT */
/*
 * The schema that we write. It is the contract with every reader: a change here has to be one that
 * they survive.
 */
#pragma once

static const char our_schema[] =
	"1 start realtime:u64 program:text kernel:text\n"
	"2 source source:u32 name:text locator:text\n"
	"3 object object:u64 source:u32 size:u64 flags:u32 volume:key cookie:key locator:text "
	"validator:text\n"
	"4 handle id:u32 object:u64\n"
	"5 open msg:u32 id:u32 flags:u32 volume:key cookie:key\n"
	"6 read msg:u32 id:u32 off:u64 len:u64\n"
	"7 close msg:u32 id:u32\n"
	"8 bad msg:u32 id:u32 opcode:u32 len:u64\n"
	"9 receive result:s32\n"
	"10 copen msg:u32 size:u64 error:s32 result:s32\n"
	"11 complete msg:u32 id:u32 result:s32\n"
	"12 command text:text result:s32\n"
	"13 release id:u32\n"
	"14 look source:u32 volume:key cookie:key size:u64 took:u64 error:s32\n"
	"15 fetch object:u64 off:u64 len:u64 got:u64 class:u32 queued:u64 took:u64 error:s32\n"
	"16 store object:u64 off:u64 len:u64 took:u64 error:s32\n"
	"17 lost count:u64\n"
	"18 end count:u64\n";
