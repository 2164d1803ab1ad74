/* ISC licence, see LICENSE. */
#include "refusals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msa/msgfile.h"

enum { WHY_MAX = 320 }; /* octets; an address has 254 */

/* The address of a RCPT line. A path that is no mailbox, as <postmaster>, has no domain. */
static void
address_of(const struct envelope_line *l, struct addr *a)
{
	if (addr_mailbox(l->path, l->path_len, a) == 0)
		return;
	*a = (struct addr){ .len = l->path_len < sizeof a->text ? l->path_len : sizeof a->text - 1 };
	memcpy(a->text, l->path, a->len);
	a->local_len = a->len;
}

int
refusals_find(struct refusals *f, const struct envelope *e, const struct recipients *r, const struct postmaster *p)
{
	struct addr a;
	size_t i;
	int may;

	*f = (struct refusals){ .is = calloc(e->nrcpt ? e->nrcpt : 1, sizeof *f->is) };
	if (!f->is)
		return -1;
	for (i = 0; i < e->nrcpt; i++) {
		const struct envelope_line *l = &e->rcpt[i];

		if (l->kind != ENVELOPE_RCPT || postmaster_is(p, l->path, l->path_len))
			continue;
		address_of(l, &a);
		may = recipients_judge(r, &a);
		if (may < 0) {
			refusals_free(f);
			return -1;
		}
		f->is[i] = !may;
		if (!may && f->n++ == 0)
			f->first = i;
	}
	return 0;
}

/* Make the reply for a recipient. Returns 0, or -1 with errno set (ENOMEM). */
static int
set_reply(struct reply_foreign *reply, const struct envelope_line *l)
{
	char why[WHY_MAX];
	struct addr a;

	address_of(l, &a);
	/* the reply must be ASCII: the client may not know SMTPUTF8 */
	snprintf(why, sizeof why, "You may not send to %s%s%s", a.is_utf8 ? "this address" : "<", a.is_utf8 ? "" : a.text,
	    a.is_utf8 ? "" : ">");
	return reply_set(reply, REPLY_NO_RIGHT, why);
}

int
refusals_envelope(const struct refusals *f, const struct envelope *e)
{
	struct reply_foreign reply = { .code = 0 };
	char line[REPLY_SHOWN_MAX];
	struct buf b = { 0 };
	int fd = -1, r = buf_printf(&b, "%s\n", e->mail.text);
	size_t i;

	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++) {
		if (i >= e->nrcpt || !f->is[i]) {
			r = buf_printf(&b, "%s\n", e->rcpt[i].text);
			continue;
		}
		r = set_reply(&reply, &e->rcpt[i]);
		if (r == 0)
			r = buf_printf(&b, "%s\n", reply_show(&reply, line));
		reply_foreign_free(&reply);
	}
	if (r == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

int
refusals_verdict(const struct refusals *f, const struct envelope *e, struct verdict *v)
{
	const char *text;
	size_t i, len;
	int code, r = verdict_open(v, e->nrcpt);
	bool last;

	for (i = 0; r == 0 && i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_REPLY) {
			reply_line(e->rcpt[i].text, strlen(e->rcpt[i].text), &code, &last, &text, &len); /* it was checked */
			r = reply_take(&v->reply[i], code, text, len);
		} else
			r = f->is[i] ? set_reply(&v->reply[i], &e->rcpt[i]) : reply_set(&v->reply[i], REPLY_RCPT_OK, NULL);
	if (r < 0)
		verdict_free(v);
	return r;
}

void
refusals_free(struct refusals *f)
{
	free(f->is);
	*f = (struct refusals){ .is = NULL };
}
