/* ISC licence, see LICENSE. */
#ifndef BUILD_H
#define BUILD_H

#include <stddef.h>

#include "base/usertable.h"
#include "kinds.h"

enum { COMPLAINTS = 20 }; /* about one table or text; the rest is left out */

/* What is done with a table. Each function prints what is wrong, and returns the exit code. */
struct job {
	const struct kind *kind;
	struct usertable form; /* the kind's, for this run */
	const char *text_name; /* of the text, for complaints */
	const char *path;      /* of the table */
	size_t bad;            /* complaints so far */
};

/* Complain about a line of the text, or about the table if line is 0. */
void job_blame(struct job *j, size_t line, const char *why);

/* Make the table from text[0..n). The file at j->path is replaced if every record is valid, or else stays. */
int build_table(struct job *j, const char *text, size_t n);

/* Check every record of the table. */
int build_check(struct job *j);

/* Print the table as text, in its order. */
int build_print(struct job *j);

#endif
