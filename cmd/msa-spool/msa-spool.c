/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/program.h"
#include "base/user.h"
#include "chain/limits.h"
#include "message.h"

#define complain(...) program_complain("msa-spool", -1, __VA_ARGS__)

enum {
	SECONDS_MAX = 2147483647,
	MESSAGES_MAX = 2147483647,
	TOO_MANY = 1,  /* the exit code of check */
	MANY = 16,     /* messages whose marks are flushed one by one */
	CHUNK = 65536, /* octets of a message that are read at once */
};

struct tally {
	size_t state[STATES], all;
	long long octets, oldest_s; /* oldest_s: of those that are to be tried */
};

struct work {
	const struct command *command;
	struct filter filter;
	bool all;         /* -A */
	bool verbose;     /* -v */
	bool exact;       /* -x */
	long long most;   /* -m; -1: not given */
	const char *path, *to_path;
	struct spool spool, to;
	struct tally tally;
	time_t now;
	bool done;        /* something was done */
	bool failed;      /* with a message on fd 2 */
};

/*
 * A word that follows the program's name. Its function one gets each message that is meant, and returns 0, or -1: not
 * done, with the reason on fd 2; it keeps the state of m up to date. Then finish gets those with which one has
 * succeeded: the first n of l.
 */
struct command {
	const char *word;
	const char *options; /* of its own */
	bool chooses;        /* all messages are meant only with -A */
	char wakes;          /* what the runner is told in the end, or 0 */
	int (*one)(struct work *w, struct message *m);
	int (*finish)(struct work *w, const struct spoollist *l, size_t n); /* or NULL */
	const char *done;    /* printed in place of the state after one has returned 0; NULL: one prints */
};

/* What the usage says after the name. */
static const char usage_words[] = "command [-Avx] [-a answer] [-d to] [-f sender] [-m messages]"
    " [-o seconds] [-r recipient] [-s state] [-u user] directory [id ...]";

static int
usage(void)
{
	fprintf(stderr, "usage: msa-spool %s\n", usage_words);
	return CHAIN_MISUSE;
}

static int
list(struct work *w, struct message *m)
{
	message_print(m, state_name[m->state], w->now);
	if (w->verbose)
		message_print_rcpts(m);
	return 0;
}

static int
count(struct work *w, struct message *m)
{
	long long age_s = w->now - m->m.arrival;

	w->tally.all++;
	w->tally.state[m->state]++;
	w->tally.octets += m->size;
	if ((m->state == STATE_NEW || m->state == STATE_WAITING) && age_s > w->tally.oldest_s)
		w->tally.oldest_s = age_s;
	return 0;
}

/* Print text with each line end as LF and each octet that is not graphic ASCII, a space or a tab as \xHH. */
static void
put_harmless(const char *s, size_t n, bool *cr)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (*cr && s[i] != '\n')
			fputs("\\x0d", stdout);
		*cr = s[i] == '\r';
		if (*cr)
			continue;
		if (s[i] == '\n' || s[i] == '\t' || (s[i] >= ' ' && s[i] <= '~' && s[i] != '\\'))
			putchar(s[i]);
		else
			printf("\\x%02x", (unsigned char)s[i]);
	}
}

/* Print a file of a message, exact or harmless. Returns 0, or -1 with errno set. */
static int
put_file(int fd, bool exact)
{
	off_t at, size = file_size(fd);
	char *b = malloc(CHUNK);
	bool cr = false;
	int r = size < 0 || !b ? -1 : 0, e;

	for (at = 0; r == 0 && at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		r = file_read(fd, b, n, at);
		if (r == 0 && exact)
			fwrite(b, 1, n, stdout);
		else if (r == 0)
			put_harmless(b, n, &cr);
	}
	if (cr)
		fputs("\\x0d", stdout);
	e = errno;
	free(b);
	errno = e;
	return r;
}

static int
show(struct work *w, struct message *m)
{
	static const char *const files[] = { "envelope", "message" };
	const char *sub = spoollist_sub(&m->item);
	size_t i;

	for (i = w->exact; i < 2; i++) {
		int fd = spool_open_file(&w->spool, sub, m->item.id, files[i]);

		if (fd < 0 || put_file(fd, w->exact) < 0)
			return complain("%s:", m->item.id);
		close(fd);
		if (i == 0)
			putchar('\n');
	}
	return 0;
}

/* Set or take away a mark. Returns as a command does. */
static int
mark(struct work *w, const struct message *m, enum spool_mark what, bool wanted)
{
	if ((wanted ? spool_mark : spool_unmark)(&w->spool, m->item.id, what) == 0)
		return 0;
	return complain("%s:", m->item.id);
}

/* If we are killed between the two steps, the former order stands: SPOOL_RETURN is stronger. */
static int
hold(struct work *w, struct message *m)
{
	m->state = STATE_HELD;
	return mark(w, m, SPOOL_HOLD, true) < 0 ? -1 : mark(w, m, SPOOL_RETURN, false);
}

static int
release(struct work *w, struct message *m)
{
	m->state = STATE_WAITING;
	return mark(w, m, SPOOL_HOLD, false);
}

static int
hasten(struct work *w, struct message *m)
{
	if (m->state == STATE_DAMAGED)
		return complain("%s: damaged", m->item.id);
	if (m->state == STATE_HELD)
		return complain("%s: held; release it first", m->item.id);
	m->hastened = true;
	return mark(w, m, SPOOL_TRY, true);
}

/* If we are killed between the two steps, the message is returned. */
static int
give_back(struct work *w, struct message *m)
{
	if (m->state == STATE_DAMAGED)
		return complain("%s: damaged", m->item.id);
	if (m->m.envelope.mail.path_len == 0)
		return complain("%s: from the null reverse-path, so nobody can be told", m->item.id);
	m->state = STATE_RETURNING;
	return mark(w, m, SPOOL_RETURN, true) < 0 ? -1 : mark(w, m, SPOOL_HOLD, false);
}

static int
take_out(struct work *w, struct message *m)
{
	if ((m->item.is_new && spool_take_out(&w->spool, "new", m->item.id) == 0) ||
	    spool_take_out(&w->spool, "cur", m->item.id) == 0)
		return 0;
	return complain("%s:", m->item.id);
}

static int
move(struct work *w, struct message *m)
{
	if (spool_move(&w->spool, spoollist_sub(&m->item), m->item.id, &w->to) == 0)
		return 0;
	return errno == EXDEV ? complain("%s: on another file system; copy the spool first", m->item.id) :
	    complain("%s:", m->item.id);
}

/* The second steps: what was done to the first n messages of l gets onto the disk. Return 0, or -1 with errno set. */
static int
flush_marks(struct work *w, const struct spoollist *l, size_t n)
{
	size_t i;

	if (n > MANY && spool_flush_all(&w->spool) == 0)
		return 0;
	for (i = 0; i < n; i++)
		if (spool_flush(&w->spool, l->v[i].id) < 0 && errno != ENOENT)
			return -1;
	return 0;
}

static int
discard(struct work *w, const struct spoollist *l, size_t n)
{
	size_t i;

	if (n > 0 && spool_flush_folders(&w->spool) < 0)
		return -1;
	for (i = 0; i < n; i++)
		spool_discard(&w->spool, l->v[i].id);
	return 0;
}

static int
flush_both(struct work *w, const struct spoollist *l, size_t n)
{
	(void)l;
	return n > 0 && (spool_flush_folders(&w->to) < 0 || spool_flush_folders(&w->spool) < 0) ? -1 : 0;
}

static const struct command commands[] = {
	{ "list", "v", false, 0, list, NULL, NULL },
	{ "show", "Ax", true, 0, show, NULL, NULL },
	{ "check", "m:", false, 0, count, NULL, NULL },
	{ "try", "A", true, SPOOL_MARKS, hasten, flush_marks, "due" },
	{ "hold", "A", true, 0, hold, flush_marks, "held" },
	{ "release", "A", true, SPOOL_MARKS, release, flush_marks, "released" },
	{ "return", "A", true, SPOOL_MARKS, give_back, flush_marks, "returning" },
	{ "remove", "A", true, SPOOL_MARKS, take_out, discard, "removed" },
	{ "move", "Ad:", true, SPOOL_NEW, move, flush_both, "moved" },
};

/* Do the command for message i, if it is meant. Returns true if that was done. */
static bool
do_one(struct work *w, const struct spoollist_item *i, bool named)
{
	struct message m;
	bool done = false;

	if (message_load(&m, &w->spool, i) < 0) {
		if (named) { /* a message of a list may have left since the list was read */
			complain("%s: no such message", i->id);
			w->failed = true;
		}
		return false;
	}
	if (message_matches(&m, &w->filter, w->now)) {
		done = w->command->one(w, &m) == 0;
		w->failed |= !done;
		if (done && w->command->done)
			message_print(&m, w->command->done, w->now);
	}
	spoolrec_free(&m.m);
	return done;
}

/* Take ids as the list. Returns 0, or -1 after a message. */
static int
take_ids(struct spoollist *l, char *const ids[])
{
	for (; *ids; ids++)
		if (!spool_is_id(*ids))
			return complain("%s: not the id of a message", *ids);
		else if (spoollist_add(l, *ids, true) < 0)
			return complain("ids:");
	return 0;
}

/* Do the command for the ids, or for all messages if ids is empty. Returns 0, or -1 after printing why. */
static int
do_all(struct work *w, char *const ids[])
{
	bool named = *ids != NULL;
	struct spoollist l = { 0 };
	size_t i, n = 0;
	int r = named ? take_ids(&l, ids) : spoollist_read(&l, &w->spool) < 0 ? complain("%s:", w->path) : 0;

	for (i = 0; r == 0 && i < l.n; i++)
		if (do_one(w, &l.v[i], named))
			l.v[n++] = l.v[i];
	w->done = n > 0;
	if (r == 0 && w->command->finish && w->command->finish(w, &l, n) < 0)
		r = complain("%s: done, but a crash may undo it:", w->path);
	spoollist_free(&l);
	return r;
}

/* Print what was counted. Returns the exit code. */
static int
finish_check(const struct work *w)
{
	const struct tally *t = &w->tally;
	size_t i;

	printf("messages=%zu", t->all);
	for (i = 0; i < STATES; i++)
		printf(" %s=%zu", state_name[i], t->state[i]);
	printf(" octets=%lld oldest=%lld spoold=%s\n", t->octets, t->oldest_s,
	    spool_has_runner(&w->spool) ? "running" : "stopped");
	return w->most >= 0 && t->all > (size_t)w->most ? TOO_MANY : CHAIN_DONE;
}

/* Tell the runner what was done. Returns 0, or -1 after a message. */
static int
wake(const struct work *w)
{
	const struct spool *s = w->to_path ? &w->to : &w->spool;

	if (!w->command->wakes || !w->done)
		return 0;
	if (!spool_has_runner(s)) {
		if (w->command->one != take_out) /* that is done already */
			complain("no spoold runs in %s; it will do this when it starts", w->to_path ? w->to_path : w->path);
		return 0;
	}
	return spool_wake(s, w->command->wakes) < 0 ? complain("%s: spoold does not listen; do this again:", w->path) : 0;
}

/* As root, become the owner of the spool, whose programs could otherwise lead us to files of others. */
static int
become_owner(const struct spool *s)
{
	struct stat st;

	if (fstat(s->dir, &st) < 0)
		return -1;
	return geteuid() != 0 || st.st_uid == 0 ? 0 :
	    user_take(&(struct user){ .uid = st.st_uid, .gid = st.st_gid, .group = &st.st_gid, .ngroups = 1 });
}

/* Open the spool, and with -d the other one. Returns 0, or -1 after a message. */
static int
open_spools(struct work *w)
{
	const char *why;

	if (spool_look(&w->spool, w->path) < 0 || become_owner(&w->spool) < 0)
		return complain("%s:", w->path);
	if (!w->to_path)
		return 0;
	if (spool_open(&w->to, w->to_path, &why) < 0)
		return complain("%s: %s", w->to_path, why);
	if (spool_lock(&w->spool, false) >= 0) /* until we end */
		return 0;
	return errno == EWOULDBLOCK ? complain("%s: spoold runs there; stop it first", w->path) : complain("%s:", w->path);
}

static int
run(struct work *w, char *const ids[])
{
	int code = CHAIN_DONE;

	if (open_spools(w) < 0)
		return CHAIN_LATER;
	if (do_all(w, ids) < 0)
		w->failed = true;
	if (w->command->one == count)
		code = finish_check(w);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output:");
		w->failed = true;
	}
	if (wake(w) < 0)
		w->failed = true;
	return w->failed ? CHAIN_LATER : code;
}

/* Take a number from 0 to most. Returns 0, or -1 after a message. */
static int
number(int letter, const char *value, long long most, long long *n)
{
	return number_parse(value, 0, most, n) < 0 ? complain("-%c %s: not a number from 0 to %lld", letter, value, most) : 0;
}

/* Take an option. Returns 0; -1: misuse, reported; or 1: misuse, to be answered with the usage. */
static int
take_option(struct work *w, int letter, const char *value)
{
	switch (letter) {
	case 'A':
		w->all = true;
		return 0;
	case 'a':
		w->filter.answer = value;
		return 0;
	case 'd':
		w->to_path = value;
		return 0;
	case 'f':
		w->filter.from = value;
		return 0;
	case 'm':
		return number(letter, value, MESSAGES_MAX, &w->most);
	case 'o':
		return number(letter, value, SECONDS_MAX, &w->filter.older_s);
	case 'r':
		w->filter.rcpt = value;
		return 0;
	case 's':
		for (w->filter.state = 0; w->filter.state < STATES; w->filter.state++)
			if (strcmp(value, state_name[w->filter.state]) == 0)
				return 0;
		return complain("-s %s: no such state", value);
	case 'u':
		w->filter.user = value;
		return 0;
	case 'v':
		w->verbose = true;
		return 0;
	case 'x':
		w->exact = true;
		return 0;
	default:
		return 1;
	}
}

static const struct command *
find_command(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

/* Returns true if the command line says which messages are meant. */
static bool
is_chosen(const struct work *w, bool has_ids)
{
	const struct filter *f = &w->filter;

	return has_ids || w->all || f->answer || f->from || f->rcpt || f->user || f->state != STATES || f->older_s > 0;
}

int
main(int argc, char *argv[])
{
	struct work w = { .spool = { -1 }, .to = { -1 }, .filter = { .state = STATES }, .most = -1, .now = time(NULL) };
	char options[32];
	int c;

	if (program_answers("msa-spool", usage_words, argc, argv))
		return CHAIN_DONE;
	if (argc < 2 || !(w.command = find_command(argv[1])))
		return usage();
	argv[1] = argv[0]; /* getopt's messages begin with the program's name */
	argc--;
	argv++;
	snprintf(options, sizeof options, "+a:f:o:r:s:u:%s", w.command->options);
	while ((c = getopt(argc, argv, options)) != -1) {
		int wrong = take_option(&w, c, optarg);

		if (wrong)
			return wrong < 0 ? CHAIN_MISUSE : usage();
	}
	if (optind == argc || (w.command->one == move) != (w.to_path != NULL))
		return usage();
	w.path = argv[optind++];
	if (w.command->chooses && !is_chosen(&w, optind < argc)) {
		complain("%s: which messages? Give ids, a filter, or -A for all", w.command->word);
		return CHAIN_MISUSE;
	}
	return run(&w, argv + optind);
}
