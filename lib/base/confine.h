/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_CONFINE_H
#define MSA_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A process states what it still needs, and gives up everything else before it reads a stranger's first octet:
 * chain-security(7). On Linux the system refuses the rest by Landlock (files, TCP ports) and seccomp (system calls), on
 * OpenBSD by unveil and pledge. Elsewhere, and under a sanitizer, nothing is given up. confine.c is the only file that
 * knows the systems apart.
 */
enum confine_may {
	CONFINE_ACCEPT = 1 << 0,   /* accept connections and wait for them, take signals from a descriptor */
	CONFINE_TEMPORARY = 1 << 1, /* make files in memory and in TMPDIR */
	CONFINE_LOCAL = 1 << 2,    /* make and connect Unix sockets */
};

enum { CONFINE_PATHS_MAX = 64, CONFINE_PORTS_MAX = 64 };

/* Starts as zeroes. */
struct confine {
	unsigned may;          /* CONFINE_* */
	const char *reads[CONFINE_PATHS_MAX];  /* files; borrowed */
	const char *writes[CONFINE_PATHS_MAX]; /* directories; borrowed */
	unsigned port[CONFINE_PORTS_MAX];      /* TCP ports of other hosts */
	size_t nreads, nwrites, nports;
	bool overflow;         /* more was stated than there is room for */

	/* The rest is the module's own. */
	void *filter;          /* owned */
	size_t filter_len;
	bool on;
};

/*
 * State what the process needs: to open the file path for reading, also after another file has taken its name (so the
 * whole directory around it can be read, unless the file is a device); to do everything with the files and
 * directories below a directory; to connect to a TCP port of any host.
 */
void confine_reads(struct confine *c, const char *path);
void confine_writes(struct confine *c, const char *directory);
void confine_connects(struct confine *c, unsigned port);

/* What the operator wants: the variable MSA_SANDBOX. */
enum confine_mode {
	CONFINE_USUAL,    /* unset: give up what the system can refuse */
	CONFINE_REQUIRED, /* "require": go on only if the system can refuse all of it */
	CONFINE_OFF,      /* "off" */
	CONFINE_INVALID,
};
enum confine_mode confine_mode(void);

/*
 * Prepare for confine_enter, in the same process or in its parent. *lacks becomes the name of what the system lacks for
 * this process, or NULL. Returns 0, or -1 with errno set (ENOMEM; E2BIG: too many paths or ports).
 */
int confine_prepare(struct confine *c, const char **lacks);

/* Give up everything else, for good, in this process and its children. Returns 0, or -1 with errno set. */
int confine_enter(const struct confine *c);

void confine_free(struct confine *c);

/*
 * For a program without a log: prepare and enter, as far as the operator wants that. Returns 0, or -1 and *why, which
 * is valid until the next call of strerror(3).
 */
int confine_now(struct confine *c, const char **why);

/*
 * For a parent whose workers take another uid: keep only the capabilities to change to that uid and to end the workers,
 * and, if it opens files again later, to read files whoever owns them. A process that is not root has none to lose.
 * Returns 0, or -1 with errno set.
 */
int confine_parent(bool opens_files);

#endif
