/* ISC licence, see LICENSE. */
#include "smtp/patience.h"

enum reply
patience_count(struct patience *p, int code, bool idle)
{
	p->errors += code >= 500;
	p->idle += idle;
	p->commands += p->commands_max > 0;
	if (p->errors > p->errors_max)
		return REPLY_TOO_MANY_ERRORS;
	return p->idle > p->idle_max || p->commands > p->commands_max ? REPLY_TOO_MANY_COMMANDS : REPLY_OK;
}

void
patience_renew(struct patience *p)
{
	p->idle = p->commands = 0;
}
