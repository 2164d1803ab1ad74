/* ISC licence, see LICENSE. */
#include "smtp/patience.h"

enum reply
patience_count(struct patience *p, int code, bool idle)
{
	p->errors += code >= 500;
	p->idle += idle;
	if (p->errors > p->errors_max)
		return REPLY_TOO_MANY_ERRORS;
	return p->idle > p->idle_max ? REPLY_TOO_MANY_COMMANDS : REPLY_OK;
}
