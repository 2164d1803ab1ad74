/* ISC licence, see LICENSE. */
#ifndef MSA_CHECK_LINE_H
#define MSA_CHECK_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "findings.h"

/* A command line, or a chain that a stage starts beside its own: what its programs have answered. */
enum {
	LINE_STAGES = 64, /* of one line that are kept */
	LINE_PATH = 256,
	LINE_ALLOW = 64,  /* users of -A that are kept */
};

struct line {
	char **argv;             /* the words, up to NULL */
	char *user;              /* takes the first word; NULL: ours. Then the one that a stage has taken (-U); owned */
	bool user_given;         /* a stage has taken it */
	bool in_chain;           /* the first word is in a message chain */
	char *place;             /* owned; "": a command line */
	struct line_stage {
		char name[32];
		bool is_message;
		bool starts; /* what follows is the chain of a message */
	} stage[LINE_STAGES];
	size_t n;
	long parent;             /* the line whose stage parent_stages - 1 starts this one; -1: a command line */
	size_t parent_stages;
	char listen[LINE_PATH];  /* -l; "": none */
	char calls[LINE_PATH];   /* the resident that is called last; "": none */
	char why[256];           /* it cannot be called; "": it can */
	long allow[LINE_ALLOW];  /* uids that may call, besides root and the resident's own user */
	size_t nallow;
	bool groups;             /* members of a group may call too */
	long workers;            /* at most, of a resident */
	long connections, early; /* at most, of tlsd -l; 0: no such server */
	bool starts;             /* a message chain has begun */
	bool checks;             /* the last stage only checks the recipients */
	bool foreign;            /* the last program is not ours, so its own next program is unknown */
	bool ended;              /* the last stage delivers, or calls */
};

struct lines {
	struct line *v; /* owned */
	size_t n;
	bool network;   /* next hops are asked too */
	struct findings *findings;
};

/* Add a line; place: see struct line. Returns it, valid until the next one is added, or NULL: no memory. */
struct line *lines_add(struct lines *l, char **argv, const char *place);

/* Ask the programs of the line i about their words, one after the other. Adds lines for the chains beside it. */
void lines_walk(struct lines *l, size_t i);

void lines_free(struct lines *l);

#endif
