/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_CLOCK_H
#define MSA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Returns the monotonic clock in milliseconds. Every deadline inside a process is a value of this clock. */
int64_t clock_ms(void);

/* Returns the milliseconds from now until deadline_ms, for poll(2): 0 if the deadline has passed, at most INT_MAX. */
int clock_left(int64_t deadline_ms);

/*
 * Write t as an RFC 5322 3.3 date-time in the local time zone, "Sat, 21 Nov 2026 22:30:00 +0000", with a NUL. The names
 * are English whatever the locale is. CLOCK_DATE_MAX octets are always enough.
 */
enum { CLOCK_DATE_MAX = 40 };
void clock_date(char *buf, size_t cap, time_t t);

#endif
