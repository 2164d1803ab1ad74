#!/bin/sh
# lib/mail/resent: which Resent- fields are the client's own. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# The fields with their names cut short: each blank of a line of the table ends a field. usage: fields <table
fields() {
	sed -e 's/\<f:/Resent-From:/g; s/\<d:/Resent-Date:/g; s/\<t:/Resent-To:/g; s/\<c:/Resent-Cc:/g; s/\<b:/Resent-Bcc:/g' \
		-e 's/\<i:/Resent-Message-ID:/g; s/\<s:/Resent-Sender:/g; s/\<R:/Received:/g; s/\<P:/Return-Path:/g' >"$T/table"
	unit_table resent <"$T/table"
}

test_the_block_is_above_the_trace_fields() {
	fields <<-'END'
	From:a To:b => none
	R:x f:a d:1 From:a => none
	f:a d:1 t:b R:x f:c d:2 => 1 2 3 end
	From:a To:b t:c b:d => 3 4 end
	X:y f:a t:b From:c => 2 3 end
	END
}

test_a_name_that_comes_again_begins_a_block_where_both_have_an_author() {
	fields <<-'END'
	f:a t:b d:1 f:c t:d => 1 2 3 end
	f:a t:b t:c f:d d:1 => 1 2 end
	d:1 f:a i:x d:2 f:b => 1 2 3 end
	f:a t:b f:c t:d f:e t:f => 1 2 end
	END
}

test_otherwise_it_is_one_too_many() {
	fields <<-'END'
	f:a t:b t:c d:1 => 1 2 3 4 end
	d:1 t:b d:2 t:c f:a => 1 2 3 4 5 end
	f:a d:1 d:1 => 1 2 3 end
	f:a t:b f:c t:d t:e => 1 2 end
	END
}

test_other_fields_may_interrupt_it() {
	fields <<-'END'
	f:a To:x t:b d:1 From:y => 1 3 4 end
	f:a t:b To:x d:1 f:c t:d => 1 2 end
	f:a To:x t:b R:y d:1 => 1 3 end
	f:a To:x d:1 To:y t:b Cc:z t:c => 1 3 5 end
	f:a To:x d:1 t:b d:2 => 1 3 4 5 end
	f:a To:x s:b t:c To:y s:d => 1 3 4 end
	END
}

test_empty_fields_do_not_count() {
	fields <<-'END'
	t: => none
	t: b: From:a => none
	t: f:a From:b t: t:c => 2 4 5 end
	f:a t: t:b From:c => 1 2 3 end
	d: => none
	i: d: => none
	d: f:a t:b d:1 f:c => 2 3 4 end
	END
}

# Bcc, Resent-Bcc and Return-Path are removed in this table. Where they are gone, the block is the same.
test_fields_that_are_removed_do_not_count() {
	fields <<-'END'
	f:a P:x t:b d:1 From:c => 1 3 4 end
	f:a Bcc:x P:y t:b d:1 f:c t:d => 1 4 5 end
	f:a P:x t:b P:y t:c From:d => 1 3 5 end
	f:a P:x From:b t:c => 1 4 end
	P:x t:a To:b P:y t:c => 2 end
	b:x From:a => 1 end
	f:a b:x t:b To:y b:z d:1 => 1 2 3 5 6 end
	f:a b:x b:y t:b f:c => 1 2 3 4 end
	b:x To:y f:a t:b b:z To:c t:d => 1 3 4 5 end
	END
}

# shellcheck source=/dev/null
. "$SHUNIT2"
