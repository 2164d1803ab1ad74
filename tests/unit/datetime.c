/* ISC licence, see LICENSE. */
#include "mail/datetime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/addrlist.h"
#include "unit.h"

/* Each line is the value of a Date, or with msg-id that of a Message-ID: is it valid? */
int
unit_datetime(int argc, char **argv)
{
	bool id = argc > 1 && strcmp(argv[1], "msg-id") == 0;
	char *s, *raw;
	size_t n;

	while ((s = unit_line(&n, &raw))) {
		printf("%s => %s\n", raw, (id ? addrlist_is_msg_id(s, 0, n) : datetime_is_valid(s, 0, n)) ? "valid" : "invalid");
		free(s);
		free(raw);
	}
	return 0;
}
