/* ISC licence, see LICENSE. */
#ifndef MSA_CHECK_FINDINGS_H
#define MSA_CHECK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

/* What was found: each finding is printed once, in one line. */
struct findings {
	bool quiet;    /* no notes */
	size_t n;      /* errors and warnings printed */
	char **line;   /* owned; lines of them */
	size_t lines;
};

enum findings_level { FINDINGS_ERROR, FINDINGS_WARNING, FINDINGS_NOTE };

/* A finding; each part but name and what may be empty. */
struct findings_one {
	enum findings_level level;
	const char *place; /* where the stage is, if not in the command line itself: "submitd -r" */
	const char *name;  /* of the stage; empty: place says enough */
	const char *word;  /* or file */
	const char *what;  /* is wrong with it */
	const char *cure;  /* empty: the one for this text, or the stage's page */
};

/* Print a finding, unless the same was printed before. */
void findings_add(struct findings *f, const struct findings_one *one);

void findings_free(struct findings *f);

#endif
