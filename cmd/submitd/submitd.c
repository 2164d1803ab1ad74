/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/limits.h"
#include "stage/stages.h"
#include "submit/session.h"

enum { CHECK_WORDS = 64 }; /* of the command that -r names */

struct conf {
	struct session_conf submission;
	struct fqdn domains;
	char *check[CHECK_WORDS + 1];
};

static int
usage(void)
{
	fputs("usage: submitd [-b] [-D table] [-e errors] [-L octets] [-r check] [-S seconds] [-T tlds] [-t seconds] "
	    "[-w seconds] " STAGE_USAGE " prog [arg ...]\n", stderr);
	return CHAIN_MISUSE;
}

/* A whole number from 1 to max. */
static int
number(const char *s, long max, int *value)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || n < 1 || n > max) {
		fprintf(stderr, "submitd: %s: not a number from 1 to %ld\n", s, max);
		return -1;
	}
	*value = (int)n;
	return 0;
}

/* The words of -r: blanks stand between them and in none. */
static int
split(char *s, char *words[CHECK_WORDS + 1])
{
	size_t n = 0;
	char *word;

	for (word = strtok(s, " \t"); word && n < CHECK_WORDS; word = strtok(NULL, " \t"))
		words[n++] = word;
	words[n] = NULL;
	if (n > 0 && !word)
		return 0;
	fprintf(stderr, "submitd: -r: no words, or more than %d\n", CHECK_WORDS);
	return -1;
}

/* SIGHUP: the table and the list as they are now. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	const char *path;

	if (fqdn_open(&conf->domains, &path) == 0)
		return 0;
	log_error(log, "failed", "%s:", path);
	return -1;
}

static int
serve(struct call *call, void *arg)
{
	return session_serve(call, &((struct conf *)arg)->submission);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	fqdn_close(&conf->domains);
	free(conf);
}

int
submitd_ready(struct ready *r, int argc, char *argv[])
{
	struct conf *conf = ready_conf(r, sizeof *conf);
	struct session_conf *s;
	const char *path;
	int c, bad = 0;

	if (!conf)
		return CHAIN_LATER;
	r->stage = (struct stage){
		.name = "submitd", .kind = STAGE_SESSION, .owner = FACTS_SUBMITD, .serve = serve, .reload = reload
	};
	r->release = release;
	s = &conf->submission;
	*s = (struct session_conf){
		.domains = &conf->domains,
		.command_wait_s = CHAIN_COMMAND_WAIT_S,
		.answer_s = CHAIN_ANSWER_S,
		.session_s = CHAIN_SESSION_S,
		.errors_max = CHAIN_ERRORS_MAX,
	};
	while ((c = getopt(argc, argv, "+bD:e:L:r:S:T:t:w:" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'b':
			s->mend = true;
			break;
		case 'D':
			conf->domains.labels_path = optarg;
			break;
		case 'L':
			bad |= number(optarg, 1000000000, &s->line_max);
			break;
		case 'T':
			conf->domains.tlds_path = optarg;
			break;
		case 'e':
			bad |= number(optarg, 1000000, &s->errors_max);
			break;
		case 'r':
			bad |= split(optarg, conf->check);
			s->check = conf->check;
			break;
		case 'S':
			bad |= number(optarg, 604800, &s->session_s);
			break;
		case 't':
			bad |= number(optarg, 86400, &s->answer_s);
			break;
		case 'w':
			bad |= number(optarg, 86400, &s->command_wait_s);
			break;
		default:
			if (c == '?' || stage_option(&r->options, "submitd", c, optarg) < 0)
				return usage();
		}
	if (bad || optind == argc)
		return usage();
	if (fqdn_open(&conf->domains, &path) < 0) {
		fprintf(stderr, "submitd: %s: %s\n", path, strerror(errno));
		return CHAIN_MISUSE;
	}
	r->next = s->next = argv + optind;
	return 0;
}
