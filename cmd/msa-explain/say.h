/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_SAY_H
#define MSA_EXPLAIN_SAY_H

#include <stddef.h>

#include "msa/buf.h"

/* What is printed: a title for each stage at its depth, and sentences below it. */
struct say {
	int depth; /* of the chain: a branch of a chain is one deeper */
};

/* Print a title: the words of argv up to n, as a shell would read them, and what follows them. */
void say_words(const struct say *s, char *const *argv, size_t n, const char *after);

/* Print a title that is a text. */
void say_title(const struct say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Print a sentence below the title. */
void say_line(const struct say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Write text[0..n) for a person: white space with a line end in it becomes one space, an octet that is not printable
 * ASCII becomes \xHH, and what is longer than SAY_TEXT_MAX octets ends with "...". Returns to, which has SAY_TEXT
 * octets.
 */
enum { SAY_TEXT_MAX = 200, SAY_TEXT = 4 * SAY_TEXT_MAX + 8 };
const char *say_text(char to[SAY_TEXT], const char *text, size_t n);

#endif
