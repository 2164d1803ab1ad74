/* ISC licence, see LICENSE. */
#include "spool/spoolrec.h"

#include <string.h>

#include "fuzz.h"

/* What can be read is written, and reads as the same again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spoolrec s = { 0 }, again = { 0 };
	struct buf text = { 0 }, out = { 0 }, second = { 0 };
	const char *why;
	time_t next;
	int head;
	size_t i;

	MUST(buf_add(&text, data, size) == 0);
	head = spoolrec_next((const char *)data, size < SPOOLREC_HEAD_MAX ? size : SPOOLREC_HEAD_MAX, &next);
	if (spoolrec_parse(&s, &text, &why) < 0) {
		MUST(why && !s.rcpt && !s.facts.n && !s.envelope.text.p && !text.p);
		return 0;
	}
	MUST(!why && head == 0 && next == s.next && s.envelope.nrcpt > 0);
	for (i = 0; i < s.envelope.nrcpt; i++)
		MUST(s.envelope.rcpt[i].kind == ENVELOPE_RCPT && (s.rcpt[i].reply.code == 0 || s.rcpt[i].reply.code >= 200));
	MUST(spoolrec_write(&s, &out) == 0 && buf_add(&text, out.p, out.len) == 0);
	MUST(spoolrec_parse(&again, &text, &why) == 0);
	MUST(again.is_report == s.is_report && again.next == s.next && again.arrival == s.arrival && again.tried == s.tried);
	MUST(again.envelope.nrcpt == s.envelope.nrcpt && again.envelope.ncopy == s.envelope.ncopy);
	for (i = 0; i < s.envelope.nrcpt; i++)
		MUST(again.rcpt[i].state == s.rcpt[i].state && again.rcpt[i].told == s.rcpt[i].told &&
		    again.rcpt[i].reply.code == s.rcpt[i].reply.code);
	MUST(spoolrec_write(&again, &second) == 0 && second.len == out.len && memcmp(second.p, out.p, out.len) == 0);
	spoolrec_free(&s);
	spoolrec_free(&again);
	buf_free(&out);
	buf_free(&second);
	return 0;
}
