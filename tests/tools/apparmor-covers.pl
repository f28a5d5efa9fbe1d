#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Which files a program has used, by strace(1), that its AppArmor profile does not allow:
#
#	apparmor-covers.pl PROFILE CALLS [FROM=TO]...
#
# CALLS is what `strace -f -e trace=%file` has written. A path that begins with FROM counts as if it
# began with TO: a profile knows the usual places. Only what succeeded counts, and what is opened for
# writing has to be allowed so. Fails where there is something, or nothing was used.
use strict;
use warnings;

my ($profile, $calls, @as) = @ARGV;

# The globs of AppArmor: "**" crosses slashes.
sub expression {
	my ($glob) = @_;
	my $depth = 0;
	my $text = '';

	while ($glob =~ /\G(\*\*|\*|\?|\{|\}|,|\[[^]]*\]|.)/gs) {
		my $part = $1;

		if ($part eq '**') { $text .= '.*' }
		elsif ($part eq '*') { $text .= '[^/]*' }
		elsif ($part eq '?') { $text .= '[^/]' }
		elsif ($part eq '{') { $text .= '(?:'; $depth++ }
		elsif ($part eq '}') { $text .= ')'; $depth-- }
		elsif ($part eq ',' && $depth > 0) { $text .= '|' }
		elsif ($part =~ /^\[/) { $text .= $part }
		else { $text .= quotemeta $part }
	}
	return qr/^$text$/s;
}

my @rules;
open my $in, '<', $profile or die "$profile: $!\n";
while (<$in>) {
	push @rules, [expression($1), $2] if /^\s*(\/\S*)\s+([a-zA-Z]+),\s*$/;
}
close $in;
die "$profile: there are no rules\n" unless @rules;

sub allowed {
	my ($path, $writes) = @_;

	for my $rule (@rules) {
		return 1 if $path =~ $rule->[0] && (!$writes || $rule->[1] =~ /w/);
	}
	return 0;
}

my (%refused, $used);
open my $trace, '<', $calls or die "$calls: $!\n";
while (<$trace>) {
	# What only looks at a name needs no rule: stat(2), access(2), readlink(2).
	next unless /\b(open|openat|openat2|execve|mkdir|mkdirat|unlink|unlinkat|rename|renameat2?)\(/;
	my $call = $1;
	next if / = -1 E/ || /O_PATH/;
	my $directory = /O_DIRECTORY/;
	my $writes = $call !~ /^(open|execve)/ || /O_(WRONLY|RDWR|CREAT)/;

	# Names below a directory that is open are not known from here.
	for my $path (/"(\/(?:[^"\\]|\\.)*)"/g) {
		for (@as) {
			my ($from, $to) = split /=/, $_, 2;
			last if $path =~ s/^\Q$from\E/$to/;
		}
		$path =~ s{^/proc/(?:self|thread-self)/}{/proc/1/};
		$path =~ s{/+}{/}g;
		$used++;
		$refused{$path} = $writes ? 'w' : 'r' unless allowed($path, $writes) ||
			(($call =~ /mkdir/ || $directory) && allowed("$path/", $writes));
		last if $call eq 'execve';
	}
}
close $trace;
die "$calls: no file was used\n" unless $used;
print STDERR "the profile does not allow: $_ $refused{$_}\n" for sort keys %refused;
exit(%refused ? 1 : 0);
