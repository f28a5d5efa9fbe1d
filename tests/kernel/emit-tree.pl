#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Writes the same tree, or the same file, for the same arguments on every machine:
#
#	emit-tree.pl DIR SEED FILES MEAN_BYTES BIG_MIB		files below DIR, one of BIG_MIB
#	emit-tree.pl --file PATH SEED BYTES
#
# Half of each file is text that compresses, half is noise that does not.

use strict;
use warnings;

# A linear congruential generator: perl's own rand() is not the same everywhere.
my $state;
sub seed { $state = $_[0] * 2654435761 % 4294967296 }
sub below
{
	$state = ($state * 1664525 + 1013904223) % 4294967296;
	return int(($state >> 8) * $_[0] / 16777216);
}

my @words = qw(cache origin blob image reader kernel block hole range mount object volume flight);
my $noise = do { seed(77); pack('V*', map { below(16777216) * 256 + below(256) } 1 .. 65536) };

sub emit
{
	my ($path, $size) = @_;
	open(my $out, '>', $path) or die "$path: $!\n";
	for (my $left = $size; $left > 0;) {
		my $piece;
		if (below(2)) {
			my $text = join(' ', map { $words[below(scalar @words)] } 1 .. 60);
			$piece = "$path $left " . $text x 8;
		} else {
			$piece = pack('V', $left);
			$piece .= substr($noise, below(length($noise) - 8192), 4096);
		}
		$piece = substr($piece, 0, $left);
		print $out $piece or die "$path: $!\n";
		$left -= length($piece);
	}
	close($out) or die "$path: $!\n";
}

if ($ARGV[0] eq '--file') {
	my (undef, $path, $seed, $size) = @ARGV;
	seed($seed);
	emit($path, $size);
	exit;
}

my ($dir, $seed, $files, $mean, $big) = @ARGV;
seed($seed);
my ($path, $made) = ('', 0);
while ($made < $files) {
	# A new directory every 64 files, up to four levels down.
	if ($made % 64 == 0) {
		$path = join('/', $dir, map { 'd' . below(9) } 0 .. below(4));
		my $at = '';
		for my $part (split('/', $path)) { $at .= $at eq '' ? $part : "/$part"; mkdir($at) }
	}
	emit(sprintf('%s/f%05d', $path, $made++), below(2 * $mean));
}
emit("$dir/big", $big << 20) if $big;
emit("$dir/empty", 0);
emit("$dir/a name with blanks", 4096);
symlink('big', "$dir/link");
link("$dir/a name with blanks", "$dir/hard");
mkdir("$dir/empty-directory");
