/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_NEXT_H
#define MSA_STAGE_NEXT_H

struct instance;

/* The next program of a stage, and how to reach it. Made once, when the stage reads its words. */
struct next {
	enum next_how {
		NEXT_NONE,  /* no word is left: the stage delivers, or is a filter */
		NEXT_EXEC,  /* a program */
		NEXT_CALL,  /* "call PATH": the resident stage that listens at path */
		NEXT_INNER, /* a stage in this process, inline(8) */
	} how;
	char *const *argv;            /* the words, for every way; borrowed */
	const char *path;             /* NEXT_CALL; borrowed */
	const struct instance *inner; /* NEXT_INNER; borrowed */
};

enum { NEXT_WORDS = 64 }; /* the most words of a command that is the value of an option */

/*
 * Split s, the value of an option, into words at blanks; no word can contain one. The words are parts of s, which is
 * changed; next is made of them. Returns 0, or -1: there is no word, or more than NEXT_WORDS.
 */
int next_split(struct next *next, char *words[NEXT_WORDS + 1], char *s);

/* Read argv, the words that follow a stage's own, up to NULL. */
struct next next_parse(char *const argv[]);

#endif
