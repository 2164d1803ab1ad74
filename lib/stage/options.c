/* ISC licence, see LICENSE. */
#include "stage/options.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "stage/pool.h"

void
stage_options(struct stage_options *o)
{
	*o = (struct stage_options){ .min = POOL_MIN, .max = POOL_MAX, .calls = POOL_CALLS, .notify_fd = -1 };
}

/* A whole number from least to most at s, ended by end or the string's end. -1: it is none. */
static int
number(const char *s, char end, int least, int most, const char **rest)
{
	char *p;
	long n;

	errno = 0;
	n = strtol(s, &p, 10);
	if (*s < '0' || *s > '9' || errno || (*p != end && *p != '\0') || n < least || n > most)
		return -1;
	*rest = p;
	return (int)n;
}

int
stage_option(struct stage_options *o, const char *name, int letter, const char *value)
{
	struct passwd *pw;
	const char *p = "";
	int bad = 0;

	o->any = true;
	switch (letter) {
	case 'A':
		pw = getpwnam(value);
		bad = !pw || o->nallow == STAGE_ALLOW_MAX;
		if (!bad)
			o->allow[o->nallow++] = pw->pw_uid;
		break;
	case 'l':
		o->path = value;
		break;
	case 'P':
		o->min = number(value, ':', 1, 10000, &p);
		o->max = *p == ':' ? number(p + 1, '\0', 1, 10000, &p) : o->min;
		bad = o->min < 0 || o->max < o->min;
		break;
	case 'C':
		o->calls = number(value, '\0', 1, 1000000000, &p);
		bad = o->calls < 0;
		break;
	case 'R':
		o->notify_fd = number(value, '\0', 0, 1000000, &p);
		bad = o->notify_fd < 0;
		break;
	case 'U':
		o->user = value;
		break;
	default:
		return -1;
	}
	if (bad)
		fprintf(stderr, "%s: -%c %s: %s\n", name, letter, value,
		    letter == 'A' ? "no such user, or too many" : "not a number that can be used");
	return bad ? -1 : 0;
}
