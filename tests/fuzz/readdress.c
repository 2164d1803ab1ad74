/* ISC licence, see LICENSE. */
#include "mail/readdress.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "mail/addrlist.h"
#include "msa/buf.h"

/* Domains of more than one label become new.example, and short local parts one that needs quotes. */
static int
change(void *arg, const struct addr *from, struct addr *to)
{
	char text[2 * ADDR_MAILBOX_MAX];
	int local = from->local_len < 4 ? 0 : (int)from->local_len;

	MUST(arg == NULL && from->has_domain);
	snprintf(text, sizeof text, "%.*s%s@%s", local, from->text, local ? "" : "\"a \\\" \\\\ b\"",
	    from->is_literal || !strchr(addr_domain(from), '.') ? addr_domain(from) : "new.example");
	return addr_mailbox(text, strlen(text), to) == 0 && strcmp(to->text, from->text) != 0;
}

/* Append the addresses of a field, mapped if how is 1, to list. */
static void
list_addresses(struct buf *list, const char *text, const struct field *f, int how)
{
	enum addrlist_result r;
	struct addrlist l;
	struct addrlist_item m;
	struct addr a, b;

	addrlist_begin(&l, text, f->value, f->end);
	while ((r = addrlist_next(&l, &m)) == ADDRLIST_BOX) {
		if (addrlist_addr(text, &m, &a) < 0)
			a = (struct addr){ .text = "?" };
		if (how == 1 && a.has_domain && change(NULL, &a, &b))
			a = b;
		MUST(buf_printf(list, "%s\n", a.text) == 0);
	}
	MUST(r == ADDRLIST_END);
}

/* Returns the field's text with e applied. */
static void
apply(struct buf *out, const struct edits *e, const char *text, const struct field *f)
{
	size_t done = f->name, i;

	for (i = 0; i < e->n; i++) {
		MUST(e->v[i].off >= done && e->v[i].off + e->v[i].del <= f->end);
		MUST(buf_add(out, text + done, e->v[i].off - done) == 0);
		MUST(buf_add(out, e->text.p + e->v[i].text, e->v[i].len) == 0);
		done = e->v[i].off + e->v[i].del;
	}
	MUST(buf_add(out, text + done, f->next - done) == 0);
}

/* The result has the mapped addresses, in the same order, and a second run changes nothing. */
static void
try(const char *text, const struct field *f)
{
	struct edits e = { 0 }, none = { 0 };
	struct buf out = { 0 }, want = { 0 }, got = { 0 };
	enum readdress_result r = readdress_field(&e, text, f, change, NULL);
	struct field again;
	size_t pos = 0;

	MUST(r != READDRESS_ERROR && (r == READDRESS_SAME || r == READDRESS_BAD ? e.n == 0 : e.n > 0));
	if (r == READDRESS_CHANGED) {
		apply(&out, &e, text, f);
		MUST(header_next(out.p, out.len, &pos, &again) == 1 && pos == out.len);
		list_addresses(&want, text, f, 1);
		list_addresses(&got, out.p, &again, 0);
		MUST(want.len == got.len && memcmp(want.p, got.p, got.len) == 0);
		MUST(readdress_field(&none, out.p, &again, change, NULL) == READDRESS_SAME);
	}
	edits_free(&e);
	edits_free(&none);
	buf_free(&out);
	buf_free(&want);
	buf_free(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct field f;
	size_t pos = 0;
	int r;

	while ((r = header_next(text, size, &pos, &f)) != 0)
		if (r > 0)
			try(text, &f);
	return 0;
}
