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
option(void *conf, int letter, char *value, struct instance *i)
{
	long long n;

	if (stage_number(i, letter, value, 1, WAIT_MAX_S, &n) < 0)
		return -1;
	((struct resume *)conf)->wait_ms = (int)n * 1000;
	return 0;
}

const struct stage resume_stage = {
	.name = "resume",
	.kind = STAGE_SESSION,
	.owner = FACTS_SUBMITD,
	.next = STAGE_HANDS_ON,
	.options = "t:",
	.usage = "[-t seconds] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct resume),
	.init = init,
	.option = option,
	.serve = resume_serve,
};
