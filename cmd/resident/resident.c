/* ISC licence, see LICENSE. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "stage/instance.h"

/* Everything is done by the library: the socket, the workers, the uid, and running the program for each call. */
static int
serve(struct call *call, void *conf)
{
	(void)conf;
	log_event(&call->log, "done", "program", call->next->argv[0], (char *)NULL);
	return call_next(call);
}

static int
option(void *conf, int letter, char *value, struct instance *i)
{
	(void)conf;
	(void)letter;
	(void)value;
	i->kind = STAGE_SESSION;
	return 0;
}

static int
check(void *conf, struct instance *i)
{
	const char *program = i->next.argv[0];

	(void)conf;
	if (!i->options.path)
		return -1;
	if (strchr(program, '/') && access(program, X_OK) < 0) /* otherwise each call would end with 451 */
		return stage_wrong(i, program, "%s", strerror(errno));
	return 0;
}

const struct stage resident_stage = {
	.name = "resident",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.options = "s",
	.usage = "[-s] -l path [-A user] [-C calls] [-P min:max] [-R fd] [-U user] prog [arg ...]",
	.option = option,
	.check = check,
	.serve = serve,
};
