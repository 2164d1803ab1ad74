/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_INPUT_H
#define MSA_LOG_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "source.h"

/*
 * The ways in: standard input, files, the journal. Files are read together, in the order of their lines' times, so the
 * order of rotation and the logs of several stages need no care. With follow the end of a file is waited at, and a file
 * that takes its name is read next.
 */

enum {
	INPUT_FILES = 512,    /* at once; each has a buffer of SOURCE_BUFFER octets */
	INPUT_WAIT_MS = 250,  /* between two looks at files that are followed */
};

/* What the options say. */
struct input_conf {
	char *const *path; /* "-": standard input; n is 0: only standard input, or the journal */
	size_t n;
	const char *unit;  /* the journal's unit, or NULL */
	bool follow;
	int64_t since_us, until_us; /* lines of other times are left out; INT64_MIN, INT64_MAX: none are */
	int64_t now;
};

/* One of the logs, and the line of it that is next. */
struct input_log {
	const char *path; /* NULL: standard input or the journal */
	struct source source;
	struct logline line;
	bool has_line, ended;
	bool renamed; /* another file has its name */
	int64_t us; /* of the line; of the one before it, if it has no time */
};

struct input {
	const struct input_conf *conf;
	struct input_log *log; /* owned */
	size_t n;
	struct input_log *last; /* the one whose line was returned last */
	int64_t rest_us;        /* no other log has an earlier line */
	pid_t journalctl;       /* 0: none */
	const char *why;        /* what failed, for people: a path, or "journalctl" */
};

enum input_result {
	INPUT_LINE,
	INPUT_PAUSE, /* with follow: nothing more now; what was found may be shown */
	INPUT_END,
	INPUT_ERROR, /* errno, and in->why */
};

/*
 * Open all. Returns 0, or -1 with errno set (E2BIG: too many files) and in->why; input_close is called in any
 * case.
 */
int input_open(struct input *in, const struct input_conf *conf);

/* Take the next line. *l is valid until the next call. */
enum input_result input_next(struct input *in, const struct logline **l);

/* Wait for more, after INPUT_PAUSE. */
void input_wait(void);

/* The sums of all logs. */
void input_count(const struct input *in, unsigned long long *lines, unsigned long long *others);

/* Close all. Returns 0, or -1: journalctl has failed. */
int input_close(struct input *in);

/*
 * Start journalctl for the unit, with its entries in a pipe in the form for export. after: the cursor of the last entry
 * that is known, or NULL. Returns its pid, and the pipe in *fd; or -1 with errno set.
 */
pid_t input_journal(const char *unit, const char *after, bool follow, int64_t since_us, int *fd);

#endif
