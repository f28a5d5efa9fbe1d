#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Makes the only file of an image so large, without a byte of the disk for most of it:
#
#	stretch.pl IMAGE BYTES TRUTH
#
# IMAGE is of mkfs.erofs -Eforce-inode-extended,noinline_data. The file begins 256 KiB behind its start,
# and is a hole, but for the blocks that random-read looks at: each 128 KiB of the first GiB, one in the
# middle, the last. TRUTH becomes the same file.

use strict;
use warnings;
use FindBin;
require "$FindBin::Bin/../kernel/superblock.pl";

my ($path, $size, $truth) = @ARGV;
my $at = 256 << 10; # of the data
open(my $io, '+<', $path) or die "$path: $!\n";
binmode($io);
my $image = do { local $/; <$io> };
die "$path: too much metadata\n" if length($image) > $at;

# An extended inode: u16 format (1: extended, plain), u16, u16 mode, u16, u64 size, u32 first block.
my @found = grep {
	my ($format, $mode) = unpack('vx2v', substr($image, $_, 6));
	$format == 1 && ($mode & 0170000) == 0100000;
} map { $_ * 32 } 36 .. length($image) / 32 - 2;
die "$path: " . scalar(@found) . " files, expected one\n" if @found != 1;
substr($image, $found[0] + 8, 12) = pack('Q<V', $size, $at / 4096);
substr($image, 1024 + 36, 4) = pack('V', ($at + $size) / 4096); # blocks

superblock_sum($image);
seek($io, 0, 0);
print $io $image;

open(my $same, '>', $truth) or die "$truth: $!\n";
my $marked = $size < 1 << 30 ? $size : 1 << 30;
for my $offset ((map { $_ << 17 } 0 .. ($marked >> 17) - 1), $size >> 1, $size - 4096) {
	my $block = pack('Q<', $offset + 1) x 512;
	for ([$io, $at], [$same, 0]) {
		seek($_->[0], $_->[1] + $offset, 0) or die "$path: $!\n";
		print { $_->[0] } $block;
	}
}
close($io) && close($same) or die "$path: $!\n";
