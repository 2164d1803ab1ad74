/* ISC licence, see LICENSE. */
#include "mail/readdress.h"

#include <string.h>
#include <strings.h>

#include "mail/addrlist.h"

static bool
is_valid(const char *text, const struct field *f)
{
	enum addrlist_result r;
	struct addrlist list;
	struct addrlist_item m;

	addrlist_begin(&list, text, f->value, f->end);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX)
		;
	return r == ADDRLIST_END;
}

/* Is the display name the address without its quotes? The other names that lack them have no at sign. */
static bool
is_bare_address(const char *text, const struct addrlist_item *m)
{
	return m->lacks_quotes && memchr(text + m->name, '@', m->name_end - m->name);
}

/* Is the display name one quoted string with the address in it? */
static bool
is_quoted_address(const char *text, const struct addrlist_item *m, const struct addr *a)
{
	char name[ADDR_MAILBOX_MAX + 1];
	size_t i, n = 0;

	if (m->name_end - m->name < 2 || text[m->name] != '"')
		return false;
	for (i = m->name + 1; i < m->name_end - 1 && text[i] != '"'; i++) {
		if (text[i] == '\\' && i + 1 < m->name_end - 1)
			i++;
		if (n == sizeof name - 1)
			return false;
		name[n++] = text[i];
	}
	return i == m->name_end - 1 && n == a->len && strncasecmp(name, a->text, n) == 0;
}

/* Replace the display name by the address, in quotes. */
static int
edit_name(struct edits *e, const struct addrlist_item *m, const struct addr *a)
{
	char quoted[2 * ADDR_MAILBOX_MAX + 3];
	size_t i, n = 0;

	quoted[n++] = '"';
	for (i = 0; i < a->len; i++) {
		if (a->text[i] == '"' || a->text[i] == '\\')
			quoted[n++] = '\\';
		quoted[n++] = a->text[i];
	}
	quoted[n++] = '"';
	return edits_add(e, m->name, m->name_end - m->name, quoted, n);
}

/* Returns 0, or -1 with errno set (ENOMEM). */
static int
edit(struct edits *e, const char *text, const struct addrlist_item *m, const struct addr *from, const struct addr *to)
{
	const char *domain = addr_domain(to);

	if ((is_bare_address(text, m) || is_quoted_address(text, m, from)) && edit_name(e, m, to) < 0)
		return -1;
	if ((from->local_len != to->local_len || memcmp(from->text, to->text, to->local_len) != 0) &&
	    edits_add(e, m->local, m->local_end - m->local, to->text, to->local_len) < 0)
		return -1;
	if (strcmp(addr_domain(from), domain) == 0)
		return 0;
	return edits_add(e, m->domain, m->domain_end - m->domain, domain, strlen(domain));
}

/* Count n octets into the line that *now has octets of; *most is the longest line so far. */
static void
count(const char *s, size_t n, size_t *now, size_t *most)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s[i] == '\n') {
			*now = 0;
			continue;
		}
		*now += s[i] != '\r';
		if (*now > *most)
			*most = *now;
	}
}

/* Returns the octets of the longest line of f, with the edits from the one numbered first on. */
static size_t
longest(const struct edits *e, size_t first, const char *text, const struct field *f)
{
	size_t now = 0, most = 0, done = f->name, i;

	for (i = first; i < e->n; i++) {
		count(text + done, e->v[i].off - done, &now, &most);
		count(e->text.p + e->v[i].text, e->v[i].len, &now, &most);
		done = e->v[i].off + e->v[i].del;
	}
	count(text + done, f->end - done, &now, &most);
	return most;
}

/*
 * Fold the field at the comma at pos, before an item that changes, unless it is folded there already. Returns 0, or -1
 * with errno set (ENOMEM).
 */
static int
fold(struct edits *e, const char *text, const struct field *f, size_t pos)
{
	const char *eol = f->next - f->end == 1 ? "\n " : "\r\n ";
	size_t i = ++pos;

	while (i < f->end && (text[i] == ' ' || text[i] == '\t'))
		i++;
	if (i == f->end || text[i] == '\r' || text[i] == '\n')
		return 0;
	return edits_add(e, pos, 0, eol, strlen(eol) - (i > pos)); /* the white space that is there folds, too */
}

/* Collect the edits; with folds, fold before each address that changes. Returns 0, or -1 with errno set. */
static int
collect(struct edits *e, const char *text, const struct field *f, bool folds, readdress_fn *fn, void *arg)
{
	struct addrlist list;
	struct addrlist_item m;
	struct addr from, to;
	size_t comma;
	int r;

	addrlist_begin(&list, text, f->value, f->end);
	for (comma = list.pos; addrlist_next(&list, &m) == ADDRLIST_BOX; comma = list.pos) {
		if (addrlist_addr(text, &m, &from) < 0 || !from.has_domain)
			continue;
		r = fn(arg, &from, &to);
		if (r > 0 && folds && comma < f->end && text[comma] == ',' && fold(e, text, f, comma) < 0)
			return -1;
		if (r < 0 || (r > 0 && edit(e, text, &m, &from, &to) < 0))
			return -1;
	}
	return 0;
}

enum readdress_result
readdress_field(struct edits *e, const char *text, const struct field *f, readdress_fn *fn, void *arg)
{
	size_t first = e->n, most;
	int folds;

	if (!is_valid(text, f))
		return READDRESS_BAD;
	for (folds = 0; folds < 2; folds++) {
		e->n = first;
		if (collect(e, text, f, folds > 0, fn, arg) < 0)
			return READDRESS_ERROR;
		if (e->n == first)
			return READDRESS_SAME;
		most = longest(e, first, text, f);
		if (most <= READDRESS_LINE_MAX || most <= longest(e, e->n, text, f))
			return READDRESS_CHANGED;
	}
	return READDRESS_LONG;
}
