/* ISC licence, see LICENSE. */
#include "deliver/injector.h"

struct conf {
	struct injector injector; /* first: the functions of injector.h get conf */
	int clear;                /* -p: without TLS; twice: to any host */
};

static void
init(void *conf)
{
	struct injector *in = conf;

	injector_init(in);
	in->client.tls = CLIENT_STARTTLS;
	in->client.auth_param = CLIENT_AUTH_NULL;
}

static int
option(void *conf, int letter, char *value, struct instance *i)
{
	struct injector *in = conf;

	switch (letter) {
	case 'I':
		return injector_keep(in, letter, value, i);
	case 'i':
		in->client.tls = CLIENT_IMPLICIT;
		return 0;
	case 'm':
		in->client.auth_param = CLIENT_AUTH_USER;
		return 0;
	case 'p':
		((struct conf *)conf)->clear++;
		return 0;
	default:
		return injector_option(in, letter, value, i);
	}
}

static int
check(void *conf, struct instance *i)
{
	struct injector *in = conf;
	int clear = ((struct conf *)conf)->clear;

	if (clear && in->client.tls == CLIENT_IMPLICIT)
		return -1;
	if (clear) {
		in->client.tls = CLIENT_CLEAR;
		in->client.loopback = clear == 1;
	}
	return injector_check(in, i, in->client.tls == CLIENT_IMPLICIT ? "465" : clear ? "25" : "587");
}

const struct stage smtp_inject_stage = {
	.name = "smtp-inject",
	.kind = STAGE_MESSAGE,
	.next = STAGE_DELIVERS,
	.options = "I:imp" INJECTOR_OPTIONS,
	.usage = "[-ikmnp] " INJECTOR_USAGE "[-I seconds] [-o file] [-r recipient] [-t seconds] " STAGE_USAGE " host ...",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = injector_claim,
	.prepare = injector_prepare,
	.serve = injector_serve,
	.reload = injector_reload,
	.idle = injector_idle,
	.release = injector_release,
	.examine = injector_examine,
};
