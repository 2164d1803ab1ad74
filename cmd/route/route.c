/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "base/table.h"
#include "chain/limits.h"
#include "msa/msgfile.h"
#include "routes.h"
#include "smtp/addr.h"
#include "stage/instance.h"
#include "stage/run.h"
#include "stage/spawn.h"

enum {
	SHOWN = 64,       /* octets shown of an invalid value of the table */
	WIDE = 16,        /* chains that run side by side; the next 16 start when these have ended */
};

struct conf {
	struct table table;
	const char *table_path;
	const char *directory; /* NULL: none */
};

/* A chain that this message goes to, and its part of the envelope. */
struct way {
	char *name;       /* the table's value, owned; "": the default chain */
	char *words[2];   /* the program or the resident's path, and NULL; not for the default chain */
	struct next next; /* what is run; not for the default chain */
	struct buf path;
	size_t *line;     /* owned; n indices into the envelope: of recipients, or of copies if only_copies */
	size_t n;
	struct buf copies; /* the COPY lines that go with the recipients */
	bool only_copies;  /* no recipient goes this way */
	int message, envelope;
	struct run run;
};

struct work {
	struct call *call;
	const struct conf *conf;
	const struct envelope *envelope;
	struct sender sender;
	struct reply_foreign *reply; /* owned, one for each recipient; code 0: none yet */
	struct way *way;             /* owned */
	size_t ways;
	bool lost; /* the way of some line is unknown */
	int64_t start_ms, deadline_ms;
};

/*
 * Set what runs a way: the resident at the path that is its name; or what has that name in the directory, a resident's
 * socket or a program. Returns 0, or -1 with errno set (EINVAL: neither; ENOMEM).
 */
static int
find_program(struct way *w, const struct conf *conf)
{
	struct stat st;
	bool call = *w->name == '/';

	if (!call) {
		if (!conf->directory || !routes_is_chain(w->name, strlen(w->name))) {
			errno = EINVAL;
			return -1;
		}
		if (buf_printf(&w->path, "%s/%s", conf->directory, w->name) < 0)
			return -1;
		call = stat(w->path.p, &st) == 0 && S_ISSOCK(st.st_mode);
	}
	w->words[0] = w->path.p ? w->path.p : w->name;
	w->next = (struct next){ .how = call ? NEXT_CALL : NEXT_EXEC, .argv = w->words, .path = w->words[0] };
	return 0;
}

/* Returns what runs a way; a way without a name is the default chain. */
static const struct next *
next_of(const struct work *w, const struct way *way)
{
	return *way->name ? &way->next : w->call->next;
}

/* Returns the way with this name of n octets, made if new; or NULL with errno set (ENOMEM; EINVAL: invalid name). */
static struct way *
find_way(struct work *w, const char *name, size_t n)
{
	struct way *way;
	size_t i;

	for (i = 0; i < w->ways; i++)
		if (strlen(w->way[i].name) == n && memcmp(w->way[i].name, name, n) == 0)
			return &w->way[i];
	if (memchr(name, '\0', n)) {
		errno = EINVAL;
		return NULL;
	}
	way = &w->way[w->ways]; /* there is room for one way per line */
	way->message = way->envelope = -1;
	way->name = strndup(name, n);
	if (way->name && (!*way->name || find_program(way, w->conf) == 0)) {
		w->ways++;
		return way;
	}
	free(way->name);
	way->name = NULL;
	return NULL;
}

/* Returns the way of a line, by its address or else by the sender, or the default way; NULL with the reason logged. */
static struct way *
look_up(struct work *w, const struct envelope_line *l)
{
	struct table *t = (struct table *)&w->conf->table; /* a look-up moves a cursor in it */
	struct addrtable_record route;
	struct way *way;

	if (routes_find(t, l->path, l->path_len, &w->sender, &route) < 0) {
		log_error(&w->call->log, "failed", "%s:", w->conf->table_path);
		w->lost = true;
		return NULL;
	}
	way = find_way(w, route.value, route.len);
	if (!way && errno == EINVAL)
		log_error(&w->call->log, "misuse", "%s: %.*s: " ROUTES_ITEM, w->conf->table_path,
		    (int)(route.len < SHOWN ? route.len : SHOWN), route.value);
	else if (!way)
		log_error(&w->call->log, "failed", "table:");
	w->lost |= !way;
	return way;
}

static int
add_line(struct way *way, size_t i)
{
	size_t *grown = realloc(way->line, (way->n + 1) * sizeof *grown);

	if (!grown)
		return -1;
	way->line = grown;
	way->line[way->n++] = i;
	return 0;
}

/* Add every recipient to its way. One that an earlier stage refused keeps its reply. Returns 0, or -1: no memory. */
static int
sort_recipients(struct work *w)
{
	size_t i, len;
	const char *text;
	int code;
	bool last;

	for (i = 0; i < w->envelope->nrcpt; i++) {
		const struct envelope_line *l = &w->envelope->rcpt[i];
		struct way *way;

		if (l->kind == ENVELOPE_REPLY) {
			reply_line(l->text, strlen(l->text), &code, &last, &text, &len); /* the envelope was checked */
			if (reply_take(&w->reply[i], code, text, len) < 0)
				return -1;
			continue;
		}
		way = look_up(w, l);
		if ((way ? add_line(way, i) : reply_set(&w->reply[i], REPLY_LOCAL_ERROR, NULL)) < 0)
			return -1;
	}
	return 0;
}

/* Add every copy to its way. Where no recipient goes, a copy goes as a recipient whose reply is only logged. */
static int
sort_copies(struct work *w)
{
	size_t i;

	for (i = w->envelope->nrcpt; i < w->envelope->nrcpt + w->envelope->ncopy; i++) {
		const struct envelope_line *l = &w->envelope->rcpt[i];
		struct way *way = look_up(w, l);

		if (!way)
			continue;
		if (way->n == 0)
			way->only_copies = true;
		if ((way->only_copies ? add_line(way, i) : buf_printf(&way->copies, "%s\n", l->text)) < 0)
			return -1;
	}
	return 0;
}

/* Returns a way's own envelope as a file, or -1 with errno set. */
static int
write_envelope(const struct work *w, const struct way *way)
{
	struct buf b = { 0 };
	int fd = -1, r = buf_printf(&b, "%s\n", w->envelope->mail.text);
	size_t i;

	for (i = 0; r == 0 && i < way->n; i++) {
		const char *line = w->envelope->rcpt[way->line[i]].text;

		r = way->only_copies ? buf_printf(&b, "RCPT%s\n", line + strlen("COPY")) : buf_printf(&b, "%s\n", line);
	}
	if (r == 0 && buf_add(&b, way->copies.p, way->copies.len) == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

/* Returns the message as a descriptor with an offset of its own, or -1 with errno set. */
static int
own_message(int fd)
{
	struct msgfile m = { 0 };
	int own = os_reopen(fd);

	if (own >= 0)
		return own;
	if (msgfile_add_file(&m, fd, 0, file_size(fd)) == 0)
		own = msgfile_finish(&m);
	msgfile_free(&m);
	return own;
}

static void
start(struct work *w, struct way *way)
{
	char rcpts[24];

	snprintf(rcpts, sizeof rcpts, "%zu", way->n);
	way->run = (struct run){ .next = next_of(w, way), .pid = -1, .fd = -1, .why = "no files" };
	way->message = own_message(w->call->in);
	way->envelope = write_envelope(w, way);
	if (way->message < 0 || way->envelope < 0 || facts_set(&w->call->facts, "MSA_RCPTS", rcpts) < 0) {
		log_error(&w->call->log, "failed", "message:");
		verdict_open(&way->run.verdict, way->n);
	} else
		run_start(&way->run, w->call, next_of(w, way), way->message, way->envelope, way->n, w->deadline_ms);
	if (way->message >= 0)
		close(way->message);
	if (way->envelope >= 0)
		close(way->envelope);
}

static void
log_copy(const struct work *w, size_t i, const struct reply_foreign *r)
{
	const struct envelope_line *l = &w->envelope->rcpt[i];
	char code[12], rcpt[ADDR_MAILBOX_MAX + 1];

	snprintf(code, sizeof code, "%d", r->code);
	snprintf(rcpt, sizeof rcpt, "%.*s", (int)l->path_len, l->path);
	log_event(&w->call->log, "copy", "rcpt", rcpt, "code", code, "reason", r->text, (char *)NULL);
}

/* Take a way's verdict, and give each recipient its reply. Returns 0, or -1 with errno set (ENOMEM). */
static int
finish(struct work *w, struct way *way)
{
	struct verdict v = { 0 };
	size_t i;

	if (run_finish(&way->run, w->call, &v) < 0)
		return -1;
	for (i = 0; i < way->n; i++)
		if (way->only_copies)
			log_copy(w, way->line[i], &v.reply[i]);
		else {
			w->reply[way->line[i]] = v.reply[i];
			v.reply[i] = (struct reply_foreign){ 0 };
		}
	verdict_free(&v);
	return 0;
}

static int
run(struct work *w)
{
	size_t first, i, end;
	int r = 0;

	spawn_reap();
	if (call_set_deadline(w->call, w->deadline_ms) < 0)
		return -1;
	for (first = 0; first < w->ways; first = end) {
		end = w->ways - first > WIDE ? first + WIDE : w->ways;
		for (i = first; i < end; i++)
			start(w, &w->way[i]);
		for (i = first; i < end; i++)
			r |= finish(w, &w->way[i]);
	}
	return r;
}

/* Answer with the replies in the envelope's order. Returns the exit code. */
static int
answer(struct work *w)
{
	struct verdict v = { .reply = w->reply, .n = w->envelope->nrcpt };
	char chains[24], rcpts[24], accepted[24], code[12], ms[24];
	const struct reply_foreign *worst;
	size_t i, yes = 0;
	bool mixed;

	worst = verdict_reduce(&v, &mixed);
	for (i = 0; i < v.n; i++)
		yes += v.reply[i].code < 300;
	snprintf(chains, sizeof chains, "%zu", w->ways);
	snprintf(rcpts, sizeof rcpts, "%zu", v.n);
	snprintf(accepted, sizeof accepted, "%zu", yes);
	snprintf(code, sizeof code, "%d", worst ? worst->code : 250);
	snprintf(ms, sizeof ms, "%lld", (long long)(clock_ms() - w->start_ms));
	log_event(&w->call->log, "done", "chains", chains, "rcpts", rcpts, "accepted", accepted, "code", code, "ms", ms,
	    (char *)NULL);
	w->reply = NULL; /* the verdict has them */
	return call_answer(w->call, &v);
}

/*
 * Returns true if nothing is to be sent: every recipient has a reply; or one was refused before the data and the caller
 * does not accept different results. Then that refusal becomes the reply of all who have none.
 */
static bool
is_over(struct work *w)
{
	struct verdict v = { .reply = w->reply };
	struct reply_foreign all = { 0 };
	const struct reply_foreign *worst;
	bool mixed, open = false;
	size_t i;

	for (i = 0; i < w->envelope->nrcpt; i++)
		open |= w->reply[i].code == 0;
	v.n = w->envelope->nrcpt;
	worst = verdict_reduce(&v, &mixed); /* NULL, or a refusal: a missing reply (code 0) counts as accepted here */
	if (open && (!worst || facts_get(&w->call->facts, "MSA_PARTIAL")))
		return false;
	if (worst)
		reply_copy(&all, worst);
	for (i = 0; i < v.n; i++)
		if (w->reply[i].code == 0)
			reply_copy(&w->reply[i], &all);
	reply_foreign_free(&all);
	return true;
}

static int
serve_envelope(struct work *w)
{
	size_t n = w->envelope->nrcpt + w->envelope->ncopy;

	w->reply = calloc(n, sizeof *w->reply);
	w->way = calloc(n, sizeof *w->way);
	if (!w->reply || !w->way || sort_recipients(w) < 0 || sort_copies(w) < 0)
		return -1;
	if (is_over(w))
		return answer(w);
	if (w->ways == 1 && !w->way[0].only_copies && !w->lost) { /* the whole message goes one way, as it is */
		log_event(&w->call->log, "done", "chain", *w->way[0].name ? w->way[0].name : NULL, (char *)NULL);
		return call_next_to(w->call, next_of(w, &w->way[0]));
	}
	return run(w) < 0 ? -1 : answer(w);
}

static void
release_work(struct work *w)
{
	size_t i;

	for (i = 0; w->reply && i < w->envelope->nrcpt; i++)
		reply_foreign_free(&w->reply[i]);
	for (i = 0; i < w->ways; i++) {
		free(w->way[i].name);
		free(w->way[i].line);
		buf_free(&w->way[i].path);
		buf_free(&w->way[i].copies);
	}
	free(w->reply);
	free(w->way);
}

static int
serve(struct call *call, void *arg)
{
	struct work w = { .call = call, .conf = arg, .envelope = call_envelope(call), .start_ms = clock_ms() };
	int r;

	if (!w.envelope)
		return call_failed(call, NULL);
	w.sender = (struct sender){ w.envelope->mail.path, w.envelope->mail.path_len, call_fact(call, "SMTPAUTHUSER") };
	w.deadline_ms = call_own_deadline(call);
	r = serve_envelope(&w);
	if (r < 0) {
		errno = ENOMEM;
		r = call_failed(call, "verdict");
	}
	release_work(&w);
	return r;
}

/* SIGHUP: open the table anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	struct table t;

	if (table_open(&t, conf->table_path) < 0) {
		log_error(log, "failed", "%s: %s", conf->table_path, table_why(errno));
		return -1;
	}
	table_close(&conf->table);
	conf->table = t;
	return 0;
}

/* Print where a recipient goes, as look_up finds it, and by which key of the table. Returns the exit code. */
static int
print_way(struct conf *conf, const char *to, const struct sender *sender)
{
	struct way way = { .name = NULL };
	struct addrtable_record route;
	const char *kind;
	int code = CHAIN_DONE;

	if (routes_find(&conf->table, to, strlen(to), sender, &route) < 0) {
		fprintf(stderr, "route: %s: %s\n", conf->table_path, table_why(errno));
		return CHAIN_LATER;
	}
	way.name = strndup(route.value, route.len);
	if (!way.name)
		code = CHAIN_LATER;
	else if (!*way.name)
		printf("%s: the default chain", to);
	else if (conf->directory || *way.name == '/') {
		if (strlen(way.name) != route.len || find_program(&way, conf) < 0 || access(*way.words, F_OK) < 0)
			code = CHAIN_LATER;
		kind = way.next.how == NEXT_CALL ? "the resident at " : "the program ";
		printf("%s: %s%s", to, way.next.path ? kind : "", way.next.path ? way.next.path : way.name);
		if (code != CHAIN_DONE)
			printf(" (451: %s)", way.next.path ? strerror(errno) : ROUTES_ITEM);
	} else
		printf("%s: %s in the directory of -d", to, way.name);
	printf(", by %s\n", *route.key ? route.key : "no key of the table");
	free(way.name);
	buf_free(&way.path);
	return code;
}

/* -q: sender recipient [user]. Returns the exit code. */
static int
query(const struct instance *i)
{
	struct addr from, to;
	const char *path = i->words[0];
	struct sender sender;

	if (*path && addr_mailbox(path, strlen(path), &from) < 0) {
		fprintf(stderr, "route: %s: not an address\n", path);
		return CHAIN_MISUSE;
	}
	if (addr_mailbox(i->words[1], strlen(i->words[1]), &to) < 0) {
		fprintf(stderr, "route: %s: not an address\n", i->words[1]);
		return CHAIN_MISUSE;
	}
	sender = (struct sender){ *path ? from.text : "", *path ? from.len : 0, i->nwords > 2 ? i->words[2] : NULL };
	return print_way(i->conf, to.text, &sender);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;

	if (letter == 'd') {
		conf->directory = value;
		return 0;
	}
	conf->table_path = value;
	if (letter == 'q')
		i->instead = query;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (!conf->table_path || (i->instead && i->nwords != 2 && i->nwords != 3))
		return -1;
	if (table_open(&conf->table, conf->table_path) < 0)
		return stage_wrong(i, conf->table_path, "%s", table_why(errno));
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	if (((const struct conf *)arg)->directory)
		stage_starts(c);
	else
		stage_connects(c, 0); /* a value of the table is a resident's path */
}

/* The words of the default chain are examined after ours; those in the table are chains of their own. */
static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	struct table *t = (struct table *)&conf->table; /* a look-up moves a cursor in it */
	struct way way;
	unsigned pos;
	char *words[3] = { NULL };
	const char *key, *value;
	char label[600];
	int r;

	cdb_seqinit(&pos, &t->cdb);
	while ((r = cdb_seqnext(&pos, &t->cdb)) > 0) {
		key = cdb_getkey(&t->cdb);
		value = cdb_getdata(&t->cdb);
		if (!key || !value || cdb_datalen(&t->cdb) == 0)
			continue;
		way = (struct way){ .name = strndup(value, cdb_datalen(&t->cdb)) };
		snprintf(label, sizeof label, "route: %s: record of %.*s", conf->table_path, (int)cdb_keylen(&t->cdb), key);
		if (!way.name || find_program(&way, conf) < 0)
			stage_found(i, label + strlen("route: "), conf->directory ? "correct it" : "correct it, or give -d",
			    "neither a path nor the name of a program: %s", way.name ? way.name : "");
		else if (way.next.how == NEXT_CALL) {
			words[0] = (char[]){ "call" };
			words[1] = (char *)way.next.path;
			finding_chain(label, words);
		} else
			finding_chain(label, way.next.argv);
		free(way.name);
		buf_free(&way.path);
	}
	if (r < 0)
		stage_found(i, conf->table_path, NULL, "damaged");
}

const struct stage route_stage = {
	.name = "route",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "d:q:t:",
	.usage = "[-d directory] -t table " STAGE_USAGE " prog [arg ...] | -q table [-d directory] sender recipient [user]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.examine = examine,
};
