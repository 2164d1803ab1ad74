/* ISC licence, see LICENSE. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/finding.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "deliver/submission.h"
#include "mail/draft.h"
#include "mail/header.h"

/* A message chain from a shell: the message is standard input, the envelope are options, the answer is an exit code. */

/* What the usage says after the name. */
static const char usage_words[] = "-f sender -r recipient [-r recipient ...] [-t seconds] prog [arg ...]";

static int
usage(void)
{
	fprintf(stderr, "usage: submit %s\n", usage_words);
	return EX_USAGE;
}

static int
read_options(struct submission *s, int argc, char *argv[])
{
	long long seconds;
	int c, r;

	while ((c = getopt(argc, argv, "+f:r:t:")) != -1)
		switch (c) {
		case 'f':
			s->sender = optarg;
			break;
		case 'r':
			if ((r = submission_add(s, optarg)) != EX_OK)
				return r;
			break;
		case 't':
			if (number_parse(optarg, 1, CHAIN_SESSION_S, &seconds) < 0) {
				fprintf(stderr, "submit: -t %s: not a number from 1 to %d\n", optarg, CHAIN_SESSION_S);
				return EX_USAGE;
			}
			s->seconds = (int)seconds;
			break;
		default:
			return usage();
		}
	if (!s->sender || s->n == 0 || optind == argc)
		return usage();
	if (s->n > CHAIN_RCPT_MAX)
		return submission_wrong(s, EX_USAGE, "-r", "more recipients than a message may have");
	s->next = next_parse(argv + optind);
	return EX_OK;
}

static int
read_message(struct submission *s)
{
	const char *limit = facts_get(&s->call.facts, "DATABYTES");
	long long most = facts_number(&s->call.facts, "DATABYTES", limit && *limit ? -1 : 0);
	struct draft draft = { .max = (off_t)most };
	char text[80];
	off_t size;
	int is_there;

	if (most < 0)
		return submission_wrong(s, EX_CONFIG, "DATABYTES", "not a number of octets");
	s->message = draft_read(&draft, STDIN_FILENO);
	if (s->message < 0 && errno == EFBIG && most > 0)
		return submission_wrong(s, EX_DATAERR, "the message", "larger than DATABYTES allows");
	size = s->message < 0 ? -1 : file_size(s->message);
	if (size < 0)
		return submission_failed(s, errno == EIO || errno == EISDIR || errno == EBADF ? EX_IOERR : EX_TEMPFAIL,
		    "standard input");
	if (size == 0)
		return submission_wrong(s, EX_NOINPUT, "standard input", "empty: no message");
	if (draft.bare) {
		snprintf(text, sizeof text, "line %zu has a NUL or a CR without LF", draft.bare);
		return submission_wrong(s, EX_DATAERR, "the message", text);
	}
	is_there = header_is_there(s->message);
	if (is_there < 0)
		return submission_failed(s, EX_TEMPFAIL, "the message");
	if (!is_there)
		return submission_wrong(s, EX_DATAERR, "the message", "line 1 is no header field");
	s->is_8bit = draft.is_8bit;
	return EX_OK;
}

static int
submit(struct submission *s)
{
	int r;

	if (facts_from_environ(&s->call.facts) < 0)
		return submission_failed(s, EX_TEMPFAIL, "environment");
	facts_claim(&s->call.facts, FACTS_SUBMITD); /* submit stands in submitd's place */
	if ((r = submission_check(s)) == EX_OK && (r = read_message(s)) == EX_OK)
		r = submission_run(s);
	return r;
}

/* What msa-check(8) asks: the addresses, and what follows. */
static int
examine(const struct submission *s, char *argv[])
{
	int r = submission_check(s);

	finding_stage("submit", "session");
	finding_fact("starts", "message");
	finding_number("next", s->next.argv - argv);
	return r;
}

int
main(int argc, char *argv[])
{
	struct submission s;
	struct finding asked;
	bool is_asked;
	int r;

	if (program_answers("submit", usage_words, argc, argv))
		return EX_OK;
	is_asked = finding_asked(&asked, "submit", &argc, &argv);
	submission_init(&s, "submit");
	r = read_options(&s, argc, argv);
	if (is_asked && r == EX_OK) {
		r = examine(&s, argv);
	} else if (r == EX_OK) {
		os_signals_default();
		signal(SIGPIPE, SIG_IGN);
		signal(SIGXFSZ, SIG_IGN);
		if (os_fill_standard() < 0)
			r = submission_failed(&s, EX_TEMPFAIL, "/dev/null");
		else {
			os_close_inherited(CHAIN_FD_ENVELOPE);
			log_open(&s.call.log, "submit", -1);
			r = submit(&s);
		}
	}
	submission_free(&s);
	return r;
}
