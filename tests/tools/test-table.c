/* ISC licence, see LICENSE. */
/*
 * usage: test-table [-l | -u] file key ...
 * Look up keys by base/table and print the results. -l: in lower case. -u: by base/usertable; "" is a peer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/usertable.h"

int
main(int argc, char **argv)
{
	const char *how = argc > 1 && *argv[1] == '-' ? argv[1] : "";
	int i = *how ? 2 : 1, r;
	const char *value;
	struct usertable users = { .what = "" };
	struct table *t = &users.table;
	size_t len;

	if (i >= argc || table_open(t, argv[i]) < 0) {
		printf("cannot open: %s\n", strerror(errno));
		return 111;
	}
	while (++i < argc) {
		if (strcmp(how, "-u") == 0)
			r = usertable_get(&users, *argv[i] ? argv[i] : NULL, &value, &len);
		else
			r = (strcmp(how, "-l") == 0 ? table_get_lower : table_get)(t, argv[i], strlen(argv[i]), &value, &len);
		if (r > 0)
			printf("%s: [%.*s]\n", argv[i], (int)len, value);
		else
			printf("%s: %s\n", argv[i], r < 0 ? strerror(errno) : "not there");
	}
	table_close(t);
	return 0;
}
