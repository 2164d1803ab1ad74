/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_SHOW_H
#define MSA_LOG_SHOW_H

#include <stddef.h>
#include <stdint.h>

#include "story.h"

enum { SHOW_TIME = 32 }; /* octets of a time as text, with the NUL */

/* Write a time as "2026-11-30 02:33:21" or, with ms, "2026-11-30 02:33:21.767", local time; "-" if there is none. */
void show_time(char text[SHOW_TIME], int64_t us, int ms);

/* Returns true if the line is of the message with this id, or of no message; id NULL: of any. */
int show_is_part(const struct logline *l, const char *id);

/* Print a story as a timeline; id: only that message of it, or NULL. */
void show_timeline(const struct story *s, const char *id);

/* Print the lines of a story that were not yet told, as the log has them. */
void show_new_lines(struct story *s, const char *id);

#endif
