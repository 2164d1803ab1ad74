/* ISC licence, see LICENSE. */
#include "chain/offer.h"
#include "smtp/ehlo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/*
 * take: EHLO lines in, the keywords that were understood out. facts: from the environment; the whole reply. wrong:
 * values of MSA_EHLO. host.
 */
int
unit_ehlo(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "take";
	struct ehlo e = { 0 };
	struct facts f = { 0 };
	struct buf out = { 0 };
	char *s, *raw, host[256];
	size_t n;
	int r = 0;

	if (facts_from_environ(&f) < 0)
		return 111;
	if (strcmp(what, "host") == 0)
		r = buf_printf(&out, "%s\n", offer_host(&f, host, sizeof host));
	else if (strcmp(what, "wrong") == 0) {
		while ((s = unit_line(&n, &raw))) {
			if (facts_set(&f, "MSA_EHLO", s) < 0)
				return 111;
			r = buf_printf(&out, "%s => %s\n", raw, offer_from_facts(&e, &f) ? "invalid" : "ok");
			free(s);
			free(raw);
		}
	} else if (strcmp(what, "facts") == 0) {
		offer_from_facts(&e, &f);
		r = ehlo_reply(&out, &e, "mx.example.net");
	} else {
		while ((s = unit_line(&n, NULL))) {
			ehlo_take(&e, s, n);
			free(s);
		}
		r = strcmp(what, "reply") == 0 ? ehlo_reply(&out, &e, "mx.example.net") : ehlo_keywords(&out, &e);
	}
	fwrite(out.p ? out.p : "", 1, out.len, stdout);
	buf_free(&out);
	facts_free(&f);
	return r < 0 ? 111 : 0;
}
