/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_ASK_H
#define MSA_STAGE_ASK_H

#include <stdbool.h>

#include "msa/buf.h"

/* Asking a program what is wrong with its words, base/finding.h. */

/* Returns true if the file is a program that can be asked: it has finding_mark in it, and is no script. */
bool ask_can(const char *path);

struct ask {
	const char *path;   /* the program */
	char *const *argv;  /* its name and words */
	bool in_chain;      /* its words are a message chain, or part of one */
	bool network;       /* it may ask other hosts */
	bool options;       /* it names the options that its words have */
	const char *user;   /* it takes this user's uid first, if we are root; NULL: it keeps ours */
};

/*
 * Ask. *answer becomes what the program wrote to fd 1 without the mark, *errors what it wrote to fd 2; the caller frees
 * both.
 * Returns the exit code, or -1 and *why: there is no answer.
 */
int ask(const struct ask *a, struct buf *answer, struct buf *errors, const char **why);

/* Records of an answer have so many fields, see base/finding.h; those that are missing are empty. */
enum { ASK_FIELDS = 5 };

/* Call take for each record of an answer, which is cut into strings. arg is the caller's. */
void ask_records(char *answer, void (*take)(void *arg, char *const field[ASK_FIELDS]), void *arg);

#endif
