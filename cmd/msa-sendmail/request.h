/* ISC licence, see LICENSE. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stdio.h>

/* What a program asks of sendmail: its command line, in the form that sendmail has had since the 1980s. */
enum request_mode {
	REQUEST_SEND,    /* a message on standard input */
	REQUEST_SESSION, /* -bs: SMTP on standard input and output */
	REQUEST_LIST,    /* -bp, mailq */
	REQUEST_NOTHING, /* -bi, newaliases, -q: there is nothing to do */
};

struct request {
	enum request_mode mode;
	bool by_header;       /* -t: the recipients stand in the header */
	bool is_verbose;      /* -v: the log stays on standard error */
	bool dot_is_text;     /* -i: a line of a single dot does not end the message */
	const char *sender;   /* -f, -r; NULL: the user */
	const char *full_name; /* -F; NULL: not given */
	const char *ret, *notify, *envid; /* -R, -N, -V; NULL: not given */
	const char *chain;    /* -C: the file of the message chain, or the default */
	const char *domain;   /* -D; NULL: not given */
	char **rcpts;         /* the words after the options, up to NULL; borrowed */
};

/* What the usage says after the name. */
extern const char request_usage[];

/* Read the command line. Returns 0, or EX_USAGE after printing to errors what is wrong. */
int request_read(struct request *q, int argc, char *argv[], FILE *errors);

#endif
