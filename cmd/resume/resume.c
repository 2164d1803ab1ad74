/* ISC licence, see LICENSE. */
#include "chain/limits.h"
#include "session.h"
#include "stage/instance.h"

enum {
	WAIT_S = 120,
	WAIT_MAX_S = 3600,
};

static void
init(void *conf)
{
	((struct resume *)conf)->wait_ms = WAIT_S * 1000;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct resume *conf = arg;
	long long n;

	if (letter == 'p') {
		conf->to_anybody = true;
		return 0;
	}
	if (letter == 'x') {
		conf->over_tcp = true;
		if (nexthop_parse(&conf->hop, value, NULL) < 0)
			return stage_wrong(i, value, "neither host:port nor the path of a socket");
		return 0;
	}
	if (stage_number(i, letter, value, 1, WAIT_MAX_S, &n) < 0)
		return -1;
	conf->wait_ms = (int)n * 1000;
	return 0;
}

static int
check(void *arg, struct instance *i)
{
	const struct resume *conf = arg;

	return conf->over_tcp == (i->next.how == NEXT_NONE) && (conf->over_tcp || !conf->to_anybody) ? 0 : -1;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct resume *conf = arg;

	if (!conf->over_tcp)
		return;
	if (conf->hop.is_unix || nexthop_is_numeric(&conf->hop))
		stage_connects(c, nexthop_port(&conf->hop));
	else
		stage_starts(c); /* a process that looks the name up */
}

const struct stage resume_stage = {
	.name = "resume",
	.kind = STAGE_SESSION,
	.owner = FACTS_SUBMITD,
	.next = STAGE_MAY_HAND_ON,
	.options = "pt:x:",
	.usage = "[-t seconds] " STAGE_USAGE " prog [arg ...] | [-p] -x host:port",
	.conf_size = sizeof(struct resume),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = resume_serve,
};
