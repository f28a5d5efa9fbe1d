# SPDX-License-Identifier: MIT
#
# What scripts that change an EROFS image have in common.

use strict;
use warnings;

# superblock_sum(IMAGE): its checksum, crc32c over bytes 1024..4095 with its own field taken as zero, is
# right again.
sub superblock_sum
{
	my $crc = 0xffffffff;

	substr($_[0], 1024 + 4, 4) = pack('V', 0);
	for my $byte (unpack('C*', substr($_[0], 1024, 3072))) {
		$crc ^= $byte;
		$crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	}
	substr($_[0], 1024 + 4, 4) = pack('V', $crc);
}

1;
