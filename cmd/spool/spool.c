/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "chain/limits.h"
#include "deliver/delivery.h"
#include "list.h"
#include "spool/spool.h"
#include "stage/instance.h"

enum { WAIT_S = 80 }; /* our share of CHAIN_ANSWER_S */

struct conf {
	const char *directory;
	off_t least; /* octets that stay free */
	bool wake;   /* -f */
	bool list;   /* -p */
};

/* Log why, and answer by errno that nothing was spooled. */
static void
fail(struct delivery *d, const char *what, const char *why)
{
	enum reply r = reply_of_errno(errno);

	log_error(&d->call->log, "failed", "%s: %s", what, why);
	delivery_reply_all(d, r, NULL);
}

/* Put the message into the spool for all pending recipients. Sets id to its id there, or to "" if it is not spooled. */
static void
put(struct delivery *d, const struct conf *conf, const struct spool *s, char id[ID_MAX])
{
	const struct spoolrec m = {
		.arrival = time(NULL),
		.next = time(NULL),
		.facts = d->call->facts,
		.envelope = d->envelope, /* the record leaves out refused recipients, who have their reply */
	};
	char text[64];

	if (spool_write(s, &m, d->message, d->size, conf->least, id) < 0) {
		fail(d, conf->directory, strerror(errno));
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
		fail(d, conf->directory, strerror(errno));
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
	const char *why;
	int result;

	if (delivery_open(&d, call, NULL, WAIT_S, &result) < 0)
		return result;
	d.accepted = "spooled";
	if (!delivery_is_over(&d)) {
		if (spool_open(&s, conf->directory, &why) < 0)
			fail(&d, conf->directory, why);
		else {
			put(&d, conf, &s, id);
			spool_close(&s);
		}
	}
	snprintf(to, sizeof to, "%s%s%s", conf->directory, *id ? "/new/" : "", id);
	return delivery_close(&d, to);
}

/* -f: ask the runner to try all messages now. */
static int
wake(const struct instance *i)
{
	const char *directory = ((const struct conf *)i->conf)->directory;
	struct spool s;
	int r = spool_look(&s, directory);

	if (r == 0) {
		r = spool_wake(&s, SPOOL_ALL);
		spool_close(&s);
	}
	if (r < 0)
		fprintf(stderr, "spool: %s: %s\n", directory, strerror(errno));
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}

/* -p: list the messages. */
static int
print(const struct instance *i)
{
	return list_print(((const struct conf *)i->conf)->directory);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	long long n;

	switch (letter) {
	case 'f':
		conf->wake = true;
		return 0;
	case 'm':
		if (stage_number(i, letter, value, 0, INT64_MAX, &n) < 0)
			return -1;
		conf->least = (off_t)n;
		return 0;
	default:
		conf->list = true;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	if (i->nwords != 1 || ((conf->wake || conf->list) && i->options.path) || (conf->wake && conf->list))
		return -1;
	conf->directory = i->words[0];
	i->instead = conf->wake ? wake : conf->list ? print : NULL;
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	stage_writes(c, ((const struct conf *)arg)->directory);
}

static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	const char *why;
	int fd = file_open_directory(conf->directory, true, &why);

	if (fd < 0)
		stage_found(i, conf->directory, NULL, "%s", why);
	else
		close(fd);
}

const struct stage spool_stage = {
	.name = "spool",
	.kind = STAGE_MESSAGE,
	.next = STAGE_DELIVERS,
	.needs = STAGE_FILES,
	.options = "fm:p",
	.usage = "[-fp] [-m octets] " STAGE_USAGE " directory",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.examine = examine,
};
