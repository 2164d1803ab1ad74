/* ISC licence, see LICENSE. */
/* usage: test-table [-l] file key ...: look up keys (-l: in lower case) with table.h and print what is found. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

int
main(int argc, char **argv)
{
	int lower = argc > 1 && strcmp(argv[1], "-l") == 0, i = lower ? 2 : 1, r;
	const char *value;
	struct table t;
	size_t len;

	if (i >= argc || table_open(&t, argv[i]) < 0) {
		printf("cannot open: %s\n", strerror(errno));
		return 111;
	}
	while (++i < argc) {
		r = (lower ? table_get_lower : table_get)(&t, argv[i], strlen(argv[i]), &value, &len);
		if (r > 0)
			printf("%s: [%.*s]\n", argv[i], (int)len, value);
		else
			printf("%s: %s\n", argv[i], r < 0 ? strerror(errno) : "not there");
	}
	table_close(&t);
	return 0;
}
