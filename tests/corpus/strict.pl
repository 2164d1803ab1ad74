#!/usr/bin/perl
# What is wrong with a header, as Email::MIME and Email::Address::XS see it? Each header on standard input comes after its
# length, 32 bits; the answer is the number of defects, and a line "field<tab>defect" for each. ISC licence, see LICENSE.
use strict;
use warnings;
use Email::Address::XS ();
use Email::MIME;

binmode STDIN;
$| = 1;
my @fields = qw(From Sender Reply-To To Cc Resent-From Resent-Sender Resent-Reply-To Resent-To Resent-Cc);
while (read(STDIN, my $length, 4) == 4) {
	read STDIN, my $header, unpack 'N', $length;
	my @found;
	local $SIG{__WARN__} = sub { push @found, "\t" . $_[0] };
	my $email = eval { Email::MIME->new($header) };
	push @found, "\tit cannot be read: $@" unless $email;
	for my $name ($email ? @fields : ()) {
		for my $value ($email->header_raw($name)) {
			my @groups = eval { Email::Address::XS::parse_email_groups($value) };
			push @found, "$name\tit cannot be read: $@" if $@;
			push @found, "$name\tthere is no address" unless @groups;
			while (my ($group, $list) = splice @groups, 0, 2) {
				push @found, map { "$name\tan address is not valid" } grep { !$_->is_valid } @$list;
			}
		}
	}
	s/(?: at \S+ line \d+)?\.?\s*\n.*//s, s/[^\t -~]/?/g for @found;
	print scalar @found, "\n", map { "$_\n" } @found;
}
