/* ISC licence, see LICENSE. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain/limits.h"
#include "deliver/delivery.h"
#include "deliver/maildir.h"
#include "stage/instance.h"

enum { WAIT_S = 80 }; /* our share of CHAIN_ANSWER_S */

struct conf {
	const char *directory;
	bool check; /* -n: check the recipients, deliver nothing */
	const char *sender;  /* by hand */
	const char **rcpt;   /* by hand, nrcpt of them; owned array */
	size_t nrcpt;
	struct buf envelope; /* made of sender and rcpt; empty: in a chain */
};

static int
serve(struct call *call, void *arg)
{
	const struct conf *conf = arg;
	struct delivery d;
	int dir, result;

	if (delivery_open(&d, call, conf->envelope.len ? &conf->envelope : NULL, WAIT_S, &result) < 0)
		return result;
	if (conf->check) {
		d.partial = true;
		d.accepted = NULL;
		maildir_check(&d);
	} else
		delivery_refuse_nothing(&d);
	if (!conf->check && !delivery_is_over(&d)) {
		dir = open(conf->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0) {
			log_error(&call->log, "failed", "%s:", conf->directory);
			delivery_reply_all(&d, REPLY_LOCAL_ERROR, NULL);
		} else {
			maildir_deliver(&d, dir);
			close(dir);
		}
	}
	return delivery_close(&d, conf->directory);
}

static void
release(void *arg)
{
	struct conf *conf = arg;

	buf_free(&conf->envelope);
	free(conf->rcpt);
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	const char **grown;

	switch (letter) {
	case 'f':
		conf->sender = value;
		return 0;
	case 'n':
		conf->check = true;
		return 0;
	default:
		grown = realloc(conf->rcpt, (conf->nrcpt + 1) * sizeof *grown);
		if (!grown)
			return stage_wrong(i, value, "out of memory");
		conf->rcpt = grown;
		conf->rcpt[conf->nrcpt++] = value;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	const char *bad;

	if (i->nwords != 1 || !conf->sender != (conf->nrcpt == 0))
		return -1;
	conf->directory = i->words[0];
	if (conf->sender && delivery_envelope(&conf->envelope, conf->sender, "", conf->rcpt, conf->nrcpt, "", &bad) < 0)
		return stage_wrong(i, bad ? bad : conf->sender, "%s", bad ? "not an address" : "out of memory");
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
	(void)i;
	if (((const struct conf *)arg)->check)
		finding_fact("checks", "");
}

const struct stage maildir_inject_stage = {
	.name = "maildir-inject",
	.kind = STAGE_MESSAGE,
	.next = STAGE_DELIVERS,
	.needs = STAGE_FILES,
	.options = "f:nr:",
	.usage = "[-n] [-f sender] [-r recipient] " STAGE_USAGE " directory",
	.conf_size = sizeof(struct conf),
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.release = release,
	.examine = examine,
};
