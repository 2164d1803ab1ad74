/* ISC licence, see LICENSE. */
#include "deliver/injector.h"

static void
init(void *conf)
{
	injector_init(conf);
	((struct injector *)conf)->client.lmtp = true;
}

static int
option(void *conf, int letter, char *value, struct instance *i)
{
	struct injector *in = conf;

	switch (letter) {
	case 'i':
		return injector_keep(in, letter, value, i);
	case 's':
		in->client.tls = CLIENT_STARTTLS;
		return 0;
	case 'S':
		in->client.tls = CLIENT_IMPLICIT;
		return 0;
	default:
		return injector_option(in, letter, value, i);
	}
}

static int
check(void *conf, struct instance *i)
{
	return i->nwords == 1 ? injector_check(conf, i, NULL) : -1;
}

const struct stage lmtp_inject_stage = {
	.name = "lmtp-inject",
	.kind = STAGE_MESSAGE,
	.next = STAGE_DELIVERS,
	.options = "i:sS" INJECTOR_OPTIONS,
	.usage = "[-knsS] " INJECTOR_USAGE "[-i seconds] [-o file] [-r recipient] [-t seconds] " STAGE_USAGE " address",
	.conf_size = sizeof(struct injector),
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
