/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_OPTIONS_H
#define MSA_STAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The options that every stage has, chain(7). In the getopt string they are STAGE_OPTIONS; stage_option takes one (0),
 * or says what is wrong with its value on standard error (-1).
 *   -U user[:group]   take that uid; resident: the workers do
 *   -l path           be resident, listen there; "0": the socket is fd 0 or given by LISTEN_FDS
 *   -A user           this user's processes may call too
 *   -C calls          calls until a worker is replaced
 *   -P min:max        workers kept idle at least, and all at most
 *   -R fd             write a newline there when ready (s6's notification-fd)
 */
#define STAGE_OPTIONS "A:C:l:P:R:U:"
#define STAGE_USAGE "[-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user]"
enum { STAGE_ALLOW_MAX = 16 };
struct stage_options {
	const char *user;
	const char *path; /* NULL: exec'd */
	int min, max, calls, notify_fd;
	uid_t allow[STAGE_ALLOW_MAX];
	size_t nallow;
	bool any; /* one of these was given */
};
void stage_options(struct stage_options *o); /* the defaults */
int stage_option(struct stage_options *o, const char *name, int letter, const char *value);

#endif
