/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_WORDS_H
#define MSA_EXPLAIN_WORDS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/* The first program of a chain's words, and what it says about its own words (stage/ask.h). */
enum { WORDS_OPTIONS = 64, WORDS_FAULT = 400 };

struct words {
	char **argv;            /* the words of the chain, up to NULL */
	const char *name;       /* of the program, without its directory */
	char path[PATH_MAX];    /* of the program; "" if no program was found: fault says so */
	size_t own;             /* words that are the program's; argv[own] is the next program, if any */
	bool is_ours;           /* it has answered; otherwise own is a guess: up to the next program that would answer */
	bool is_session;        /* a stage that serves sessions */
	bool calls;             /* the words end with "call PATH" */
	bool ends;              /* it delivers: no program may follow */
	const char *calls_not;  /* "call": why that resident cannot be called; "": it can, or this is another word */
	char fault[WORDS_FAULT]; /* the first thing that is wrong with the words; "": nothing */
	struct words_option {
		char letter;
		const char *value; /* "": it takes none */
	} option[WORDS_OPTIONS];
	size_t noptions;
	struct buf answer;      /* owns the texts */
};

/* Ask the program argv[0]. w is overwritten. */
void words_read(struct words *w, char **argv);
void words_free(struct words *w);

/* The stages of one process are explained like others: returns argv without "inline" at its beginning. */
char **words_inner(char **argv);

/* Returns the value of the last option with this letter, or NULL: the words have none. */
const char *words_option(const struct words *w, char letter);

#endif
