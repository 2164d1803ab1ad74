/* ISC licence, see LICENSE. */
#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/addrlist.h"
#include "mail/header.h"
#include "step.h"

enum {
	ARGS_MAX = 3,
	NAME_ROOM = 1024, /* for the name of a user; a longer one has no answer */
};

/* The addresses of a message that are looked up. */
enum about {
	ABOUT_USER,       /* the user, or the peer; and the password */
	ABOUT_AUTHORS,    /* the user with each: the sender, those of From and of Sender */
	ABOUT_WRITTEN,    /* the user with each: the recipients */
	ABOUT_ADDRESSES,  /* each: the sender and the recipients */
	ABOUT_RECIPIENTS, /* the sender with each, and the user */
};

/* The stages that answer: the option that asks, the one that names the table, and those that the first takes too. */
static const struct query {
	const char *name, *ask;
	char table;
	const char *keep;
	enum about about;
} queries[] = {
	{ "copy", "-q", 't', "", ABOUT_RECIPIENTS },
	{ "limit", "-q", 'd', "artw", ABOUT_USER },
	{ "rewrite", "-q", 't', "cdr", ABOUT_ADDRESSES },
	{ "rights", "-q", 's', "", ABOUT_AUTHORS },
	{ "rights", "-Q", 't', "m", ABOUT_WRITTEN },
};

/* What is asked, and what was printed: each line once. */
struct asking {
	const struct say *say;
	const struct words *words;
	const struct query *query;
	struct buf said;
};

/* Run "NAME -q TABLE OPTIONS ARGS", or with another option that asks. Returns 0 with the answer appended, or -1. */
static int
run(const struct words *w, const char *ask, const char *table, const char *keep, const char *const args[ARGS_MAX],
    struct buf *answer)
{
	char **argv = calloc(2 * w->noptions + ARGS_MAX + 4, sizeof *argv), letter[WORDS_OPTIONS][3];
	size_t i, n = 0;
	int code = -1;

	if (!argv || !table) {
		free(argv);
		return -1;
	}
	argv[n++] = (char *)w->path;
	argv[n++] = (char *)ask;
	argv[n++] = (char *)table;
	for (i = 0; i < w->noptions; i++) {
		if (!strchr(keep, w->option[i].letter))
			continue;
		snprintf(letter[i], sizeof letter[i], "-%c", w->option[i].letter);
		argv[n++] = letter[i];
		argv[n++] = (char *)w->option[i].value;
	}
	for (i = 0; i < ARGS_MAX && args[i]; i++)
		argv[n++] = (char *)args[i];
	code = step_ask(argv, answer);
	free(argv);
	return code < 0 || answer->len == 0 ? -1 : 0;
}

/* Returns true if the line was printed before. Otherwise it counts as printed from now on. */
static bool
is_said(struct asking *a, const char *line)
{
	size_t n = strlen(line), at;

	for (at = 0; at < a->said.len; at += strlen(a->said.p + at) + 1)
		if (strcmp(a->said.p + at, line) == 0)
			return true;
	buf_add(&a->said, line, n + 1); /* without memory it may be printed twice */
	return false;
}

static void
ask_for(struct asking *a, const char *first, const char *second, const char *third)
{
	const char *const args[ARGS_MAX] = { first, second, third };
	struct buf answer = { 0 };
	char *line, *end;

	if (run(a->words, a->query->ask, words_option(a->words, a->query->table), a->query->keep, args, &answer) == 0)
		for (line = answer.p; *line; line = end) {
			end = line + strcspn(line, "\n");
			if (*end)
				*end++ = '\0';
			if (*line && !is_said(a, line))
				say_line(a->say, "Table: %s", line);
		}
	buf_free(&answer);
}

/* Ask for each address of the fields that show an author. */
static void
ask_for_authors(struct asking *a, const struct call *call, const char *user)
{
	struct header h = { .crlf = false };
	struct addrlist_item m;
	struct addrlist list;
	struct field f;
	struct addr one;
	size_t pos = 0;

	if (header_read(&h, call->in, HEADER_MAX) == HEADER_OK)
		while (header_next(h.text.p, h.text.len, &pos, &f) > 0) {
			if (f.id != FIELD_FROM && f.id != FIELD_SENDER)
				continue;
			addrlist_begin(&list, h.text.p, f.value, f.end);
			while (addrlist_next(&list, &m) == ADDRLIST_BOX)
				if (addrlist_addr(h.text.p, &m, &one) == 0 && one.has_domain)
					ask_for(a, user, one.text, NULL);
		}
	header_free(&h);
}

/* The address of a line; "" where an earlier stage has refused the recipient. */
static void
address_of(const struct envelope_line *l, struct addr *a)
{
	*a = (struct addr){ .len = 0 };
	if (l->path && l->path_len < sizeof a->text) {
		memcpy(a->text, l->path, l->path_len);
		a->len = l->path_len;
	}
}

/* The user as rights and limit are asked: with the label of the password, if that is known. */
static void
name_of(const struct facts *f, const char *user, char name[NAME_ROOM])
{
	const char *label = facts_get(f, "SMTPAUTHLABEL");

	snprintf(name, NAME_ROOM, "%s%s%s", user ? user : "-", user && label && *label ? "/" : "", user && label ? label : "");
}

/* Ask for each recipient. */
static void
ask_for_recipients(struct asking *a, const struct envelope *e, const char *user, const char *name, const char *from)
{
	struct addr to;
	size_t i;

	for (i = 0; i < e->nrcpt; i++) {
		address_of(&e->rcpt[i], &to);
		if (to.len == 0)
			continue;
		if (a->query->about == ABOUT_ADDRESSES)
			ask_for(a, to.text, NULL, NULL);
		else if (a->query->about == ABOUT_WRITTEN)
			ask_for(a, name, to.text, NULL);
		else
			ask_for(a, from, to.text, user);
	}
}

static void
ask_all(struct asking *a, const struct call *call, const struct envelope *e)
{
	const char *user = facts_get(&call->facts, "SMTPAUTHUSER"), *ip = facts_get(&call->facts, "TCPREMOTEIP");
	char peer[64], name[NAME_ROOM];
	struct addr from;

	if (user && !*user)
		user = NULL;
	name_of(&call->facts, user, name);
	address_of(&e->mail, &from);
	if (a->query->about == ABOUT_USER) {
		snprintf(peer, sizeof peer, "=%s", ip ? ip : "-");
		if (user || !strchr(peer, ':')) /* an IPv6 peer is counted by its network */
			ask_for(a, user ? user : peer, NULL, NULL);
		if (user && strcmp(name, user) != 0)
			ask_for(a, name, NULL, NULL);
		return;
	}
	if (a->query->about == ABOUT_AUTHORS) {
		ask_for(a, name, from.text, NULL);
		ask_for_authors(a, call, name);
		return;
	}
	if (a->query->about == ABOUT_ADDRESSES && from.len > 0)
		ask_for(a, from.text, NULL, NULL);
	ask_for_recipients(a, e, user, name, from.text);
}

void
query_table(const struct say *s, const struct words *w, const struct call *call, const struct envelope *e)
{
	struct asking a = { .say = s, .words = w };
	size_t i;

	for (i = 0; w->is_ours && i < sizeof queries / sizeof *queries; i++)
		if (strcmp(queries[i].name, w->name) == 0 && words_option(w, queries[i].table)) {
			a.query = &queries[i];
			ask_all(&a, call, e);
		}
	buf_free(&a.said);
}

int
query_route(const struct words *w, const char *sender, const char *rcpt, const char *user, struct buf *answer)
{
	const char *const args[ARGS_MAX] = { sender, rcpt, user };
	char *lf;

	if (run(w, "-q", words_option(w, 't'), "d", args, answer) < 0)
		return -1;
	lf = strchr(answer->p, '\n');
	if (lf)
		*lf = '\0';
	return 0;
}
