#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Moves the only chunk of an image with an external blob to another block of that blob:
#
#	repoint.pl IMAGE BLOCK
#
# A chunk index is u16 advice, u16 device, u32 block; ours is device 1, block 0.

use strict;
use warnings;
use FindBin;
require "$FindBin::Bin/superblock.pl";

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

superblock_sum($image);

seek($io, 0, 0);
print $io $image;
close($io) or die "$path: $!\n";
