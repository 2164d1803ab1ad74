/* ISC licence, see LICENSE. */
#include <stdlib.h>

#include "stage/instance.h"

/* The stages do this themselves where the next program is "call"; this is for scripts and foreign programs. */
static int
serve(struct call *call, void *conf)
{
	(void)conf;
	return call_next(call);
}

static int
check(void *conf, struct instance *i)
{
	(void)conf;
	if (i->nwords != 1 || i->options.any)
		return -1;
	i->next = (struct next){ .how = NEXT_CALL, .argv = i->words - 1, .path = i->words[0] };
	return 0;
}

const struct stage call_stage = {
	.name = "call",
	.kind = STAGE_EITHER,
	.next = STAGE_DELIVERS,
	.usage = "path",
	.check = check,
	.serve = serve,
};
