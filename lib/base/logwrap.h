/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_LOGWRAP_H
#define MSA_BASE_LOGWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/logline.h"

/*
 * What loggers put around our lines:
 *
 *	stage: ...                                       nothing: a file, journalctl -o cat
 *	@400000006b0ce07b2db8cbbc stage: ...             multilog t, s6-log t, tai64n
 *	2026-11-30 02:33:21.747174109  stage: ...        s6-log T
 *	2026-11-30_02:33:21.92865 stage: ...             svlogd -tt
 *	Nov 30 02:33:21 host name[12]: stage: ...        a file of syslog, journalctl -o short, short-precise
 *	2026-11-30T02:33:21.7+01:00 host name[12]: ...   rsyslog, journalctl -o short-iso, short-iso-precise
 *
 * With syslog(3) the stage is the name, and does not stand again after it.
 */

struct logwrap {
	int64_t now;         /* second of the epoch: a line without a year is not from later than a day from now */
	int tai;             /* seconds between a TAI64N label and the epoch: logwrap_learn */
	char minute[17];     /* the last local minute that was asked for, as text; "": none */
	int64_t minute_s;    /* and the second of the epoch at which it began */
};

/* Start to read a log of one logger. */
void logwrap_open(struct logwrap *w, int64_t now);

/*
 * Look at the beginning of a log, whose labels may be those of multilog (10 seconds before the epoch's) or of s6-log,
 * which knows leap seconds (37): an id in a line is never younger than the line, and in some of the lines little older.
 */
void logwrap_learn(struct logwrap *w, const char *text, size_t n);

/* Parse a line, without its LF. Returns true if one of ours is in it, and then l->us is the logger's time. */
bool logwrap_parse(struct logwrap *w, struct logline *l, const char *s, size_t n);

/*
 * Parse a time that a person has written: "2026-11-30 02:33:21", "2026-11-30 02:33", "2026-11-30" (local time), "02:33"
 * (today), "today", "yesterday", "now", "-90s", "-30m", "-2h", "-7d". Returns 0, or -1 with errno set (EINVAL).
 */
int logwrap_time(const char *s, int64_t now, int64_t *second);

#endif
