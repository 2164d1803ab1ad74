#!/usr/bin/perl
# What Perl's address parsers make of the first From field, raw and decoded first.
# usage: read.pl directory; reads directory/from, writes directory/perl-*. ISC licence, see LICENSE.
use strict;
use warnings;
use Encode;
use Email::Address;
use Email::Address::XS ();
use JSON::PP;
use Mail::Address;

my %parsers = (
	'perl-email-address' => sub { map { [$_->phrase, $_->address] } Email::Address->parse($_[0]) },
	'perl-mail-address' => sub { map { [$_->phrase, $_->address] } Mail::Address->parse($_[0]) },
	'perl-address-xs' => sub { map { [$_->phrase, $_->address] } Email::Address::XS->parse($_[0]) },
);

sub clean {
	my ($text, $space) = @_;
	$text //= '';
	$text =~ s/\s+/$space/g;
	$text =~ s/[\x00-\x1f\x7f-\x9f]/?/g;
	return $text;
}

my $directory = shift;
for my $name (sort keys %parsers) {
	for my $first ('', '-decoded') {
		open my $in, '<', "$directory/from" or die;
		open my $out, '>:utf8', "$directory/$name$first" or die;
		local $SIG{__WARN__} = sub { };
		while (my $line = <$in>) {
			my ($id, $from) = @{decode_json $line};
			my @boxes = eval { $parsers{$name}->($first ? decode('MIME-Header', $from) : decode('UTF-8', $from)) };
			my @names = map { my $plain = $_->[0] // ''; $first ? $plain : eval { decode('MIME-Header', $plain) } // $plain } @boxes;
			print $out join("\t", $id, join(' ', map { clean($_->[1], '?') } grep { $_->[1] } @boxes),
				join(' ', map { clean($_, ' ') } @names)), "\n";
		}
	}
}
