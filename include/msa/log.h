/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_H
#define MSA_LOG_H

/* The log of a stage and a call, chain-log(7): each line begins with the stage's name and the ids of the call. */
struct log;

/*
 * Write one line. After event come pairs of key and value, both const char *, and a NULL key as the end. A pair with a
 * NULL value is left out. Never pass a credential: the log cannot recognise one.
 */
void log_event(const struct log *l, const char *event, ...) __attribute__((sentinel));

/* Write one line with the pair reason=, formatted. If fmt ends with a colon, strerror(errno) follows. */
void log_error(const struct log *l, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
