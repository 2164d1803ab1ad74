/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/os.h"
#include "base/program.h"
#include "base/user.h"
#include "chain/limits.h"
#include "deliver/delivery.h"
#include "letter.h"
#include "rcpt.h"
#include "say.h"
#include "stage/next.h"
#include "walk.h"
#include "words.h"

/* Exit codes: as grep's for what it looks for, and one for what cannot be seen. */
enum { ACCEPTED = 0, REFUSED = 1, NOT_KNOWN = 2 };

/* What the usage says after the name. */
static const char usage_words[] =
    "-f sender -t recipient [-t recipient ...] [-x] [-e name=value] [-m file] [-U user] [-u user] word ...";

/* The id of the session and of the message: the same each time, so that two explanations can be compared. */
static const char id[] = "explain";

struct conf {
	struct letter letter;
	struct facts facts;  /* of -e */
	const char *uid;     /* -U */
	bool run_last;
};

static int
usage(void)
{
	fprintf(stderr, "usage: msa-explain %s\n", usage_words);
	return CHAIN_MISUSE;
}

static int
wrong(const char *word, const char *what, int code)
{
	fprintf(stderr, "msa-explain: %s: %s\n", word, what);
	return code;
}

/* Take -e. Returns CHAIN_DONE or another exit code. */
static int
take_fact(struct conf *conf, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals || equals == word)
		return wrong(word, "not of the form name=value", CHAIN_MISUSE);
	*equals = '\0';
	if (facts_owner(word) == FACTS_NOBODY)
		return wrong(word, "not a variable that chain(7) names", CHAIN_MISUSE);
	return facts_set(&conf->facts, word, equals + 1) < 0 ? wrong(word, strerror(errno), CHAIN_LATER) : CHAIN_DONE;
}

/* Read the options; the words of the chain are argv[optind]. Returns CHAIN_DONE or another exit code. */
static int
read_options(struct conf *conf, int argc, char *argv[])
{
	int c, r;

	while ((c = getopt(argc, argv, "+e:f:m:t:U:u:x")) != -1)
		switch (c) {
		case 'e':
			if ((r = take_fact(conf, optarg)) != CHAIN_DONE)
				return r;
			break;
		case 'f':
			conf->letter.sender = optarg;
			break;
		case 'm':
			conf->letter.file = optarg;
			break;
		case 't':
			if (conf->letter.n == CHAIN_RCPT_MAX)
				return wrong(optarg, "more recipients than a message may have", CHAIN_MISUSE);
			conf->letter.rcpt[conf->letter.n++] = optarg;
			break;
		case 'U':
			conf->uid = optarg;
			break;
		case 'u':
			conf->letter.user = optarg;
			break;
		case 'x':
			conf->run_last = true;
			break;
		default:
			return usage();
		}
	return conf->letter.sender && conf->letter.n > 0 && optind < argc ? CHAIN_DONE : usage();
}

/* Set a fact that the environment and -e have left unset. Returns 0, or -1 with errno set. */
static int
set_default(struct facts *f, const char *name, const char *value)
{
	return facts_get(f, name) ? 0 : facts_set(f, name, value);
}

/* Set the facts of the message, as the stages of the session would. Returns 0, or -1 with errno set. */
static int
set_facts(struct call *call, const struct conf *conf, int64_t deadline_ms)
{
	struct facts *f = &call->facts;
	char rcpts[24];
	size_t i;

	if (facts_from_environ(f) < 0)
		return -1;
	facts_claim(f, FACTS_TLSD);
	for (i = 0; i < conf->facts.n; i++) {
		const char *value = strchr(conf->facts.v[i], '=') + 1;
		char name[256];

		snprintf(name, sizeof name, "%.*s", (int)(value - conf->facts.v[i] - 1), conf->facts.v[i]);
		if (facts_set(f, name, value) < 0)
			return -1;
	}
	snprintf(rcpts, sizeof rcpts, "%zu", conf->letter.n);
	if (conf->letter.user && (facts_set(f, "SMTPAUTHUSER", conf->letter.user) < 0 ||
	                             set_default(f, "SMTPAUTHMETHOD", "PLAIN") < 0))
		return -1;
	return set_default(f, "TCPREMOTEIP", "127.0.0.1") < 0 || set_default(f, "MSA_VERB", "EHLO") < 0 ||
	    set_default(f, "MSA_HELO", "localhost") < 0 || facts_set(f, "MSA_SESSION", id) < 0 ||
	    facts_set(f, "MSA_MESSAGE", id) < 0 || facts_set(f, "MSA_RCPTS", rcpts) < 0 ||
	    call_set_deadline(call, deadline_ms) < 0 ? -1 : 0;
}

/* Keep the words of submitd's check at RCPT, if it has one. Returns false: no memory. */
static bool
take_check(struct walk *walk, const struct words *words, char **check)
{
	const char *value = words->is_session && strcmp(words->name, "submitd") == 0 ? words_option(words, 'r') : NULL;

	return !value || (*check = walk_keep(walk, strdup(value)));
}

/*
 * The words of a session may stand in front: leave out what is not in the chain of a message. *check becomes the words
 * of the check at RCPT, or stays. Returns the first word of that chain, or NULL with errno set (EINVAL: the words have
 * no such chain; ENOMEM).
 */
static char **
skip_session(struct walk *walk, char **argv, char **check)
{
	const struct say say = { 0 };
	char **w, **begin = argv;
	struct words words;
	bool failed = false;

	for (w = argv; *w && !failed; w += words.own) {
		w = words_inner(w);
		words_read(&words, w);
		failed = !take_check(walk, &words, check);
		words_free(&words);
		if (words.is_session)
			begin = w + words.own;
	}
	if (begin > argv) {
		say_words(&say, argv, (size_t)(begin - argv), "");
		say_line(&say, "Serves the session, and is left out.");
	}
	errno = failed ? ENOMEM : EINVAL;
	return *begin && !failed ? begin : NULL;
}

/* Print what the client would hear; so many recipients were refused at RCPT. Returns the exit code. */
static int
conclude(const struct walk *w, const struct call *call, const struct letter *letter, const struct answers *a,
    size_t refused)
{
	const struct say say = { 0 };
	const struct reply_foreign *worst;
	char line[REPLY_SHOWN_MAX], text[SAY_TEXT], rcpt[SAY_TEXT];
	bool mixed, each = facts_get(&call->facts, "MSA_PARTIAL") != NULL;
	size_t i;

	worst = verdict_reduce(&a->verdict, &mixed);
	puts("");
	say_title(&say, "The verdict");
	if (letter->n == 0) {
		say_line(&say, "Every recipient would be refused at RCPT, so the client would send no message.");
		return REFUSED;
	}
	if (refused > 0)
		say_line(&say, "Recipients refused at RCPT: %zu. The others get the message.", refused);
	for (i = 0; i < a->verdict.n; i++) {
		reply_show(&a->verdict.reply[i], line);
		say_line(&say, "<%s>: %s, from %s", say_text(rcpt, letter->rcpt[i], strlen(letter->rcpt[i])),
		    say_text(text, line, strlen(line)), a->by[i] ? a->by[i] : "nobody");
	}
	if (mixed && each)
		say_line(&say, "The client would hear each recipient's own reply.");
	else if (mixed)
		say_line(&say, "The client would hear: %d %s %s", reply_code(REPLY_MIXED), reply_enhanced(REPLY_MIXED),
		    reply_text(REPLY_MIXED));
	else if (worst) {
		reply_show(worst, line);
		say_line(&say, "The client would hear: %s", say_text(text, line, strlen(line)));
	} else
		say_line(&say, "The client would hear: 250 2.0.0 Ok, message %s", id);
	if (w->hidden && !worst)
		say_line(&say, "That is so if %s accepts the message, which cannot be seen from here.", w->hidden);
	return worst || refused > 0 ? REFUSED : w->hidden ? NOT_KNOWN : ACCEPTED;
}

/* Walk through the check at RCPT, if there is one, and through the chain with the message. Returns the exit code. */
static int
walk(struct walk *w, const struct conf *conf, struct call *call, char **argv)
{
	struct letter letter = conf->letter;
	struct answers a = { .by = NULL };
	const char *why = "memory";
	char *check = NULL, *words[NEXT_WORDS + 1];
	struct next next;
	size_t refused = 0;
	int r;

	if (set_facts(call, conf, w->deadline_ms) < 0)
		return wrong("the facts", strerror(errno), CHAIN_LATER);
	argv = skip_session(w, argv, &check);
	if (!argv)
		return errno == EINVAL ? wrong("the words", "no chain of a message follows those of the session", CHAIN_MISUSE) :
		    wrong("the words", strerror(errno), CHAIN_LATER);
	if (check && next_split(&next, words, check) < 0)
		return wrong("submitd -r", "no words, or too many", CHAIN_MISUSE);
	if ((check && rcpt_walk(w, words, call, &letter, &refused, &why) < 0) || answers_open(&a, letter.n) < 0 ||
	    (letter.n > 0 && walk_chain(w, 0, argv, call, &a, &why) < 0))
		r = wrong(why, strerror(errno), CHAIN_LATER);
	else
		r = conclude(w, call, &letter, &a, refused);
	answers_free(&a);
	return r;
}

/* Make the directory of the sockets, the message and its envelope. Returns the exit code. */
static int
explain(const struct conf *conf, char **argv)
{
	struct walk w = { .run_last = conf->run_last, .deadline_ms = clock_ms() + CHAIN_ANSWER_S * 1000 };
	struct call call = { .kind = CALL_MESSAGE, .in = -1, .out = -1, .envelope = -1, .stop = -1 };
	char directory[200];
	const char *bad;
	int r;

	if (conf->uid && user_become(conf->uid) < 0)
		return wrong(conf->uid, strerror(errno), CHAIN_MISUSE);
	call.log = (struct log){ .stage = "msa-explain" };
	r = letter_open(&conf->letter, &call.in, &call.envelope, &bad);
	if (r < 0)
		return wrong(bad, errno == EINVAL ? "not an address" : strerror(errno), errno == EINVAL ? CHAIN_MISUSE : CHAIN_LATER);
	snprintf(directory, sizeof directory, "%s/msa-explain.XXXXXX", os_temporary());
	if (!mkdtemp(directory))
		r = wrong(directory, strerror(errno), CHAIN_LATER);
	else {
		w.directory = directory;
		r = walk(&w, conf, &call, argv);
		rmdir(directory);
	}
	walk_free(&w);
	call_forget_envelope(&call);
	facts_free(&call.facts);
	close(call.in);
	close(call.envelope);
	return r;
}

int
main(int argc, char *argv[])
{
	struct conf conf = { .uid = NULL };
	int r;

	if (program_answers("msa-explain", usage_words, argc, argv))
		return CHAIN_DONE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	os_signals_default();
	signal(SIGPIPE, SIG_IGN);
	if (os_fill_standard() < 0)
		return CHAIN_LATER;
	conf.letter.rcpt = calloc(CHAIN_RCPT_MAX, sizeof *conf.letter.rcpt);
	r = conf.letter.rcpt ? read_options(&conf, argc, argv) : wrong("memory", strerror(errno), CHAIN_LATER);
	if (r == CHAIN_DONE)
		r = explain(&conf, argv + optind);
	facts_free(&conf.facts);
	free(conf.letter.rcpt);
	return r;
}
