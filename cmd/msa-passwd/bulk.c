/* ISC licence, see LICENSE. */
#include "bulk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/username.h"
#include "value.h"

enum { PART = 65536 }; /* octets that are read at once */

/*
 * A line of the list. credential NULL: the user is locked, if label is "!", or has nothing, if it is "-".
 */
struct line {
	char *name, *label, *credential; /* parts of the text */
	size_t number;
};

struct list {
	struct buf text;
	struct line *v;
	size_t n, cap;
	size_t errors;
};


static void
wrong(struct list *l, size_t number, const char *what)
{
	if (l->errors++ < BULK_ERRORS)
		fprintf(stderr, "msa-passwd: line %zu: %s\n", number, what);
}

/* Read all of fd. Returns 0, or -1 with errno set (EFBIG: more than BULK_MAX). */
static int
slurp(int fd, struct buf *b)
{
	ssize_t r;

	do {
		if (b->len > BULK_MAX) {
			errno = EFBIG;
			return -1;
		}
		if (buf_room(b, PART) < 0)
			return -1;
		r = read(fd, b->p + b->len, PART);
		if (r > 0)
			b->len += (size_t)r;
	} while (r > 0 || (r < 0 && errno == EINTR));
	return r < 0 || buf_add(b, "", 1) < 0 ? -1 : 0; /* with a NUL at the end */
}

/* Returns the next field of *s, which ends with the character, and moves *s after it; *s NULL: it was the last. */
static char *
field(char **s, char end)
{
	char *start = *s, *at = start ? strchr(start, end) : NULL;

	*s = at ? at + 1 : NULL;
	if (at)
		*at = '\0';
	return start;
}

/* Bring a name into the form of a key, in its own place. Returns NULL, or what is wrong. */
static const char *
take_name(char *name)
{
	char whole[USERDB_NAME_MAX + 1];

	if (userdb_name(whole, name, strlen(name)) < 0)
		return "not a user's name";
	if (strlen(whole) > strlen(name))
		return "a name that RFC 4013 makes longer: write it in that form";
	username_fold(name, whole, strlen(whole) + 1);
	return NULL;
}

/* Parse a line of the list in its place. Returns NULL, or what is wrong. */
static const char *
parse(struct line *l, char *s)
{
	static char main_label[] = "main";

	if (*s == '\\') /* so that a name may begin with "#" */
		s++;
	if (strchr(s, '\t')) {
		l->name = field(&s, '\t');
		l->label = field(&s, '\t');
		l->credential = field(&s, '\t');
		if (s)
			return "more than three fields between tabs";
		if (!l->credential && strcmp(l->label, "!") != 0 && strcmp(l->label, "-") != 0)
			return "a label without a credential";
		if (l->credential && !userdb_is_label(l->label))
			return "not a label";
	} else {
		l->name = field(&s, ':');
		l->label = main_label;
		if (!s)
			return "no colon behind the name";
		/* In passwd and shadow more fields follow; a verifier of SCRAM has a colon in it. */
		l->credential = strncmp(s, "SCRAM-", 6) == 0 ? s : field(&s, ':');
	}
	return take_name(l->name);
}

/* Check the credential, and replace it by the one that is stored. Returns NULL, or what is wrong. */
static const char *
take_credential(struct line *l, struct buf *made)
{
	buf_clear(made);
	if (!l->credential)
		return NULL;
	if (userdb_import(made, l->credential) < 0)
		return errno == ENOMEM ? "out of memory" : "not a credential: see msa-passwd(8)";
	if (made->len > strlen(l->credential))
		return "not a credential: see msa-passwd(8)"; /* no form that is stored is longer than one that is taken */
	memcpy(l->credential, made->p, made->len + 1);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : x->number < y->number ? -1 : 1;
}

/* Cut the text into lines. What is wrong with them was printed. Returns 0, or -1 with errno set. */
static int
cut(struct list *l)
{
	char *s = l->text.p, *end = s + l->text.len - 1, *next;
	struct buf made = { 0 };
	const char *what;
	size_t number = 0;

	for (; s < end; s = next) {
		char *lf = memchr(s, '\n', (size_t)(end - s));
		struct line line = { .number = number + 1 };
		size_t n = (size_t)((lf ? lf : end) - s);

		next = s + n + 1;
		number++;
		if (memchr(s, '\0', n)) {
			wrong(l, number, "a NUL");
			continue;
		}
		s[n > 0 && s[n - 1] == '\r' ? n - 1 : n] = '\0';
		if (*s == '\0' || *s == '#')
			continue;
		if (!lf) { /* a list that was cut off could take a user's password away */
			wrong(l, number, "no end of line: the list was cut off");
			continue;
		}
		what = parse(&line, s);
		if (!what)
			what = take_credential(&line, &made);
		if (what) {
			wrong(l, number, what);
			continue;
		}
		if (l->n == l->cap) {
			size_t cap = l->cap ? 2 * l->cap : 1024;
			struct line *v = realloc(l->v, cap * sizeof *v);

			if (!v)
				break;
			l->v = v;
			l->cap = cap;
		}
		l->v[l->n++] = line;
	}
	buf_wipe(&made);
	if (s < end)
		return -1;
	if (l->n > 0)
		qsort(l->v, l->n, sizeof *l->v, compare);
	return 0;
}

/* Returns how many lines from v on, at most n, are about the same user. */
static size_t
same_user(const struct line *v, size_t n)
{
	size_t i = 1;

	while (i < n && strcmp(v[i].name, v->name) == 0)
		i++;
	return i;
}

/* Make the value of the user of these n lines. Returns 0, or -1 with errno set. */
static int
make_value(struct list *l, const struct line *v, size_t n, const struct buf *old, struct buf *value)
{
	struct buf next = { 0 }, was;
	size_t i, k;
	int r = buf_add(value, old->p ? old->p : "", old->len);

	for (i = 0; r == 0 && i < n; i++) {
		for (k = 0; k < i; k++)
			if (strcmp(v[k].label, v[i].label) == 0)
				wrong(l, v[i].number, "the same user and label in an earlier line");
		if (!v[i].credential && *v[i].label == '-')
			continue;
		buf_clear(&next);
		r = v[i].credential ? value_set(&next, value, v[i].label, v[i].credential) : value_lock(&next, value, true);
		was = *value;
		*value = next;
		next = was;
	}
	if (r == 0 && value->len > USERDB_VALUE_MAX)
		wrong(l, v->number, "too many passwords for one user");
	buf_wipe(&next);
	return r;
}

/*
 * Look at the users of the store: count those that go, and find names that differ from one of the list by case only.
 * items: the users of the list, in order. Returns 0, or -1 with errno set.
 */
static int
look_at_store(struct userdb_change *c, struct list *l, const struct userdb_item *items, size_t n, size_t *removed)
{
	char folded[USERDB_NAME_MAX + 1];
	struct buf name = { 0 }, value = { 0 };
	unsigned pos = 0;
	size_t i;
	int r;

	while ((r = userdb_change_next(c, &pos, &name, &value)) == 1) {
		if (userdb_item_find(items, n, name.p))
			continue;
		if (name.len <= USERDB_NAME_MAX) {
			username_fold(folded, name.p, name.len + 1);
			for (i = 0; strcmp(folded, name.p) != 0 && i < l->n; i++)
				if (strcmp(l->v[i].name, folded) == 0) {
					wrong(l, l->v[i].number, "the store has this name with capital letters; delete or change that user first");
					break;
				}
		}
		++*removed;
	}
	buf_wipe(&name);
	buf_wipe(&value);
	return r;
}

/* Fill items and values, one for each user of the list. Returns their number, or -1 with errno set. */
static ssize_t
make_items(struct userdb_change *c, struct list *l, struct userdb_item *items, struct buf *values,
    struct bulk_count *count)
{
	struct buf old = { 0 };
	size_t i, n, users = 0;
	int found = 0;

	for (i = 0; i < l->n && found >= 0; i += n) {
		n = same_user(l->v + i, l->n - i);
		buf_clear(&old);
		found = userdb_change_get(c, l->v[i].name, &old);
		if (found < 0 || make_value(l, l->v + i, n, &old, &values[users]) < 0)
			found = -1;
		else if (found == 0)
			count->added++;
		else if (old.len == values[users].len && (old.len == 0 || memcmp(old.p, values[users].p, old.len) == 0))
			count->same++;
		else
			count->changed++;
		items[users] = (struct userdb_item){ l->v[i].name, &values[users] };
		users++;
	}
	buf_wipe(&old);
	return found < 0 ? -1 : (ssize_t)users;
}

/* Put the lines into the store. Returns as bulk_take. */
static int
put(struct userdb_change *c, struct list *l, bool only, struct bulk_count *count, enum userdb_commit *r)
{
	struct userdb_item *items = calloc(l->n + 1, sizeof *items);
	struct buf *values = calloc(l->n + 1, sizeof *values);
	ssize_t users = items && values ? make_items(c, l, items, values, count) : -1;
	size_t i, others = 0;
	int result = users < 0 || look_at_store(c, l, items, (size_t)users, &others) < 0 ? -1 : l->errors > 0;

	count->removed = only ? others : 0;
	if (result == 0 && (!c->exists || count->added + count->changed + count->removed > 0)) {
		*r = userdb_change_commit(c, items, (size_t)users, only, 0);
		if (*r == USERDB_COMMIT_FAILED)
			result = -1;
	}
	for (i = 0; values && i < l->n; i++)
		buf_wipe(&values[i]);
	free(values);
	free(items);
	return result;
}

int
bulk_take(struct userdb_change *c, int fd, bool only, struct bulk_count *count, enum userdb_commit *r)
{
	struct list l = { .n = 0 };
	int result = slurp(fd, &l.text) < 0 || cut(&l) < 0 ? -1 : 0, e;

	*count = (struct bulk_count){ 0 };
	*r = USERDB_COMMIT_DONE;
	if (result == 0 && l.n == 0 && l.errors == 0)
		wrong(&l, 0, "the list is empty");
	if (result == 0 && l.errors == 0)
		result = put(c, &l, only, count, r);
	e = errno;
	if (result >= 0 && l.errors > BULK_ERRORS)
		fprintf(stderr, "msa-passwd: %zu more errors\n", l.errors - BULK_ERRORS);
	if (result == 0 && l.errors > 0)
		result = 1;
	free(l.v);
	buf_wipe(&l.text);
	errno = e;
	return result;
}

int
bulk_print(struct userdb_change *c)
{
	struct buf name = { 0 }, value = { 0 };
	unsigned pos = 0;
	int r;

	while ((r = userdb_change_next(c, &pos, &name, &value)) == 1) {
		const char *line, *colon, *escape = *name.p == '#' || *name.p == '\\' ? "\\" : "";
		size_t at = 0, n;

		if (value.len == 0)
			printf("%s%s\t-\n", escape, name.p);
		while ((line = value_line(&value, &at, &n)))
			if (*line == '!')
				printf("%s%s\t!\n", escape, name.p);
			else if ((colon = memchr(line, ':', n)))
				printf("%s%s\t%.*s\t%.*s\n", escape, name.p, (int)(colon - line), line,
				    (int)(n - (size_t)(colon - line) - 1), colon + 1);
	}
	buf_wipe(&name);
	buf_wipe(&value);
	return r < 0 || fflush(stdout) != 0 ? -1 : 0;
}
