/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_CLOCK_H
#define MSA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds of the monotonic clock: every deadline inside a process is one of these. */
int64_t clock_ms(void);

/* Milliseconds from now until deadline_ms, as poll wants them: never negative, at most INT_MAX. */
int clock_left(int64_t deadline_ms);

/*
 * t as an RFC 5322 3.3 date-time in the local zone, "Sat, 21 Nov 2026 22:30:00 +0000", NUL-ended.
 * English names whatever the locale. cap of CLOCK_DATE_MAX always suffices.
 */
enum { CLOCK_DATE_MAX = 40 };
void clock_date(char *buf, size_t cap, time_t t);

#endif
