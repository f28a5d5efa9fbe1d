#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Prints what guest-grow.sh has recorded as tables of medians:
#
#	grow-report.pl RECORDS [JSON]
#
# JSON is a file to write: all figures.

use strict;
use warnings;
use JSON::PP;

my (%values, @parts, %counts, %fields); # $values{part}{count}{field}: one for each round

sub note { my ($list, $value) = @_; push @$list, $value unless grep { $_ eq $value } @$list }

sub median
{
	my @v = sort { $a <=> $b } @_;
	return ($v[$#v / 2] + $v[@v / 2]) / 2;
}

open(my $in, '<', $ARGV[0]) or die "$ARGV[0]: $!\n";
while (<$in>) {
	my ($part, $count, $field, $value) = split;
	note(\@parts, $part);
	note($counts{$part} //= [], $count);
	note($fields{$part} //= [], $field);
	push @{ $values{$part}{$count}{$field} }, $value + 0;
}
for my $part (@parts) {
	printf "%-9s" . '%15s' x @{ $fields{$part} } . "\n", $part, @{ $fields{$part} };
	for my $count (@{ $counts{$part} }) {
		printf "%9s" . '%15.4g' x @{ $fields{$part} } . "\n", $count,
			map { median(@{ $values{$part}{$count}{$_} }) } @{ $fields{$part} };
	}
	print "\n";
}
if (defined $ARGV[1]) {
	open(my $out, '>', $ARGV[1]) or die "$ARGV[1]: $!\n";
	print $out JSON::PP->new->canonical->pretty->encode(\%values);
	close($out) or die "$ARGV[1]: $!\n";
}
