#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Prints what guest-compare.sh has recorded as a table, and what of the targets was reached:
#
#	compare-report.pl RECORDS [JSON]
#
# JSON is a file to write: every run, and the targets.

use strict;
use warnings;
use JSON::PP;

my @fields = qw(seconds each_us requests fetched needed cpu_s idle_kib peak_kib);
my (%runs, @order, %contenders); # $runs{network workload}{contender}{cold|warm}{field}: one for each round

sub read_records
{
	open(my $in, '<', $_[0]) or die "$_[0]: $!\n";
	while (<$in>) {
		my ($network, $workload, $who, undef, $phase, @values) = split;
		my $cell = "$network $workload";
		push @order, $cell unless $runs{$cell};
		my $list = $contenders{$cell} //= [];
		push @$list, $who unless $runs{$cell}{$who};
		for my $i (0 .. $#fields) {
			push @{ $runs{$cell}{$who}{$phase}{ $fields[$i] } }, $values[$i] + 0
				if $values[$i] ne '-';
		}
	}
}

# The value below which so much of them is; undef where there are none.
sub quantile
{
	my ($part, $values) = @_;
	return undef unless $values && @$values;
	my @v = sort { $a <=> $b } @$values;
	my $at = $part * $#v;
	my $low = int($at);
	return $v[$low] + ($at - $low) * (($v[$low + 1] // $v[$low]) - $v[$low]);
}

sub median { quantile(0.5, $_[0]) }
sub of { my ($cell, $who, $field, $phase) = @_; median($runs{$cell}{$who}{ $phase // 'cold' }{$field}) }
sub ratio { my ($a, $b) = @_; defined $a && $b ? $a / $b : undef }
# Milliseconds. The clock of a process advances by 10 there, so that few bytes tell nothing.
sub per_mib { my ($seconds, $bytes) = @_; defined $seconds ? 1000 * $seconds / ($bytes / 1048576) : undef }
sub text { my ($format, $value) = @_; defined $value ? sprintf($format, $value) : '-' }

# ---- the table ------------------------------------------------------------------------------

sub row
{
	my ($cell, $who) = @_;
	my ($cold, $warm) = @{ $runs{$cell}{$who} }{qw(cold warm)};
	my $needed = median($cold->{needed});
	printf "  %-9s %8s %-15s %6s %8s %7s %6s %7s %6s %8s %6s %3d\n", $who,
		text('%.3f', median($cold->{seconds})),
		sprintf('%.3f-%.3f', map { quantile($_, $cold->{seconds}) } 0.25, 0.75),
		text('%.2f', ratio(of($cell, $who, 'seconds'), of($cell, 'ours', 'seconds'))),
		text('%.0f', median($cold->{each_us})),
		text('%.2f', ratio(median($cold->{fetched}), $needed)),
		text('%.0f', median($cold->{requests})),
		text('%.2f', $needed >= 8 << 20 ? per_mib(median($cold->{cpu_s}), $needed) : undef),
		text('%.1f', ratio(quantile(1, $cold->{peak_kib}), 1024)),
		text('%.3f', median($warm->{seconds})),
		text('%.2f', ratio(of($cell, $who, 'seconds', 'warm'), of($cell, 'ours', 'seconds', 'warm'))),
		scalar @{ $cold->{seconds} };
}

sub table
{
	printf "%-11s %8s %-15s %6s %8s %7s %6s %7s %6s %8s %6s %3s\n", '', 'cold s', 'quartiles',
		'x ours', 'read us', 'fetched', 'reqs', 'cpu/MiB', 'MiB', 'warm s', 'x ours', 'n';
	for my $cell (@order) {
		my ($network, $workload) = split / /, $cell;
		print "$workload, $network\n";
		row($cell, $_) for @{ $contenders{$cell} };
	}
	print "\nx ours: time beside ours. fetched: bytes of the server for each that the reader wants.\n",
		"cpu/MiB: milliseconds of the serving processes. MiB: resident at most.\n";
}

# ---- targets --------------------------------------------------------------------------------

my @targets;

# What, the figure, "at least" or "at most", and the aim; nothing where something was not measured.
sub target
{
	my ($what, $value, $sense, $aim) = @_;
	return unless defined $value;
	push @targets, {
		what => $what, value => $value, sense => $sense, aim => $aim,
		met => ($sense eq 'at least' ? $value >= $aim : $value <= $aim) ? JSON::PP::true : JSON::PP::false,
	};
}

# How many times as fast as WHO.
sub faster
{
	my ($cell, $who, $aim, $field) = @_;
	target("$cell: as fast as $who", ratio(of($cell, $who, 'seconds'), of($cell, 'ours', 'seconds')),
		'at least', $aim);
}

sub judge
{
	faster('0ms sequential', @$_) for ['stream', 0.9], ['nbdkit', 3.5], ['download', 3];
	faster("$_ sequential", 'stream', 0.8) for '10ms', '50ms';
	faster('50ms sequential', 'simple', 15);
	faster('0ms tree', @$_) for ['local', 0.8], ['nbdkit', 2], ['download', 1];
	for my $cell ('50ms tree', '50ms list') {
		faster($cell, @$_) for ['simple', 10], ['download', 1];
	}
	for my $ms (0, 10, 50) {
		my ($request, $write) = map { of("${ms}ms random4k1", $_, 'each_us') } 'request', 'write';
		next unless defined $request && defined $write;
		target("${ms}ms random4k1: one read beside a request and a write",
			ratio(of("${ms}ms random4k1", 'ours', 'each_us'), $request + $write), 'at most', 1.15);
	}
	target('0ms random4k1: bytes fetched beside nbdkit', ratio(map { of('0ms random4k1', $_, 'fetched') } 'ours', 'nbdkit'), 'at most', 1);
	faster("$_ random128k8", 'simple', 1.5) for '0ms', '10ms', '50ms';
	target('50ms first: ms, image known', scale(1000, of('50ms first', 'known', 'seconds')), 'at most', 120);
	target('50ms first: ms, not known', scale(1000, of('50ms first', 'ours', 'seconds')), 'at most', 170);
	for my $workload ('sequential', 'tree', 'list', 'first', 'random4k1', 'random128k8') {
		target("0ms $workload, warm: time beside local",
			ratio(map { of("0ms $workload", $_, 'seconds', 'warm') } 'ours', 'local'), 'at most', 1.05);
	}
	target('MiB resident at most', scale(1 / 1024, quantile(1, all('peak_kib'))), 'at most', 24);
	target('MiB resident, idle', scale(1 / 1024, quantile(1, all('idle_kib'))), 'at most', 8);
	target('0ms sequential: processor beside nbdkit', ratio(map { of('0ms sequential', $_, 'cpu_s') } 'ours', 'nbdkit'), 'at most', 1);
}

sub scale { my ($by, $value) = @_; defined $value ? $by * $value : undef }
sub all { my ($field) = @_; [map { @{ $runs{$_}{ours}{cold}{$field} // [] } } @order] }

sub print_targets
{
	print "\ntargets\n" if @targets;
	for my $t (@targets) {
		printf "  %-56s %8.2f, %s %6.2f  %s\n", @$t{qw(what value sense aim)}, $t->{met} ? 'reached' : 'MISSED';
	}
}

read_records($ARGV[0]);
judge();
table();
print_targets();
if ($ARGV[1]) {
	my @results = map { my $cell = $_; my ($network, $workload) = split / /;
		map { { network => $network, workload => $workload, contender => $_, %{ $runs{$cell}{$_} } } }
			@{ $contenders{$cell} } } @order;
	open(my $out, '>', $ARGV[1]) or die "$ARGV[1]: $!\n";
	print $out JSON::PP->new->canonical->pretty->encode({ results => \@results, targets => \@targets });
	close($out) or die "$ARGV[1]: $!\n";
}
