/* ISC licence, see LICENSE. */
#include "mail/merge.h"

#include <stdbool.h>

#include "mail/addrlist.h"
#include "mail/header.h"

/* The fields of one name. */
struct lists {
	enum field_id id;
	struct field first;
	size_t fields;  /* that are not blank */
	bool is_merged; /* all are valid, and one is not like the first */
	bool is_bad;
};

static const enum field_id ids[] = { FIELD_TO, FIELD_CC };

enum { LISTS = sizeof ids / sizeof *ids };

/*
 * Returns true if the value is a list with an address. *last becomes the last mailbox; a list without a mailbox sets
 * its labels to 1.
 */
static bool
is_valid(const char *text, const struct field *f, struct addrlist_item *last)
{
	enum addrlist_result r;
	struct addrlist list;
	struct addrlist_item m;

	*last = (struct addrlist_item){ .labels = 1 };
	addrlist_begin(&list, text, f->value, f->end);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX)
		*last = m;
	return r == ADDRLIST_END && list.addresses > 0;
}

/* Returns the lists that the field belongs to, or NULL if it is another field, or blank. */
static struct lists *
lists_of(struct lists *all, const char *text, const struct field *f)
{
	size_t i;

	for (i = 0; i < LISTS; i++)
		if (f->id == all[i].id)
			return addrlist_is_blank(text, f->value, f->end) ? NULL : &all[i];
	return NULL;
}

static void
note(struct lists *l, const char *text, const struct field *f)
{
	struct addrlist_item last;

	if (l->fields++ == 0) {
		l->first = *f;
		return;
	}
	l->is_merged |= !field_is_same(text, *f, l->first);
	l->is_bad |= !is_valid(text, f, &last) || (l->fields == 2 && !is_valid(text, &l->first, &last));
}

/* Append a list without the white space around it; is_last: no other list follows. */
static int
add_list(struct buf *out, const char *text, const struct field *f, bool is_last, const char *eol)
{
	struct field value = field_trim(text, *f);
	struct addrlist_item last;
	size_t done = value.value;

	(void)is_valid(text, f, &last);
	if (!is_last && last.is_bare && last.labels == 0 && !last.in_group) {
		if (buf_add(out, text + done, last.local - done) < 0 || buf_puts(out, "<") < 0 ||
		    buf_add(out, text + last.local, last.local_end - last.local) < 0 || buf_puts(out, ">") < 0)
			return -1;
		done = last.local_end;
	}
	if (buf_add(out, text + done, value.end - done) < 0)
		return -1;
	if (is_last)
		return buf_add(out, text + value.end, f->end - value.end);
	if (out->p[out->len - 1] != ',' && buf_puts(out, ",") < 0) /* an empty element at the end has a comma already */
		return -1;
	return buf_puts(out, eol) < 0 ? -1 : buf_puts(out, " ");
}

/* Append the first field with the lists of all others that differ from it. */
static int
add_merged(struct buf *out, const char *text, size_t n, const struct lists *l, const char *eol)
{
	struct field last = l->first, f;
	size_t pos = l->first.next, begin = field_trim(text, l->first).value;

	if (buf_add(out, text + l->first.name, begin - l->first.name) < 0)
		return -1;
	while (header_next(text, n, &pos, &f) != 0) {
		if (f.id != l->id || addrlist_is_blank(text, f.value, f.end) || field_is_same(text, f, l->first))
			continue;
		if (add_list(out, text, &last, false, eol) < 0)
			return -1;
		last = f;
	}
	return add_list(out, text, &last, true, eol) < 0 ? -1 :
	    buf_add(out, text + l->first.end, l->first.next - l->first.end);
}

int
merge_lists(struct buf *out, const char *text, size_t n, const char *eol, uint32_t *merged)
{
	struct lists all[LISTS] = { { .id = FIELD_OTHER } }, *l;
	struct field f;
	size_t pos = 0, i;
	int r = 0;

	*merged = 0;
	for (i = 0; i < LISTS; i++)
		all[i].id = ids[i];
	while (header_next(text, n, &pos, &f) != 0)
		if ((l = lists_of(all, text, &f)))
			note(l, text, &f);
	for (i = 0; i < LISTS; i++)
		if (all[i].is_merged && !all[i].is_bad)
			*merged |= UINT32_C(1) << ids[i];
	if (*merged == 0)
		return 0;
	for (pos = 0; r == 0 && header_next(text, n, &pos, &f) != 0;) {
		l = lists_of(all, text, &f);
		if (!l || !(*merged >> l->id & 1))
			r = buf_add(out, text + f.name, f.next - f.name);
		else if (f.name == l->first.name)
			r = add_merged(out, text, n, l, eol);
	}
	return r < 0 ? -1 : 1;
}
