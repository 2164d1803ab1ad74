/* ISC licence, see LICENSE. */
/*
 * usage: lmtp-keep address times
 * Deliver the message of this call so many times, over one LMTP session as long as it lasts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "chain/offer.h"
#include "deliver/client.h"
#include "deliver/delivery.h"
#include "stage/instance.h"

struct conf {
	struct client_conf client;
	struct nexthop address;
	int times;
};

static int
serve(struct call *call, void *arg)
{
	struct conf *conf = arg;
	struct reply_foreign refusal = { 0 };
	struct client session = { 0 };
	struct delivery d;
	char host[256];
	int result = 0;

	while (conf->times-- > 0) {
		if (delivery_open(&d, call, NULL, 10, &result) < 0)
			break;
		if (!client_is_open(&session) || client_deliver(&session, &d, false) == CLIENT_GONE) {
			if (client_open(&session, &conf->client, &conf->address, offer_host(&call->facts, host, sizeof host), d.deadline_ms,
			        &call->log, &refusal) < 0)
				delivery_answer_all(&d, &refusal);
			else
				client_deliver(&session, &d, false);
		}
		result = delivery_close(&d, conf->address.text);
	}
	client_quit(&session);
	reply_foreign_free(&refusal);
	return result;
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;

	conf->client = (struct client_conf){ .lmtp = true, .credentials = -1 };
	if (i->nwords != 2 || nexthop_parse(&conf->address, i->words[0], NULL) < 0)
		return -1;
	conf->times = atoi(i->words[1]);
	return 0;
}

static const struct stage stage = {
	.name = "lmtp-keep",
	.kind = STAGE_MESSAGE,
	.next = STAGE_DELIVERS,
	.needs = STAGE_NETWORK,
	.usage = "address times",
	.conf_size = sizeof(struct conf),
	.check = check,
	.serve = serve,
};

int
main(int argc, char *argv[])
{
	return stage_main(&stage, argc, argv);
}
