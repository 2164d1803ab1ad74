/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_SUBMISSION_H
#define MSA_DELIVER_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "stage/call.h"
#include "stage/next.h"

/*
 * A message that a program of this machine hands to a message chain, outside of any session: submit(8) and
 * msa-sendmail(8). The answer is an exit code of sysexits, and what is wrong is printed behind the name of the program.
 */
struct submission {
	const char *name;          /* of the program */
	FILE *errors;              /* what is wrong is printed there */
	const char *sender;        /* without brackets; "": the null reverse-path */
	char **rcpt;               /* n addresses without brackets, owned */
	size_t n;
	const char *mail_params, *rcpt_params; /* of the envelope, each with a space in front; "": none */
	int seconds;               /* for the chain's answer */
	struct next next;
	struct call call;          /* its facts, and its log */
	int message;               /* descriptor of the message file, owned; -1: none yet */
	bool is_8bit;              /* the message has octets over 127 */
};

/* Begin a submission for a program of this name, with standard error as errors. */
void submission_init(struct submission *s, const char *name);

/* Add a recipient. Returns an exit code: EX_OK, or after printing why not. */
int submission_add(struct submission *s, const char *address);

/* Check sender and recipients before the message is read. Returns an exit code likewise. */
int submission_check(const struct submission *s);

/* Give the message to the chain, print each refusal, and log the result. Returns the exit code, that of the verdict. */
int submission_run(struct submission *s);

void submission_free(struct submission *s);

/* Print what is wrong with word ("": none). submission_failed: what errno says. Both return code. */
int submission_wrong(const struct submission *s, int code, const char *word, const char *what);
int submission_failed(const struct submission *s, int code, const char *word);

#endif
