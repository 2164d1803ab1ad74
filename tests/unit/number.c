/* ISC licence, see LICENSE. */
#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* LEAST MOST: for each line, the number that it is, or the errno; "changed" if a failure touched the result. */
int
unit_number(int argc, char **argv)
{
	long long least = argc > 1 ? atoll(argv[1]) : 0, most = argc > 2 ? atoll(argv[2]) : 0;
	char *s, *raw;
	size_t len;

	while ((s = unit_line(&len, &raw))) {
		long long n = -7;

		errno = 0;
		printf("%s => ", raw);
		if (number_parse(s, least, most, &n) == 0)
			printf("%lld\n", n);
		else
			printf("%s%s\n", errno == EINVAL ? "EINVAL" : errno == ERANGE ? "ERANGE" : strerror(errno),
			    n == -7 ? "" : " changed");
		free(s);
		free(raw);
	}
	return 0;
}
