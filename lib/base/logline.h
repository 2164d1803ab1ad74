/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_LOGLINE_H
#define MSA_BASE_LOGLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A line that log.c has written, read again: "stage: SESSION[/MESSAGE] event key=value ...". The parts point into the
 * text that was parsed. All of them are graphic ASCII, values in quotes have spaces too: a terminal may show them.
 */

struct logline_text {
	const char *p;
	size_t n;
};

struct logline_field {
	struct logline_text key;
	struct logline_text value; /* without its quotes; octets stay \xHH */
	bool quoted;
};

enum {
	LOGLINE_FIELDS = 64, /* in a line; our stages write at most 20 */
	LOGLINE_STAGE = 32,  /* octets of a stage's name */
	LOGLINE_ID = 64,     /* octets of an id */
	LOGLINE_TEXT = 1000, /* octets of a line, as LOG_LINE_MAX */
};

struct logline {
	int64_t us;  /* since the epoch: the time that the logger wrote; without one, that of the younger id; -1: none */
	bool guessed; /* us is an id's */
	bool cut;    /* the line was cut off at LOG_LINE_MAX: what is lost may have been another field */
	struct logline_text stage, session, message, event; /* session: "-" if none; message.n is 0 if there is none */
	struct logline_text rest; /* session, message, event and fields */
	size_t n;
	struct logline_field field[LOGLINE_FIELDS];
};

/* Parse a line, without its LF. Returns true if it is one of ours, whole or cut off. l->us is that of the ids. */
bool logline_parse(struct logline *l, const char *s, size_t n);

/* The same for what follows "stage: ", as syslog(3) writes it: the stage is the program's name, if it can be one. */
bool logline_parse_rest(struct logline *l, struct logline_text stage, const char *s, size_t n);

/* Returns the value of the first field with this key, or NULL. */
const struct logline_text *logline_get(const struct logline *l, const char *key);

/* Returns the value of the first field with this key as a number of at most 15 digits, or -1. */
int64_t logline_number(const struct logline *l, const char *key);

/* Returns true if both are the same text. */
bool logline_is(const struct logline_text *t, const char *s);

/* Returns the second of the epoch in which an id was made (base/id.h), or -1 if it is none of ours. */
int64_t logline_id_time(const struct logline_text *id);

#endif
