#!/bin/sh
# msa-log report: a day in one page, as text and in a real browser. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/log.sh
. "$ROOT/tests/lib/log.sh"
# shellcheck source=tests/lib/browser.sh
. "$ROOT/tests/lib/browser.sh"

export TZ=UTC

oneTimeSetUp() {
	log_morning >"$T/morning"
	bench-log -i 2000 >"$T/hour"
}

test_a_day_in_one_page() {
	msa-log report "$T/morning" >"$T/out"
	assertEquals 0 $?
	assert_out report <<'END'
Mail submission, 2026-11-30 02:33:21 to 2026-11-30 02:52:01
31 lines
12 lines about strangers were left out by the stages: rejected commands, handshakes and refused connections are at least so many.

Messages                                   messages recipients        KiB
  accepted                                        2          3          3
  accepted for some recipients                    0          -          -
  refused                                         2          -          -

From a message's end to its answer, ms          p50        p90        p99    longest
  messages that the chain has answered            5         60         60         60

Users                                          sent recipients     octets    refused
  alice@example.net                               2          3       3072          0
  dave@example.net                                2          0          0          2

Messages not accepted, or not for all      messages
  450 4.7.1 Too many recipients, try again later
                                                  1
  550 5.1.1 User unknown                          1

Stages that refused                           lines
  limit Too many recipients, try again later
                                                  1

Next hops; times in ms                        tries recipients   accepted   failures        p50        p90        p99    longest
  relay.example.org:25                            4          5          3          1          7         40         40         40
  /var/spool/msa                                  1          1          1          0          3          3          3          3

Recipients, as each stage tells it       recipients
  smtp-inject reached                             3
  smtp-inject refused                             1
  spool spooled                                   1
  spoold deferred                                 1
  spoold reached                                  1

Logins                                       logins
  authenticated PLAIN                             2
  refused LOGIN wrong password                    1

Addresses whose logins were refused         refused
  203.0.113.9                                     1

Penalties                                     lines
  too many wrong passwords 203.0.113.0/24
                                                  1

Commands that were rejected                   lines
  530 MAIL Authentication required                1

TLS                                        sessions
  TLSv1.3 TLS_AES_256_GCM_SHA384                  2
  TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384             1

TLS handshakes that failed                    lines
  no shared cipher                                1

Stages; times in ms                           calls        p50        p90        p99    longest
  smtp-inject                                     4          7         40         40         40
  qualify                                         1          1          1          1          1
  spool                                           1          3          3          3          3

Troubles                                      lines
  smtp-inject failed Connection refused           1
END
}

test_a_message_for_some_is_no_refusal_and_its_recipients_are_in_no_sum() {
	printf 'submitd: s/m mixed user=u rcpts=3 size=1000 code=250 ms=1 reason="550 no"\n' >"$T/some"
	msa-log report "$T/some" >"$T/out"
	sed -n '/^Messages  /,/^$/p; /^Users/,/^$/p' "$T/out" >"$T/got"
	assert_got 'messages and users' <<'END'
Messages                                   messages recipients        KiB
  accepted                                        0          0          0
  accepted for some recipients                    1          -          -
  refused                                         0          -          -

Users                                          sent recipients     octets    refused
  u                                               1          0          0          0

END
}

# What is not in a table by name is in its last row, exactly.
test_no_name_is_lost() {
	msa-log report "$T/hour" >"$T/out"
	assertEquals 'messages of all users' "$(grep -c ' submitd\[.*\(accepted\|refused\)' "$T/hour")" \
		"$(sed -n '/^Users/,/^$/p' "$T/out" | awk 'NR > 1 && NF { s += $(NF - 3) } END { print s }')"
	assertEquals 'recipients' "$(grep -c ' submitd\[.* accepted ' "$T/hour")" \
		"$(sed -n '/^Users/,/^$/p' "$T/out" | awk 'NR > 1 && NF { s += $(NF - 2) } END { print s }')"
	# More users than there is room for: the last row does not say how many they are.
	seq -f 'submitd: s/m accepted user=u%.0f rcpts=1 size=1000 code=250 ms=1' 1 9000 >"$T/many"
	msa-log report "$T/many" >"$T/out"
	assertEquals '  at least 8172 others 8980 8980 8980000 0' "$(grep others "$T/out" | sed 's/   */ /g; s/^/ /' | head -n 1)"
}

# A percentile is never too low, and at most an eighth too high.
test_percentiles_are_those_of_the_values() {
	seq -f 'submitd: s/m accepted user=u rcpts=1 size=1 code=250 ms=%.0f' 1 10000 >"$T/times"
	msa-log report "$T/times" >"$T/out"
	# shellcheck disable=SC2046
	set -- $(sed -n 's/^  messages that the chain has answered//p' "$T/out")
	assertTrue "p50 $1" "[ $1 -ge 5000 ] && [ $1 -le 5625 ]"
	assertTrue "p90 $2" "[ $2 -ge 9000 ] && [ $2 -le 10000 ]"
	assertTrue "p99 $3" "[ $3 -ge 9900 ] && [ $3 -le 10000 ]"
	assertEquals longest 10000 "$4"
}

test_an_empty_log_is_a_page_too() {
	msa-log report </dev/null >"$T/out"
	assertEquals 0 $?
	assertEquals 'Mail submission, - to -' "$(head -n 1 "$T/out")"
	msa-log report -g </dev/null >"$T/page.html"
	assertEquals 0 $?
	assertEquals '</html>' "$(tail -n 1 "$T/page.html")"
}

test_the_page_needs_nothing_from_elsewhere() {
	msa-log report -g "$T/hour" >"$T/page.html"
	assertEquals 'nothing is loaded' '' "$(grep -Eo '((src|href)=|url[(]|@import|<script)[^>]*' "$T/page.html")"
	assertContains "$(cat "$T/page.html")" "content=\"default-src 'none'; style-src 'unsafe-inline'\""
	xmllint --html --noout "$T/page.html" 2>&1 | grep -v 'Tag svg\|Tag rect\|Tag path\|Tag text\|^<\|^ *^' | grep error >"$T/errors"
	assertEquals '' "$(cat "$T/errors")"
}

# A stranger's text is text there.
test_no_text_becomes_markup() {
	printf 'submitd: s/m refused user=<script>alert(1)</script>&amp; rcpts=1 code=550 ms=1 reason="<b>\\x22"\n' >"$T/evil"
	msa-log report -g "$T/evil" >"$T/page.html"
	assertContains "$(cat "$T/page.html")" '<td>&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;</td>'
	assertEquals '' "$(grep -o '<script\|<b>' "$T/page.html")"
	msa-log show -g m "$T/evil" | xmllint --noout - 2>"$T/err"
	code=$?
	assertEquals "$(cat "$T/err")" 0 $code
}

# The picture has the colours of the bars, and is as large as it was asked for.
test_a_browser_shows_the_page() {
	browser_needed || return 0
	msa-log report -g "$T/hour" >"$T/page.html"
	browser_run --dump-dom "file://$T/page.html" >"$T/dom"
	assertContains "$(cat "$T/browser.log")" "$(cat "$T/dom")" '<h2>Users</h2>'
	assertEquals 'plots' 4 "$(grep -c 'role="img"' "$T/dom")"
	browser_run --window-size=1000,1600 --screenshot="$T/page.png" "file://$T/page.html"
	python3 - "$T/page.png" >"$T/got" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\x89PNG\r\n\x1a\n'
at, idat = 8, b''
while at < len(data):
    size, kind = struct.unpack('>I4s', data[at:at + 8])
    if kind == b'IHDR':
        w, h, depth, colour = struct.unpack('>IIBB', data[at + 8:at + 18])
    if kind == b'IDAT':
        idat += data[at + 8:at + 8 + size]
    at += 12 + size
n = {2: 3, 6: 4}[colour]
raw, last, seen = zlib.decompress(idat), bytearray(w * n), {}
for y in range(h):
    kind, line = raw[y * (w * n + 1)], bytearray(raw[y * (w * n + 1) + 1:(y + 1) * (w * n + 1)])
    for i in range(w * n):
        a, b, c = line[i - n] if i >= n else 0, last[i], last[i - n] if i >= n else 0
        if kind == 1: line[i] = (line[i] + a) & 255
        elif kind == 2: line[i] = (line[i] + b) & 255
        elif kind == 3: line[i] = (line[i] + (a + b) // 2) & 255
        elif kind == 4:
            p = a + b - c
            best = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + best) & 255
    for i in range(0, w * n, n):
        pixel = bytes(line[i:i + 3])
        seen[pixel] = seen.get(pixel, 0) + 1
    last = line
blue, red = seen.get(bytes.fromhex('2a7ab9'), 0), seen.get(bytes.fromhex('c8452f'), 0)
print(w, h, 'white' if seen.get(b'\xff\xff\xff', 0) > w * h // 2 else 'dark', blue > 20000, red > 100)
END
	assertEquals '1000 1600 white True True' "$(cat "$T/got")"
}

. "$SHUNIT2"
