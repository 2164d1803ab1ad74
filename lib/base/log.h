/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_LOG_H
#define MSA_BASE_LOG_H

#include <stdbool.h>

/*
 * Log lines, chain(7) LOG: "stage: SESSION[/MESSAGE] event key=value ...", at most LOG_LINE_MAX octets,
 * to fd 2, or to syslog where fd 2 is the peer (the same socket as fd 0, or one of the network) or /dev/null (which
 * the first stage puts in the peer's place, so that no later stage or script writes to it). A value with other
 * octets than graphic ASCII, or with a quote or backslash, is written in quotes with \xHH for each of them.
 */
enum {
	LOG_LINE_MAX = 1000,
	LOG_REFUSALS = 600, /* lines a minute that all sessions of a resident stage may write about refused commands */
};

struct log_budget; /* what the processes of a resident stage share of that */

struct log {
	const char *stage;
	const char *session; /* MSA_SESSION, or NULL; borrowed */
	const char *message; /* MSA_MESSAGE, or NULL; borrowed */
	bool syslog;         /* not fd 2 */
	struct log_budget *budget; /* borrowed; NULL: nobody shares the log */
};

/* Make l ready for stage (a string constant); asks what fd 2 is. peer_fd -1: there is no peer. */
void log_open(struct log *l, const char *stage, int peer_fd);

/*
 * One line. After event come pairs of key and value, both const char *, ended by a NULL key; a pair whose value is
 * NULL is left out. Never pass a credential: nothing here can know one.
 */
void log_event(const struct log *l, const char *event, ...) __attribute__((sentinel));

/* The same with one pair more: reason=, formatted, and ": strerror(errno)" behind it where fmt ends with a colon. */
void log_error(const struct log *l, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A budget for this process and those it forks, for as long as they live. NULL with errno. */
struct log_budget *log_budget_new(void);

/*
 * May a line be written that a client can cause at will, with no cost to it? false: it is counted, and the count is
 * written in one line once the minute is over, by whoever asks next, or by log_budget_end.
 */
bool log_permit(const struct log *l);

/* The service is over: what was counted is written. */
void log_budget_end(const struct log *l);

#endif
