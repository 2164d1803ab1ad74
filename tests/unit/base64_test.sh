#!/bin/sh
# base64: what clients send in AUTH. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_octets_become_text_and_come_back() {
	unit_table base64 <<-'END'
	 =>  .
	Zg== => Wmc9PQ== f.
	Zm8= => Wm04PQ== fo.
	Zm9v => Wm05dg== foo.
	Zm9vYmFy => Wm05dlltRnk= foobar.
	+/+/ => Ky8rLw== \xfb\xff\xbf.
	AAAA => QUFBQQ== \x00\x00\x00.
	END
}

# Each value has one text: nothing but RFC 4648's alphabet, padding at the end, and no bit behind the last octet.
test_nothing_else_is_decoded() {
	unit_table base64 <<-'END'
	Z => Wg== no.
	Zg => Wmc= no.
	Zg= => Wmc9 no.
	Zm9 => Wm05 no.
	Zm9vY => Wm05dlk= no.
	Zh== => Wmg9PQ== no.
	Zm9= => Wm05PQ== no.
	Zg==Zg== => Wmc9PVpnPT0= no.
	Zm8=Zm8= => Wm04PVptOD0= no.
	==== => PT09PQ== no.
	=Zg= => PVpnPQ== no.
	Z=== => Wj09PQ== no.
	Zg-_ => WmctXw== no.
	Zg\r\n => WmcNCg== no.
	Z g= => WiBnPQ== no.
	Zg=\0 => Wmc9AA== no.
	AAA\0 => QUFBAA== no.
	END
}

. "$SHUNIT2"
