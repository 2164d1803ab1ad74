/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_FIND_H
#define MSA_LOG_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/logline.h"
#include "story.h"

enum { FIND_MAX = 16, FIND_PATTERN = 512 };

/* What is looked for: a key of the log and a pattern for its value. */
struct find_condition {
	char key[LOGLINE_STAGE + 1]; /* "any": the whole line */
	char pattern[FIND_PATTERN];  /* as the log writes it, in lower case */
	bool anywhere;               /* the pattern is a part of the value */
};

struct find {
	struct find_condition condition[FIND_MAX];
	size_t n;
};

/* Add a condition, "key=pattern". Returns 0, or -1 with errno set (EINVAL, E2BIG). */
int find_add(struct find *f, const char *word);

/* Returns the conditions that the line fulfils, a bit for each. */
unsigned find_line(const struct find *f, const struct logline *l);

/* Returns true if a message of the story, with what its session has, or the session alone fulfils all conditions. */
bool find_story(const struct find *f, const struct story *s);

/* Print what became of each message of the story that fulfils all conditions, or its timeline. Returns their number. */
size_t find_print(const struct find *f, const struct story *s, bool timeline);

#endif
