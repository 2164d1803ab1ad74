/* ISC licence, see LICENSE. */
#include "stage/options.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "msa/stage.h"

enum {
	WORKERS_LIMIT = 10000,
	CALLS_MAX = 1000000000,
	FD_MAX = 1000000,
};

void
stage_options(struct stage_options *o)
{
	*o = (struct stage_options){
		.min = STAGE_WORKERS_MIN, .max = STAGE_WORKERS_MAX, .calls = STAGE_CALLS, .notify_fd = -1
	};
}

static int
take_user(struct stage_options *o, struct instance *i, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return stage_wrong(i, name, "no such user");
	if (o->nallow == STAGE_ALLOW_MAX)
		return stage_wrong(i, name, "more than %d users", STAGE_ALLOW_MAX);
	o->allow[o->nallow++] = pw->pw_uid;
	return 0;
}

static int
take_group(struct stage_options *o, struct instance *i, const char *name)
{
	const struct group *gr = getgrnam(name);

	if (!gr)
		return stage_wrong(i, name, "no such group");
	if (o->ngroups == STAGE_ALLOW_MAX)
		return stage_wrong(i, name, "more than %d groups", STAGE_ALLOW_MAX);
	o->groups[o->ngroups++] = gr->gr_gid;
	return 0;
}

/* "min" or "min:max". */
static int
take_workers(struct stage_options *o, struct instance *i, const char *value)
{
	size_t n = strcspn(value, ":");
	long long min, max;
	char first[16];

	snprintf(first, sizeof first, "%.*s", (int)n, value);
	if (n >= sizeof first || number_parse(first, 1, WORKERS_LIMIT, &min) < 0 ||
	    number_parse(value[n] ? value + n + 1 : first, min, WORKERS_LIMIT, &max) < 0)
		return stage_wrong(i, value, "-P takes min or min:max, from 1 to %d, and min must not exceed max", WORKERS_LIMIT);
	o->min = (int)min;
	o->max = (int)max;
	return 0;
}

int
stage_option(struct stage_options *o, struct instance *i, int letter, const char *value)
{
	long long n;

	o->any = true;
	switch (letter) {
	case 'A':
		return *value == '@' ? take_group(o, i, value + 1) : take_user(o, i, value);
	case 'l':
		o->path = value;
		return 0;
	case 'P':
		return take_workers(o, i, value);
	case 'C':
		if (stage_number(i, letter, value, 1, CALLS_MAX, &n) < 0)
			return -1;
		o->calls = (int)n;
		return 0;
	case 'R':
		if (stage_number(i, letter, value, 0, FD_MAX, &n) < 0)
			return -1;
		o->notify_fd = (int)n;
		return 0;
	default:
		o->user = value;
		return 0;
	}
}
