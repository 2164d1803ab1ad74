/* ISC licence, see LICENSE. */
#include "routes.h"

#include <string.h>

int
routes_find(struct table *t, const char *to, size_t len, const struct sender *from, struct addrtable_record *r)
{
	int found = addrtable_find(t, "", to, len, ADDRTABLE_EXACT, r);

	if (found == 0 && from->path_len > 0)
		found = addrtable_find(t, "from:", from->path, from->path_len, ADDRTABLE_EXACT, r);
	if (found == 0 && from->user && *from->user)
		found = addrtable_find_name(t, "user:", from->user, strlen(from->user), true, r);
	return found;
}
