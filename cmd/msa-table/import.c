/* ISC licence, see LICENSE. */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/username.h"
#include "chain/limits.h"
#include "smtp/addr.h"

enum { REACHED_MAX = 1000 }; /* who receives the mail of one alias; Postfix has the same limit */

/* One thing that the other file says: a record has the key, and the item in its list. */
struct pair {
	char *key, *item; /* owned; item "": only the key counts */
	size_t order;     /* in which it was read */
	size_t line;
};

struct import {
	struct job *job;
	const char *domain;
	struct pair *pair; /* owned, n of them */
	size_t n, room;
};

/* Take a pair. Returns 0, or -1 with errno set (ENOMEM). */
static int
take(struct import *m, size_t line, const char *key, size_t key_len, const char *item, size_t item_len)
{
	struct pair *p;

	if (m->n == m->room) {
		size_t room = m->room ? m->room * 2 : 256;
		struct pair *grown = realloc(m->pair, room * sizeof *grown);

		if (!grown)
			return -1;
		m->pair = grown;
		m->room = room;
	}
	p = &m->pair[m->n];
	*p = (struct pair){ strndup(key, key_len), strndup(item, item_len), m->n, line };
	m->n++;
	return p->key && p->item ? 0 : -1;
}

/* Take a pair, if its record would be valid. Returns 0, also after a complaint; or -1 with errno set (ENOMEM). */
static int
add(struct import *m, size_t line, const char *key, size_t key_len, const char *item, size_t item_len)
{
	if (usertable_check(&m->job->form, NULL, key, key_len, item, item_len) < 0) {
		job_blame(m->job, line, m->job->form.why);
		return 0;
	}
	return take(m, line, key, key_len, item, item_len);
}

/* A line of smtpd_sender_login_maps: an address, "@domain" or a name, and who may send as that. Returns as add. */
static int
add_owners(struct import *m, const struct record *r)
{
	const char *p = r->value, *owner;
	struct buf item = { 0 }, key = { 0 };
	size_t len;
	int result = buf_add(&item, r->key, r->key_len);

	if (result == 0 && !strchr(item.p, '@')) {
		if (!m->domain) {
			job_blame(m->job, r->line, "a name without a domain: give its domain by -d");
			goto end;
		}
		result = buf_printf(&item, "@%s", m->domain);
	}
	while (result == 0 && (owner = usertable_item(&p, r->value + r->value_len, &len))) {
		buf_clear(&key);
		result = buf_add(&key, owner, len);
		if (result == 0) {
			username_fold(key.p, key.p, len);
			result = add(m, r->line, key.p, key.len, item.p, item.len);
		}
	}
end:
	buf_free(&item);
	buf_free(&key);
	return result;
}

/* Returns the length of the address without its extension, with the domain moved to there. */
static size_t
cut_extension(char *address)
{
	char *at = strrchr(address, '@'), *plus = strchr(address, '+');

	if (plus && plus > address && (!at || plus < at))
		memmove(plus, at ? at : "", at ? strlen(at) + 1 : 1);
	return strlen(address);
}

/*
 * A line of virtual(5): an alias, and who receives its mail. Leave out what is no one address: "@domain", which would
 * give its receiver all addresses there, and a line that only says that a domain is one. Returns as add.
 */
static int
add_receivers(struct import *m, const struct record *r)
{
	const char *p = r->value, *receiver;
	struct buf item = { 0 }, key = { 0 };
	size_t len;
	int result = buf_add(&item, r->key, r->key_len);

	if (result < 0 || *item.p == '@' ||
	    (!strchr(item.p, '@') && strchr(item.p, '.') && addr_is_domain(item.p, item.len)))
		goto end;
	if (!strchr(item.p, '@')) {
		if (!m->domain) {
			job_blame(m->job, r->line, "a name without a domain: give its domain by -d");
			goto end;
		}
		result = buf_printf(&item, "@%s", m->domain);
	}
	while (result == 0 && (receiver = usertable_item(&p, r->value + r->value_len, &len))) {
		if (*receiver == '@')
			continue;
		buf_clear(&key);
		result = buf_add(&key, receiver, len);
		if (result == 0) {
			username_fold(key.p, key.p, len);
			result = add(m, r->line, key.p, cut_extension(key.p), item.p, item.len);
		}
	}
end:
	buf_free(&item);
	buf_free(&key);
	return result;
}

/* An alias and one of its receivers, borrowed. */
struct receipt {
	const char *alias, *receiver;
	size_t line;
};

static int
compare_aliases(const void *a, const void *b)
{
	return strcasecmp(((const struct receipt *)a)->alias, ((const struct receipt *)b)->alias);
}

/* Returns the first of the n receipts of this alias, or n. */
static size_t
first_receipt(const struct receipt *v, size_t n, const char *alias)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(v[middle].alias, alias) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && strcasecmp(v[low].alias, alias) == 0 ? low : n;
}

/* Add receivers of the alias to those reached[0..*n). Returns false: there are too many. */
static bool
reach(const struct receipt *v, size_t count, const char *alias, const char *reached[REACHED_MAX], size_t *n)
{
	size_t i, k;

	for (i = first_receipt(v, count, alias); i < count && strcasecmp(v[i].alias, alias) == 0; i++) {
		for (k = 0; k < *n && strcasecmp(reached[k], v[i].receiver) != 0; k++)
			;
		if (k < *n)
			continue;
		if (*n == REACHED_MAX)
			return false;
		reached[(*n)++] = v[i].receiver;
	}
	return true;
}

/*
 * A receiver that is an alias itself hands on: take a pair for each who receives mail by several aliases. Returns as
 * add.
 */
static int
follow(struct import *m)
{
	struct receipt *v = calloc(m->n ? m->n : 1, sizeof *v);
	const char **reached = calloc(REACHED_MAX, sizeof *reached);
	size_t n = m->n, i, k;
	int r = v && reached ? 0 : -1;

	for (i = 0; r == 0 && i < n; i++)
		v[i] = (struct receipt){ m->pair[i].item, m->pair[i].key, m->pair[i].line };
	if (r == 0)
		qsort(v, n, sizeof *v, compare_aliases);
	for (i = 0; r == 0 && i < n; i++) {
		size_t direct, all = 0;
		bool fits;

		if (i > 0 && compare_aliases(&v[i - 1], &v[i]) == 0)
			continue;
		fits = reach(v, n, v[i].alias, reached, &all);
		direct = all;
		for (k = 0; fits && k < all; k++)
			fits = reach(v, n, reached[k], reached, &all);
		if (!fits)
			job_blame(m->job, v[i].line, "more than 1000 receive the mail of this alias");
		for (k = direct; fits && r == 0 && k < all; k++)
			r = take(m, v[i].line, reached[k], strlen(reached[k]), v[i].alias, strlen(v[i].alias));
	}
	free(v);
	free(reached);
	return r;
}

/* A line of passwd(5), with the name at its start. Returns as add. */
static int
add_account(struct import *m, size_t line, const char *s, size_t n, bool to_senders)
{
	const char *colon = memchr(s, ':', n), *at;
	size_t len = colon ? (size_t)(colon - s) : n, local;
	struct buf item = { 0 }, key = { 0 };
	int r = 0;

	if (len == 0 || *s == '#' || *s == '+' || *s == '-' || *s == '\r') /* + and - are for NIS */
		return 0;
	at = memchr(s, '@', len);
	local = at ? (size_t)(at - s) : len;
	if (!colon)
		job_blame(m->job, line, "no colon");
	else if (!m->domain && (at || to_senders))
		job_blame(m->job, line, "give the domain by -d");
	else if (at && (strlen(m->domain) != len - local - 1 || strncasecmp(at + 1, m->domain, len - local - 1) != 0))
		; /* of another domain */
	else if (!to_senders)
		r = add(m, line, s, local, "", 0);
	else if (buf_add(&key, s, len) < 0 || buf_add(&item, s, local) < 0 || buf_printf(&item, "@%s", m->domain) < 0)
		r = -1;
	else {
		username_fold(key.p, key.p, key.len);
		r = add(m, line, key.p, key.len, item.p, item.len);
	}
	buf_free(&key);
	buf_free(&item);
	return r;
}

static int
read_accounts(struct import *m, const char *text, size_t n, bool to_senders)
{
	size_t line, len;
	int r = 0;

	for (line = 1; n > 0 && r == 0; line++) {
		const char *lf = memchr(text, '\n', n);

		len = lf ? (size_t)(lf - text) : n;
		r = add_account(m, line, text, len, to_senders);
		len += lf != NULL;
		text += len;
		n -= len;
	}
	return r;
}

/* Read a table of Postfix, line by line. Returns as add. */
static int
read_postfix(struct import *m, const char *text, size_t n, int (*line)(struct import *m, const struct record *r))
{
	struct record r;
	struct text t;
	int more, result = 0;

	text_begin(&t, text, n, true);
	while (result == 0 && (more = text_next(&t, &r)) != 0)
		if (more < 0)
			job_blame(m->job, r.line, t.why);
		else
			result = line(m, &r);
	text_free(&t);
	return result;
}

/* Records of a key stand together, in the order in which they were read. */
static int
compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int r = strcmp(x->key, y->key);

	return r != 0 ? r : x->order < y->order ? -1 : x->order > y->order;
}

/* Returns true if the record of pair i, which begins at pair first, has its item already. */
static bool
is_there(const struct import *m, size_t first, size_t i)
{
	while (first < i && strcasecmp(m->pair[first].item, m->pair[i].item) != 0)
		first++;
	return first < i;
}

/* Print the records. Returns 0, or -1 with errno set. */
static int
print(struct import *m)
{
	struct buf line = { 0 }, list = { 0 };
	size_t i, first;
	int r = 0;

	if (m->n > 0)
		qsort(m->pair, m->n, sizeof *m->pair, compare);
	for (first = 0; first < m->n && r == 0; first = i) {
		struct record record = { .key = m->pair[first].key, .key_len = strlen(m->pair[first].key) };

		buf_clear(&line);
		buf_clear(&list);
		for (i = first; r == 0 && i < m->n && strcmp(m->pair[i].key, record.key) == 0; i++)
			if (!is_there(m, first, i))
				r = buf_printf(&list, "%s%s", list.len > 0 ? " " : "", m->pair[i].item);
		record.value = list.p;
		record.value_len = list.len;
		if (r == 0)
			r = text_add(&line, &record);
		if (r == 0)
			fwrite(line.p, 1, line.len, stdout);
	}
	buf_free(&line);
	buf_free(&list);
	return r < 0 || fflush(stdout) != 0 ? -1 : 0;
}

int
import_text(struct job *j, const char *format, const char *domain, const char *text, size_t n)
{
	bool senders = strcmp(j->kind->name, "senders") == 0, locals = strcmp(j->kind->name, "locals") == 0;
	bool postfix = senders && strcmp(format, "postfix") == 0;
	bool virtual = senders && strcmp(format, "virtual") == 0;
	bool passwd = (senders || locals) && strcmp(format, "passwd") == 0;
	struct import m = { .job = j, .domain = domain };
	int code = CHAIN_DONE, r;
	size_t i;

	if (!postfix && !virtual && !passwd)
		return -1;
	r = postfix ? read_postfix(&m, text, n, add_owners) : virtual ? read_postfix(&m, text, n, add_receivers) :
	    read_accounts(&m, text, n, senders);
	if (r == 0 && virtual && j->bad == 0)
		r = follow(&m);
	if (r < 0 || (j->bad == 0 && print(&m) < 0)) {
		fprintf(stderr, "msa-table: %s\n", strerror(errno));
		code = CHAIN_LATER;
	} else if (j->bad > 0)
		code = CHAIN_MISUSE;
	for (i = 0; i < m.n; i++) {
		free(m.pair[i].key);
		free(m.pair[i].item);
	}
	free(m.pair);
	return code;
}
