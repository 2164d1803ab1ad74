/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chain/limits.h"
#include "deliver/delivery.h"
#include "list.h"
#include "spool/spool.h"
#include "stage/stages.h"

enum { WAIT_S = 80 }; /* the share of CHAIN_ANSWER_S that is ours */

struct conf {
	const char *directory;
	off_t least; /* octets that stay free */
};

static int
usage(void)
{
	return stage_misuse("usage: spool [-fp] [-m octets] " STAGE_USAGE " directory");
}

/* Nothing was taken, for errno. */
static void
fail(struct delivery *d, const char *what)
{
	enum reply r = reply_of_errno(errno);

	log_error(&d->call->log, "failed", "%s:", what);
	delivery_reply_all(d, r, NULL);
}

/* Put the message into the spool: everybody who is pending gets it from there. id becomes what it is called there. */
static void
put(struct delivery *d, const struct conf *conf, const struct spool *s, char id[ID_MAX])
{
	const struct spoolrec m = {
		.arrival = time(NULL),
		.next = time(NULL),
		.facts = d->call->facts,
		.envelope = d->envelope, /* less the recipients who have been refused: they have their reply */
	};
	char text[64];

	if (spool_write(s, &m, d->message, d->size, conf->least, id) < 0) {
		fail(d, conf->directory);
		*id = '\0';
		return;
	}
	if (!delivery_is_wanted(d)) {
		delivery_reply_all(d, REPLY_LATE, NULL);
		spool_discard(s, id);
		*id = '\0';
		return;
	}
	if (spool_commit(s, id) < 0) {
		fail(d, conf->directory);
		spool_discard(s, id);
		*id = '\0';
		return;
	}
	snprintf(text, sizeof text, "Spooled as %s", id);
	delivery_reply_all(d, REPLY_OK, text);
}

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct delivery d;
	struct spool s;
	char id[ID_MAX] = "", to[512];
	int result;

	if (delivery_open(&d, call, NULL, WAIT_S, &result) < 0)
		return result;
	if (!delivery_is_over(&d)) {
		if (spool_open(&s, conf->directory) < 0)
			fail(&d, conf->directory);
		else {
			put(&d, conf, &s, id);
			spool_close(&s);
		}
	}
	snprintf(to, sizeof to, "%s%s%s", conf->directory, *id ? "/new/" : "", id);
	return delivery_close(&d, to);
}

/* -f: the runner is to try everything now. */
static int
wake(void *arg, const struct stage_options *options)
{
	const char *directory = ((const struct conf *)arg)->directory;
	struct spool s;
	int r = spool_look(&s, directory);

	(void)options;
	if (r == 0) {
		r = spool_wake(&s, SPOOL_ALL);
		spool_close(&s);
	}
	if (r < 0)
		fprintf(stderr, "spool: %s: %s\n", directory, strerror(errno));
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}

/* -p */
static int
print(void *arg, const struct stage_options *options)
{
	(void)options;
	return list_print(((const struct conf *)arg)->directory);
}

int
spool_ready(struct ready *r, int argc, char *argv[])
{
	struct conf *conf = ready_conf(r, sizeof *conf);
	bool all = false, list = false;
	char *end;
	int c;

	if (!conf)
		return CHAIN_LATER;
	r->stage = (struct stage){ .name = "spool", .kind = STAGE_MESSAGE, .owner = FACTS_NOBODY, .serve = serve };
	while ((c = getopt(argc, argv, "+fm:p" STAGE_OPTIONS)) != -1)
		switch (c) {
		case 'f':
			all = true;
			break;
		case 'm':
			errno = 0;
			conf->least = (off_t)strtoll(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end || errno)
				return usage();
			break;
		case 'p':
			list = true;
			break;
		default:
			if (c == '?' || stage_option(&r->options, "spool", c, optarg) < 0)
				return usage();
		}
	if (optind + 1 != argc || ((all || list) && r->options.path) || (all && list))
		return usage();
	conf->directory = argv[optind];
	r->instead = all ? wake : list ? print : NULL;
	return 0;
}
