/* ISC licence, see LICENSE. */
#include "rewriting.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "chain/dsn.h"
#include "mail/addrlist.h"
#include "mail/readdress.h"

enum { ADDRESSES_MAX = 600 }; /* octets of the log's list of addresses */

/* One address on its way through the table; passed through readdress_field. */
struct way {
	struct rewriting *c;
	bool force;                 /* an address that the user has no right to becomes own */
	enum rewriting_result result; /* if it was not REWRITING_OK */
};

/* Is this word in the list, whose words have spaces between? */
static bool
has_word(const char *list, const char *word)
{
	const char *p = list;
	size_t n = strlen(word);

	while (p && (p = strstr(p, word))) {
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
		p++;
	}
	return false;
}

/* Keep "old>new" for the log, once. Returns 0, or -1 with errno set (ENOMEM). */
static int
note(struct rewriting *c, const char *from, const char *to)
{
	char pair[2 * ADDR_MAILBOX_MAX + 4];

	snprintf(pair, sizeof pair, "%s>%s", from, to);
	if (c->addresses.len + strlen(pair) + 1 > ADDRESSES_MAX || has_word(c->addresses.p, pair))
		return 0;
	return buf_printf(&c->addresses, "%s%s", c->addresses.len ? " " : "", pair);
}

/* Find the address by the table and the aliases. Returns as readdress_fn; way->result says more about -1. */
static int
map(struct way *way, const struct addr *from, struct addr *to)
{
	struct rewriting *c = way->c;
	struct mapped d;
	int i = MAPPING_STEPS - 1;

	switch (mapping_resolve(c->mapping, &c->aliases, from, &d)) {
	case MAPPING_SAME:
		*to = *from;
		return 0;
	case MAPPING_CHANGED:
		*to = d.to;
		return 1;
	case MAPPING_INVALID:
		while (i > 0 && !d.key[i][0])
			i--;
		snprintf(c->why, sizeof c->why, "%.100s: record of %.200s: %s", c->mapping->path, d.key[i], d.why);
		way->result = REWRITING_INVALID;
		return -1;
	case MAPPING_ERROR:
		break;
	}
	way->result = REWRITING_ERROR;
	return -1;
}

enum rewriting_result
rewriting_blame(struct rewriting *c, const char *path, const struct usertable *t)
{
	if (!*t->why)
		return REWRITING_ERROR;
	snprintf(c->why, sizeof c->why, "%.100s: %s", path, t->why);
	return REWRITING_INVALID;
}

/* May the user send as this address? Returns 1, 0, or -1 as map. */
static int
may(struct way *way, const struct addr *a)
{
	struct rewriting *c = way->c;
	struct claim claim;

	claim_set(&claim, "", a);
	if (c->senders->any || senders_judge(c->senders, &claim, 1) == 0)
		return c->senders->any || claim.is_allowed;
	way->result = rewriting_blame(c, c->senders_path, c->senders->permit.table);
	return -1;
}

/* Is there an address that the user may send as? */
static bool
has_own(struct way *way)
{
	if (way->c->own.len > 0)
		return true;
	snprintf(way->c->why, sizeof way->c->why, "You have no address to send as");
	way->result = REWRITING_NO_RIGHT;
	return false;
}

/* readdress_fn: force the address if the user has no right to it, and look it up in the table. */
static int
change(void *arg, const struct addr *from, struct addr *to)
{
	struct way *way = arg;
	int allowed = way->force ? may(way, from) : 1;

	if (allowed == 0 && !has_own(way))
		return -1;
	if (allowed < 0 || map(way, allowed ? from : &way->c->own, to) < 0)
		return -1;
	if (strcmp(from->text, to->text) == 0)
		return 0;
	if (note(way->c, from->text, to->text) == 0)
		return 1;
	way->result = REWRITING_ERROR;
	return -1;
}

static enum rewriting_result
too_long(struct rewriting *c, enum field_id id)
{
	snprintf(c->why, sizeof c->why, "%s: a line would be longer than %d octets", field_name(id), READDRESS_LINE_MAX);
	return REWRITING_REFUSED;
}

/*
 * Does the field name one mailbox outside a group, or several that the user has a right to, in a form that can be read?
 * Returns 1, 0, or -1 as map.
 */
static int
is_plain(struct way *way, const char *text, const struct field *f)
{
	enum addrlist_result r;
	struct addrlist list;
	struct addrlist_item m;
	struct addr a;
	bool group = false;
	size_t n = 0;
	int all = 1;

	addrlist_begin(&list, text, f->value, f->end);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		if (addrlist_addr(text, &m, &a) < 0 || !a.has_domain)
			return 0;
		n++;
		group |= m.in_group;
		if (all > 0 && (all = may(way, &a)) < 0)
			return -1;
	}
	return r == ADDRLIST_END && n > 0 && (all > 0 || (n == 1 && list.addresses == 1 && !group));
}

/* The whole field becomes the user's address: nobody can say which part of the field is the sender. */
static enum rewriting_result
replace(struct way *way, const struct field *f)
{
	struct rewriting *c = way->c;
	char text[ADDR_MAILBOX_MAX + 4];
	struct addr to;

	if (!has_own(way) || map(way, &c->own, &to) < 0)
		return way->result;
	snprintf(text, sizeof text, " <%s>", to.text);
	c->fields |= UINT32_C(1) << f->id;
	return edits_add(&c->edits, f->value, f->end - f->value, text, strlen(text)) < 0 ||
	    note(c, "?", to.text) < 0 ? REWRITING_ERROR : REWRITING_OK;
}

static enum rewriting_result
take(struct rewriting *c, const char *text, const struct field *f)
{
	struct way way = { .c = c, .result = REWRITING_ERROR };
	int plain;

	c->is_signed |= f->id == FIELD_OTHER && field_is(text, f, "DKIM-Signature");
	if (field_syntax(f->id) != FIELD_ADDRESS && field_syntax(f->id) != FIELD_ADDRESSES)
		return REWRITING_OK;
	way.force = c->senders && (f->id == FIELD_FROM || f->id == FIELD_SENDER);
	plain = way.force ? is_plain(&way, text, f) : 1;
	if (plain <= 0)
		return plain < 0 ? way.result : replace(&way, f);
	switch (readdress_field(&c->edits, text, f, change, &way)) {
	case READDRESS_SAME:
		break;
	case READDRESS_CHANGED:
		c->fields |= UINT32_C(1) << f->id;
		break;
	case READDRESS_BAD:
		c->unread |= UINT32_C(1) << f->id;
		break;
	case READDRESS_LONG:
		return too_long(c, f->id);
	case READDRESS_ERROR:
		return way.result;
	}
	return REWRITING_OK;
}

enum rewriting_result
rewriting_of_header(struct rewriting *c, const struct header *h)
{
	enum rewriting_result r = REWRITING_OK;
	struct field f;
	size_t pos = 0;
	int more;

	while (r == REWRITING_OK && (more = header_next(h->text.p, h->text.len, &pos, &f)) != 0)
		if (more > 0)
			r = take(c, h->text.p, &f);
	return r;
}

/* Append "PREFIX<path> params" and, for a recipient, the original address (RFC 3461 5.2.1 (c)). */
static int
add_line(struct buf *b, const char *prefix, const struct addr *to, const struct envelope_line *l, bool orcpt)
{
	const char *value;
	size_t len;

	if (buf_printf(b, "%s<%s>%s%s", prefix, to->text, *l->params ? " " : "", l->params) < 0 ||
	    (orcpt && !envelope_param(l, "ORCPT", &value, &len) && dsn_add_orcpt(b, l->path, l->path_len) < 0))
		return -1;
	return buf_puts(b, "\n");
}

static enum rewriting_result
add_sender(struct rewriting *c, const struct envelope_line *mail)
{
	struct way way = { .c = c, .force = c->senders, .result = REWRITING_ERROR };
	struct addr from, to;
	int r = 0;

	if (mail->path_len > 0 && addr_mailbox(mail->path, mail->path_len, &from) == 0)
		r = change(&way, &from, &to);
	if (r < 0)
		return way.result;
	c->sender = r > 0;
	return (c->sender ? add_line(&c->envelope, "MAIL FROM:", &to, mail, false) :
	    buf_printf(&c->envelope, "%s\n", mail->text)) < 0 ? REWRITING_ERROR : REWRITING_OK;
}

static enum rewriting_result
add_rcpt(struct rewriting *c, const struct envelope_line *l)
{
	struct way way = { .c = c, .result = REWRITING_ERROR };
	struct addr from, to;
	int r = 0;

	if (l->kind == ENVELOPE_RCPT && addr_mailbox(l->path, l->path_len, &from) == 0)
		r = change(&way, &from, &to);
	if (r < 0)
		return way.result;
	c->rcpts += r > 0;
	return (r > 0 ? add_line(&c->envelope, "RCPT TO:", &to, l, c->add_orcpt) :
	    buf_printf(&c->envelope, "%s\n", l->text)) < 0 ? REWRITING_ERROR : REWRITING_OK;
}

enum rewriting_result
rewriting_of_envelope(struct rewriting *c, const struct envelope *e)
{
	enum rewriting_result r = add_sender(c, &e->mail);
	size_t i;

	for (i = 0; r == REWRITING_OK && i < e->nrcpt + e->ncopy; i++)
		r = add_rcpt(c, &e->rcpt[i]);
	return r;
}

bool
rewriting_of_rcpt(struct rewriting *c, const struct envelope_line *rcpt, struct addr *to)
{
	struct mapped d;
	struct addr from;

	if (rcpt->kind != ENVELOPE_RCPT || addr_mailbox(rcpt->path, rcpt->path_len, &from) < 0 ||
	    mapping_resolve(c->mapping, &c->aliases, &from, &d) != MAPPING_CHANGED)
		return false;
	*to = d.to;
	return true;
}

void
rewriting_free(struct rewriting *c)
{
	edits_free(&c->edits);
	aliases_forget(&c->aliases);
	buf_free(&c->addresses);
	buf_free(&c->envelope);
	*c = (struct rewriting){ .mapping = NULL };
}
