/* ISC licence, see LICENSE. */
#include "branch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msa/msgfile.h"
#include "query.h"
#include "smtp/addr.h"

/* A chain that recipients go to. */
struct way {
	char *argv[3];    /* the words, kept by the walk; none: the default chain */
	size_t *line;     /* owned; n of the envelope's lines */
	size_t n, nrcpt;  /* nrcpt of them are recipients, and stand first; the others are copies */
};

struct branch {
	struct walk *walk;
	const struct say *say;
	const struct words *words;
	struct call *call;
	const struct envelope *envelope;
	struct answers *answers;
	struct way *way; /* owned; room for one per line */
	size_t ways;
	const char **why;
};

static const char by_default[] = "the default chain, by ", by_resident[] = "the resident at ",
                  by_program[] = "the program ";

/* Returns the way with these words, made if it is new; or NULL with errno set (ENOMEM). */
static struct way *
find_way(struct branch *b, const char *first, const char *path)
{
	struct way *way;
	size_t i;

	for (i = 0; i < b->ways; i++) {
		way = &b->way[i];
		if (first ? way->argv[0] && strcmp(way->argv[0], first) == 0 &&
		        (!path || (way->argv[1] && strcmp(way->argv[1], path) == 0)) : !way->argv[0])
			return way;
	}
	way = &b->way[b->ways];
	way->argv[0] = first ? walk_keep(b->walk, strdup(first)) : NULL;
	way->argv[1] = path ? walk_keep(b->walk, strdup(path)) : NULL;
	if ((first && !way->argv[0]) || (path && !way->argv[1]))
		return NULL;
	b->ways++;
	return way;
}

/* Read what route says of a recipient, after the address. Returns the way, or NULL if route names no way. */
static struct way *
read_answer(struct branch *b, char *text)
{
	char *by = NULL, *at;

	if (strncmp(text, by_default, strlen(by_default)) == 0)
		return find_way(b, NULL, NULL);
	for (at = text; (at = strstr(at, ", by ")); at++)
		by = at;
	if (!by)
		return NULL;
	*by = '\0';
	at = strstr(text, " (451: "); /* nothing is there: only the recipients of this chain get that */
	if (at)
		*at = '\0';
	if (strncmp(text, by_resident, strlen(by_resident)) == 0)
		return find_way(b, "call", text + strlen(by_resident));
	return strncmp(text, by_program, strlen(by_program)) == 0 ? find_way(b, text + strlen(by_program), NULL) : NULL;
}

static int
add_line(struct way *way, size_t i, bool is_rcpt)
{
	size_t *grown = realloc(way->line, (way->n + 1) * sizeof *grown);

	if (!grown)
		return -1;
	way->line = grown;
	way->line[way->n++] = i;
	way->nrcpt += is_rcpt;
	return 0;
}

/* Find the way of a line. Returns 0, or -1 with errno set (ENOMEM). */
static int
sort_line(struct branch *b, size_t i)
{
	const struct envelope_line *l = &b->envelope->rcpt[i];
	const struct envelope_line *mail = &b->envelope->mail;
	char to[ADDR_MAILBOX_MAX + 1], from[ADDR_MAILBOX_MAX + 1];
	struct buf answer = { 0 };
	struct way *way = NULL;
	int r = 0;

	snprintf(to, sizeof to, "%.*s", (int)l->path_len, l->path);
	snprintf(from, sizeof from, "%.*s", (int)mail->path_len, mail->path);
	if (query_route(b->words, from, to, facts_get(&b->call->facts, "SMTPAUTHUSER"), &answer) == 0) {
		say_line(b->say, "Table: %s", answer.p);
		if (strncmp(answer.p, to, strlen(to)) == 0 && strncmp(answer.p + strlen(to), ": ", 2) == 0)
			way = read_answer(b, answer.p + strlen(to) + 2);
	}
	if (way)
		r = add_line(way, i, l->kind == ENVELOPE_RCPT);
	else if (l->kind == ENVELOPE_RCPT) {
		say_line(b->say, "Has no chain for <%s>.", to);
		r = reply_set(&b->answers->verdict.reply[i], REPLY_LOCAL_ERROR, NULL);
		b->answers->by[i] = b->words->name;
	}
	buf_free(&answer);
	return r;
}

/* Sort all lines; a recipient that an earlier stage has refused keeps its reply. Returns as sort_line. */
static int
sort_all(struct branch *b)
{
	const char *text;
	size_t i, len;
	int code, r = 0;
	bool last;

	for (i = 0; r == 0 && i < b->envelope->nrcpt + b->envelope->ncopy; i++) {
		const struct envelope_line *l = &b->envelope->rcpt[i];

		if (l->kind != ENVELOPE_REPLY)
			r = sort_line(b, i);
		else if (reply_line(l->text, strlen(l->text), &code, &last, &text, &len))
			r = reply_take(&b->answers->verdict.reply[i], code, text, len);
	}
	return r;
}

/*
 * Returns true if nothing would be sent: a recipient was refused, or has no chain, and results must not differ. Then
 * that reply becomes the reply of all who have none.
 */
static bool
is_over(struct branch *b)
{
	struct verdict *v = &b->answers->verdict;
	const struct reply_foreign *worst;
	struct reply_foreign all;
	bool mixed;
	size_t i;

	worst = verdict_reduce(v, &mixed);
	if (!worst || facts_get(&b->call->facts, "MSA_PARTIAL"))
		return false;
	say_line(b->say, "A recipient is refused, so no recipient would get the message.");
	if (reply_copy(&all, worst) == 0)
		for (i = 0; i < v->n; i++)
			if (v->reply[i].code == 0) {
				reply_copy(&v->reply[i], &all);
				b->answers->by[i] = b->words->name;
			}
	reply_foreign_free(&all);
	return true;
}

/* Make the envelope of a way. Where no recipient goes, a copy goes as a recipient. Returns -1 with errno set, or it. */
static int
write_envelope(const struct branch *b, const struct way *way)
{
	struct buf text = { 0 };
	int fd = -1, r = buf_printf(&text, "%s\n", b->envelope->mail.text);
	size_t i;

	for (i = 0; r == 0 && i < way->n; i++) {
		const char *line = b->envelope->rcpt[way->line[i]].text;

		r = way->nrcpt > 0 ? buf_printf(&text, "%s\n", line) : buf_printf(&text, "RCPT%s\n", line + strlen("COPY"));
	}
	if (r == 0)
		fd = msgfile_of(text.p, text.len);
	buf_free(&text);
	return fd;
}

/* Walk through the chain of a way. Returns 0, or -1 with errno set. */
static int
walk_way(struct branch *b, struct way *way, char **argv)
{
	size_t n = way->nrcpt > 0 ? way->nrcpt : way->n, i;
	struct call call = { .kind = CALL_MESSAGE, .in = b->call->in, .out = -1, .envelope = write_envelope(b, way),
		.stop = -1, .log = b->call->log };
	struct answers a = { .by = NULL };
	char rcpts[24], shown[SAY_TEXT];
	int r = -1;

	snprintf(rcpts, sizeof rcpts, "%zu", n);
	if (way->argv[0])
		say_title(b->say, "%s, to %s%s", b->words->name, way->argv[1] ? "the resident at " : "the program ",
		    say_text(shown, way->argv[1] ? way->argv[1] : way->argv[0],
		        strlen(way->argv[1] ? way->argv[1] : way->argv[0])));
	else
		say_title(b->say, "%s, to the default chain", b->words->name);
	if (call.envelope >= 0 && facts_copy(&call.facts, &b->call->facts) == 0 &&
	    facts_set(&call.facts, "MSA_RCPTS", rcpts) == 0 && answers_open(&a, n) == 0)
		r = walk_chain(b->walk, b->say->depth + 1, argv, &call, &a, b->why);
	for (i = 0; r == 0 && i < way->nrcpt; i++) {
		b->answers->verdict.reply[way->line[i]] = a.verdict.reply[i];
		a.verdict.reply[i] = (struct reply_foreign){ 0 };
		b->answers->by[way->line[i]] = a.by[i];
	}
	answers_free(&a);
	call_forget_envelope(&call);
	facts_free(&call.facts);
	if (call.envelope >= 0)
		close(call.envelope);
	return r;
}

static int
walk_ways(struct branch *b)
{
	char **rest = b->words->argv + b->words->own;
	size_t i;
	int r = 0;

	if (b->ways == 1 && !b->way[0].argv[0] && b->way[0].n == b->envelope->nrcpt + b->envelope->ncopy && *rest) {
		say_line(b->say, "Hands the message on as it is.");
		return walk_chain(b->walk, b->say->depth, rest, b->call, b->answers, b->why);
	}
	for (i = 0; r == 0 && i < b->ways; i++)
		r = walk_way(b, &b->way[i], b->way[i].argv[0] ? b->way[i].argv : rest);
	return r;
}

int
branch_walk(struct walk *w, const struct say *s, const struct words *words, struct call *call, const struct envelope *e,
    struct answers *a, const char **why)
{
	struct branch b = { w, s, words, call, e, a, calloc(e->nrcpt + e->ncopy, sizeof *b.way), 0, why };
	size_t i;
	int r = -1;

	if (b.way && sort_all(&b) == 0)
		r = is_over(&b) ? 0 : walk_ways(&b);
	for (i = 0; i < b.ways; i++)
		free(b.way[i].line);
	free(b.way);
	return r;
}
