#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Moves the only chunk of an image with an external blob to another block of that blob:
#
#	repoint.pl IMAGE BLOCK
#
# A chunk index is u16 advice, u16 device, u32 block; ours is device 1, block 0. The superblock's
# checksum (crc32c over bytes 1024..4095, its own field taken as zero) is made right again.

use strict;
use warnings;

my ($path, $block) = @ARGV;
open(my $io, '+<', $path) or die "$path: $!\n";
binmode($io);
local $/;
my $image = <$io>;

my $from = pack('vvV', 0, 1, 0);
my $at = 1024 + 128;
my @found;
while (($at = index($image, $from, $at)) >= 0) {
	push(@found, $at) if $at % 8 == 0;
	$at++;
}
die "$path: " . scalar(@found) . " chunk indexes, expected one\n" if @found != 1;
substr($image, $found[0], 8) = pack('vvV', 0, 1, $block);

substr($image, 1024 + 4, 4) = pack('V', 0);
my $crc = 0xffffffff;
for my $byte (unpack('C*', substr($image, 1024, 3072))) {
	$crc ^= $byte;
	$crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
}
substr($image, 1024 + 4, 4) = pack('V', $crc);

seek($io, 0, 0);
print $io $image;
close($io) or die "$path: $!\n";
