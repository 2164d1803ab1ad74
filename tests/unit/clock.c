/* ISC licence, see LICENSE. */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* date: for each line, a time_t, its date. left: the properties of clock_left. */
int
unit_clock(int argc, char **argv)
{
	char *s, *raw;
	size_t n;

	if (argc > 1 && strcmp(argv[1], "left") == 0) {
		int64_t now = clock_ms();
		int left = clock_left(now + 10000);

		printf("past %d\n", clock_left(now - 1));
		printf("now %d\n", clock_left(now));
		printf("zero %d\n", clock_left(0));
		printf("soon %s\n", left > 9000 && left <= 10000 ? "right" : "wrong");
		printf("far %s\n", clock_left(INT64_MAX) == INT_MAX ? "INT_MAX" : "wrong");
		return 0;
	}
	while ((s = unit_line(&n, &raw))) {
		char date[CLOCK_DATE_MAX];

		clock_date(date, sizeof date, (time_t)strtoll(s, NULL, 10));
		printf("%s => %s\n", raw, date);
		free(s);
		free(raw);
	}
	return 0;
}
