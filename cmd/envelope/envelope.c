/* ISC licence, see LICENSE. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/finding.h"
#include "base/number.h"
#include "base/program.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "msa/buf.h"
#include "msa/msgfile.h"
#include "net/lineio.h"
#include "smtp/addr.h"
#include "smtp/param.h"
#include "stage/instance.h"

#define USAGE "[-n] [-f file] from | to | param key [number] | refuse number reply prog " \
    "[arg ...] | copy address prog [arg ...]" /* after the name */

enum {
	ABSENT = 1, /* exit code of param if the parameter is missing, as grep's */
	REFUSE_WORDS = 3, COPY_WORDS = 2, /* before the next program */
};

/* An edit of the envelope. */
struct edit {
	size_t number;      /* of the recipient to refuse; 0: add a copy instead */
	const char *reply;  /* to the refused recipient */
	struct addr copy;   /* where the copy goes */
};

/* Explain misuse on fd 2 only: a script reads fd 1, and exit code 111 alone means 451. Returns the exit code. */
static int
misuse(const char *why)
{
	fprintf(stderr, "%s\n", why);
	return getenv("MSA_MESSAGE") ? CHAIN_LATER : CHAIN_MISUSE;
}

/* Returns the number of a recipient, or 0 if s is not one. */
static size_t
number(const char *s)
{
	long long n;

	return number_parse(s, 1, CHAIN_ENVELOPE_MAX, &n) < 0 ? 0 : (size_t)n;
}

static int
from(const struct envelope *e)
{
	return printf("%.*s\n", (int)e->mail.path_len, e->mail.path) < 0 ? -1 : 0;
}

/* Print the recipients that are not refused yet. Their numbers count the refused ones too, as refuse's number does. */
static int
to(const struct envelope *e, bool numbers)
{
	size_t i;

	for (i = 0; i < e->nrcpt; i++) {
		if (e->rcpt[i].kind != ENVELOPE_RCPT)
			continue;
		if ((numbers && printf("%zu ", i + 1) < 0) ||
		    printf("%.*s\n", (int)e->rcpt[i].path_len, e->rcpt[i].path) < 0)
			return -1;
	}
	return 0;
}

/* Print the value of a parameter of line, known to us or not. Returns 0, ABSENT, or -1 with errno set. */
static int
param(const struct envelope_line *line, const char *wanted)
{
	const char *s = line->params, *end, *key, *value;
	size_t keylen, valuelen;

	if (!s)
		return ABSENT;
	end = s + strlen(s);
	while (param_next(&s, end, &key, &keylen, &value, &valuelen) > 0)
		if (keylen == strlen(wanted) && strncasecmp(key, wanted, keylen) == 0)
			return printf("%.*s\n", (int)valuelen, value ? value : "") < 0 ? -1 : 0;
	return ABSENT;
}

/* Print what argv asks for from the envelope in file (NULL: fd 3). Returns the exit code, or -1: misuse. */
static int
ask(const char *file, bool numbers, int argc, char **argv)
{
	struct envelope e = { 0 };
	const char *why;
	size_t n = argc == 3 ? number(argv[2]) : 0;
	int fd = CHAIN_FD_ENVELOPE, r;

	if (strcmp(argv[0], "from") == 0 || strcmp(argv[0], "to") == 0 ? argc != 1 : argc != 2 && (argc != 3 || n == 0))
		return -1;
	if (file && (fd = open(file, O_RDONLY | O_CLOEXEC)) < 0)
		err(CHAIN_LATER, "%s", file);
	if (envelope_read(&e, fd, &why) < 0) {
		if (errno != EINVAL)
			err(CHAIN_LATER, "%s", file ? file : "fd 3");
		fprintf(stderr, "%s\n", why); /* the text begins with "envelope: " */
		return CHAIN_LATER;
	}
	if (n > e.nrcpt)
		errx(CHAIN_LATER, "there is no recipient %zu", n);
	if (strcmp(argv[0], "param") == 0)
		r = param(n ? &e.rcpt[n - 1] : &e.mail, argv[1]);
	else
		r = strcmp(argv[0], "from") == 0 ? from(&e) : to(&e, numbers);
	if (r < 0 || fflush(stdout) == EOF)
		err(CHAIN_LATER, "fd 1");
	envelope_free(&e);
	return r;
}

/* Write the edited envelope to a file. Returns the descriptor, or -1 with errno set. */
static int
compose(const struct envelope *e, const struct edit *edit)
{
	struct buf b = { 0 };
	struct msgfile m = { 0 };
	size_t i;
	int fd = -1, r = buf_printf(&b, "%s\n", e->mail.text);

	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++) {
		/* a recipient that an earlier stage has refused keeps that stage's reply */
		bool here = i + 1 == edit->number && e->rcpt[i].kind == ENVELOPE_RCPT;

		r = buf_printf(&b, "%s\n", here ? edit->reply : e->rcpt[i].text);
	}
	if (r == 0 && edit->number == 0)
		r = buf_printf(&b, "COPY TO:<%s>\n", edit->copy.text);
	if (r == 0 && b.len > CHAIN_ENVELOPE_MAX) {
		errno = EFBIG;
		r = -1;
	}
	if (r == 0 && msgfile_add(&m, b.p, b.len) == 0)
		fd = msgfile_finish(&m);
	buf_free(&b);
	msgfile_free(&m);
	return fd;
}

static int
serve(struct call *call, void *arg)
{
	const struct edit *edit = arg;
	const struct envelope *e = call_envelope(call);
	int fd, r;

	if (!e)
		return call_failed(call, NULL);
	if (edit->number > e->nrcpt) {
		log_error(&call->log, "misuse", "there is no recipient %zu", edit->number);
		return call_verdict(call, REPLY_LOCAL_ERROR, NULL);
	}
	fd = compose(e, edit);
	if (fd < 0)
		return call_failed(call, "envelope");
	r = call_next_with(call, -1, fd);
	close(fd);
	return r;
}

/* Returns true if s is one reply line: 4yz or 5yz, graphic ASCII and spaces, not too long. */
static bool
is_refusal(const char *s)
{
	const char *text, *p;
	size_t len;
	int code;
	bool last;

	for (p = s; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return strlen(s) <= LINE_REPLY_MAX - 2 && reply_line(s, strlen(s), &code, &last, &text, &len) && last && code >= 400;
}

/* Set edit to what argv says, words of it before the next program. Returns 0, or -1: misuse. */
static int
read_edit(struct edit *edit, int argc, char **argv, int words)
{
	if (argc <= words)
		return -1;
	if (words == COPY_WORDS)
		return addr_mailbox(argv[1], strlen(argv[1]), &edit->copy);
	edit->number = number(argv[1]);
	edit->reply = argv[2];
	return edit->number > 0 && is_refusal(argv[2]) ? 0 : -1;
}

/*
 * Edit the envelope and become the next program; or, if msa-check asked, only say which one that is (before: how many
 * words come before argv), whether the words before it are right or not: copy is the name of a program too. Returns the
 * exit code, or -1: misuse.
 */
static int
change(int argc, char **argv, bool is_asked, int before)
{
	static const struct stage stage = { .name = "envelope", .kind = STAGE_MESSAGE, .needs = STAGE_TEMPORARY,
		.serve = serve };
	struct edit edit = { 0 };
	struct instance instance = { .stage = &stage, .kind = STAGE_MESSAGE, .conf = &edit };
	int words = strcmp(argv[0], "refuse") == 0 ? REFUSE_WORDS : COPY_WORDS, r;

	r = read_edit(&edit, argc, argv, words);
	if (r == 0 && !getenv("MSA_MESSAGE"))
		return misuse("envelope: MSA_MESSAGE is not set: refuse and copy work in a message chain, see chain(7)");
	if (is_asked && argc > words) {
		if (r == 0)
			finding_stage("envelope", "message");
		instance.next = next_parse(argv + words);
		finding_number("next", before + (instance.next.argv - argv));
		return r < 0 ? -1 : CHAIN_DONE;
	}
	if (r < 0)
		return -1;
	instance.next = next_parse(argv + words);
	return instance_run(&instance);
}

int
main(int argc, char **argv)
{
	const char *file = NULL, *verb;
	bool numbers = false, is_asked;
	struct finding asked;
	int c, r = -1;

	if (program_answers("envelope", USAGE, argc, argv))
		return CHAIN_DONE;
	is_asked = finding_asked(&asked, "envelope", &argc, &argv);
	while ((c = getopt(argc, argv, "+nf:")) != -1)
		switch (c) {
		case 'n':
			numbers = true;
			break;
		case 'f':
			file = optarg;
			break;
		default:
			return misuse("usage: envelope " USAGE);
		}
	argc -= optind;
	argv += optind;
	verb = argc > 0 ? argv[0] : "";
	if (strcmp(verb, "from") == 0 || strcmp(verb, "to") == 0 || strcmp(verb, "param") == 0)
		r = ask(file, numbers, argc, argv);
	else if (!file && (strcmp(verb, "refuse") == 0 || strcmp(verb, "copy") == 0))
		r = change(argc, argv, is_asked, optind);
	return r < 0 ? misuse("usage: envelope " USAGE) : r;
}
