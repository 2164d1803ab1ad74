/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "net/lineio.h"
#include "net/nexthop.h"
#include "smtp/recording.h"
#include "smtp/reply.h"
#include "stage/relay.h"

/* Says to a server what the client of a recording said, and compares the answers. */

enum {
	EQUAL = 0,
	DIFFERS = 1,
	UCSPI_IN = 6, UCSPI_OUT = 7, /* the connection that a UCSPI client has made */
	WAIT_S = 100,
	SHOWN = 100,       /* octets of a client's line in a difference */
	FLUSH_AT = 65536,
};

struct replay {
	const char *path;   /* of the recording */
	FILE *file;
	long line;          /* the number of its current line */
	bool exact;         /* texts are compared too */
	int wait_ms;        /* for each answer */
	int in, out;        /* the server; -1: none yet */
	pid_t pid;          /* of the program that is the server; 0: none */
	struct lineio c;
	struct reply_foreign want; /* what has come of an answer in the recording; code 0: nothing */
	bool is_left_out;   /* a part of its text is missing */
	long sent_line;     /* the number of the last line of the client; 0: none */
	char sent[SHOWN + 1];
};

static const char usage_words[] = "[-x] [-t seconds] recording [host:port | prog [arg ...]]";

static int
usage(void)
{
	fprintf(stderr, "usage: replay %s\n", usage_words);
	return CHAIN_MISUSE;
}

static int
wrong(const struct replay *r, int code, const char *what)
{
	fprintf(stderr, "replay: %s: line %ld: %s\n", r->path, r->line, what);
	return code;
}

/* The connection is over before the recording is. Returns the exit code. */
static int
lost(const struct replay *r, const char *why)
{
	printf("%s: line %ld: the server: %s\n", r->path, r->line, why);
	return DIFFERS;
}

/* Write n octets of a text that has a header. Its last line ends with CRLF. Returns 0, or -1 with errno set. */
static int
write_content(struct replay *r, long long n)
{
	static const char header[] = "Subject: replay\r\n\r\n";
	enum { HEADER = sizeof header - 1, COLUMNS = 76 };
	long long at, q;
	char c;

	for (at = 0; at < n; at++) {
		q = at < HEADER ? 0 : (at - HEADER) % (COLUMNS + 2);
		c = at < HEADER ? header[at] : q < COLUMNS ? 'x' : q == COLUMNS ? '\r' : '\n';
		if (n - at <= 2 && n >= 2)
			c = n - at == 2 ? '\r' : '\n';
		else if (n - at == 3 && c == '\r')
			c = 'x';
		if (buf_add(&r->c.out, &c, 1) < 0 || (r->c.out.len >= FLUSH_AT && lineio_flush(&r->c, r->wait_ms) < 0))
			return -1;
	}
	return 0;
}

/* Say a line of the client. Returns an exit code. */
static int
say(struct replay *r, const struct recording_line *l)
{
	const char *s = l->text, *end = l->text + l->len;
	struct recording_part part;

	r->sent_line = r->line;
	snprintf(r->sent, sizeof r->sent, "%.*s", (int)(l->len < SHOWN ? l->len : SHOWN), l->text);
	while (recording_next(&s, end, &part) > 0) {
		if (part.what == RECORDING_OCTET && buf_add(&r->c.out, &part.octet, 1) < 0)
			return wrong(r, CHAIN_LATER, strerror(errno));
		if (part.what == RECORDING_CONTENT && write_content(r, part.left) < 0)
			return EQUAL; /* what the server says to that comes next */
		if (part.left > FLUSH_AT)
			part.left = FLUSH_AT; /* no server takes a longer line */
		while (part.what == RECORDING_SECRET && part.left-- > 0)
			if (buf_puts(&r->c.out, "A") < 0)
				return wrong(r, CHAIN_LATER, strerror(errno));
	}
	if (l->is_whole && buf_puts(&r->c.out, "\r\n") < 0)
		return wrong(r, CHAIN_LATER, strerror(errno));
	if (r->c.out.len >= FLUSH_AT)
		lineio_flush(&r->c, r->wait_ms); /* likewise */
	return EQUAL;
}

/* Hear a whole answer. Returns an exit code. */
static int
hear(struct replay *r, struct reply_foreign *got)
{
	bool last = false;
	size_t len;

	while (!last) {
		const char *text;
		char *line;
		int code;

		switch (lineio_line(&r->c, RECORDING_TEXT_MAX, r->wait_ms, &line, &len)) {
		case LINE_OK:
			break;
		case LINE_EOF:
			return lost(r, "it has closed the connection");
		case LINE_TIMEOUT:
			return lost(r, "no answer in time");
		case LINE_ERROR:
			return lost(r, strerror(errno));
		default:
			return lost(r, "not a line of an answer");
		}
		if (!reply_line(line, len, &code, &last, &text, &len) || reply_take(got, code, text, len) < 0)
			return lost(r, "not a line of an answer");
	}
	return EQUAL;
}

static bool
is_equal(const struct replay *r, const struct reply_foreign *got)
{
	if (got->code != r->want.code || strcmp(got->enhanced, r->want.enhanced) != 0)
		return false;
	return !r->exact || r->is_left_out || strcmp(got->text ? got->text : "", r->want.text ? r->want.text : "") == 0;
}

static void
show(const struct replay *r, const char *label, const struct reply_foreign *a)
{
	const char *s = a->text ? a->text : "";

	printf("%s: line %ld: %s %d%s%s ", r->path, r->line, label, a->code, *a->enhanced ? " " : "", a->enhanced);
	for (; *s; s++)
		putchar(*s == '\n' ? '|' : *s);
	putchar('\n');
}

/* The recording has a whole answer: compare the server's to it. Returns an exit code. */
static int
compare(struct replay *r)
{
	struct reply_foreign got = { .code = 0 };
	int code;

	lineio_flush(&r->c, r->wait_ms); /* a server that is gone may still have answered */
	code = hear(r, &got);
	if (code == EQUAL && !is_equal(r, &got)) {
		code = DIFFERS;
		show(r, "recorded", &r->want);
		show(r, "answered", &got);
	}
	if (code == DIFFERS && r->sent_line > 0)
		printf("%s: line %ld: the client's last line: %s\n", r->path, r->sent_line, r->sent);
	reply_foreign_free(&got);
	reply_foreign_free(&r->want);
	r->want = (struct reply_foreign){ .code = 0 };
	r->is_left_out = false;
	return code;
}

/* Take a line of the server's from the recording. Returns an exit code. */
static int
expect(struct replay *r, const struct recording_line *l)
{
	const char *s = l->text, *end = l->text + l->len, *text;
	char line[RECORDING_TEXT_MAX + 1];
	struct recording_part part;
	size_t n = 0, len;
	bool last;
	int code;

	if (!l->is_whole) /* the server was cut off there */
		return EQUAL;
	while (recording_next(&s, end, &part) > 0)
		if (part.what != RECORDING_OCTET)
			r->is_left_out = true;
		else if (n < RECORDING_TEXT_MAX)
			line[n++] = part.octet;
	line[n] = '\0';
	if (!reply_line(line, n, &code, &last, &text, &len) || reply_take(&r->want, code, text, len) < 0)
		return wrong(r, CHAIN_MISUSE, "not a line of an answer");
	return last ? compare(r) : EQUAL;
}

/* Run the recording. Returns an exit code. */
static int
run(struct replay *r)
{
	char line[RECORDING_LINE_MAX + 2];
	struct recording_line l;
	int code = EQUAL, is;

	while (code == EQUAL && fgets(line, sizeof line, r->file)) {
		size_t len = strcspn(line, "\n");

		r->line++;
		is = line[len] == '\n' || feof(r->file) ? recording_parse(&l, line, len) : -1;
		if (is < 0)
			code = wrong(r, CHAIN_MISUSE, "not a line of a recording");
		else if (is > 0)
			code = l.by_client ? say(r, &l) : expect(r, &l);
	}
	if (code == EQUAL && ferror(r->file))
		code = wrong(r, CHAIN_LATER, strerror(errno));
	if (code == EQUAL)
		lineio_flush(&r->c, r->wait_ms);
	return code;
}

static bool
is_address(const char *word)
{
	struct stat st;

	return strchr(word, '/') ? stat(word, &st) == 0 && S_ISSOCK(st.st_mode) : strchr(word, ':') != NULL;
}

/* Reach the server that the words name. Returns an exit code. */
static int
reach(struct replay *r, char *const words[])
{
	struct call call = { .kind = CALL_SESSION, .in = -1, .out = -1, .envelope = -1, .stop = -1 };
	struct nexthop hop;
	const char *why;

	if (!words[0]) {
		r->in = UCSPI_IN;
		r->out = UCSPI_OUT;
		if (fcntl(r->in, F_GETFD) >= 0 && fcntl(r->out, F_GETFD) >= 0)
			return EQUAL;
		fprintf(stderr, "replay: no server, and descriptors 6 and 7 are not open\n");
		return CHAIN_MISUSE;
	}
	if (!words[1] && is_address(words[0])) {
		if (nexthop_parse(&hop, words[0], NULL) < 0)
			return usage();
		r->in = r->out = nexthop_connect(&hop, false, clock_ms() + r->wait_ms, &why);
		if (r->in < 0)
			fprintf(stderr, "replay: %s: %s\n", words[0], why);
		return r->in < 0 ? CHAIN_LATER : EQUAL;
	}
	log_open(&call.log, "replay", -1);
	r->in = facts_from_environ(&call.facts) < 0 ? -1 : relay_start(&call, words, &r->pid);
	if (r->in < 0)
		fprintf(stderr, "replay: %s: %s\n", words[0], strerror(errno));
	r->out = r->in;
	facts_free(&call.facts);
	return r->in < 0 ? CHAIN_LATER : EQUAL;
}

static int
replay(struct replay *r, char *const words[])
{
	int code;

	r->file = fopen(r->path, "re");
	if (!r->file) {
		fprintf(stderr, "replay: %s: %s\n", r->path, strerror(errno));
		return CHAIN_MISUSE;
	}
	code = reach(r, words);
	if (code == EQUAL) {
		lineio_open(&r->c, r->in, r->out);
		code = run(r);
		lineio_close(&r->c);
		reply_foreign_free(&r->want);
		close(r->in);
		if (r->pid > 0)
			relay_finish(r->pid);
	}
	fclose(r->file);
	return code;
}

int
main(int argc, char *argv[])
{
	struct replay *r = calloc(1, sizeof *r);
	long long seconds = WAIT_S;
	int c, code = EQUAL;

	if (!r)
		return CHAIN_LATER;
	if (program_answers("replay", usage_words, argc, argv)) {
		free(r);
		return CHAIN_DONE;
	}
	while (code == EQUAL && (c = getopt(argc, argv, "+t:x")) != -1)
		if (c == 'x')
			r->exact = true;
		else if (c != 't' || number_parse(optarg, 1, CHAIN_SESSION_S, &seconds) < 0)
			code = usage();
	if (code == EQUAL && optind == argc)
		code = usage();
	if (code == EQUAL) {
		os_signals_default();
		signal(SIGPIPE, SIG_IGN);
		r->path = argv[optind];
		r->wait_ms = (int)seconds * 1000;
		code = replay(r, argv + optind + 1);
	}
	free(r);
	return fflush(stdout) == 0 ? code : CHAIN_LATER;
}
