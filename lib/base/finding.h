/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_FINDING_H
#define MSA_BASE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What msa-check(8) and msa-explain(8) ask a program: "NAME --check LETTERS WORD ..." has the program NAME read its
 * words and open its files as in earnest, write to fd 1 what is wrong, and end. A program that can be asked so has the
 * octets of finding_mark in its file: no other program is started for it.
 *
 * The answer is finding_mark, then records, each a line of fields between tabs:
 *   error NAME WORD WHAT CURE    what is wrong with WORD, an option, a file or a program (may be empty), and what to do
 *                                (empty: msa-check knows)
 *   warning NAME WORD WHAT CURE  what works, but not well, or not much longer
 *   stage NAME KIND      a stage of the chain, "session" or "message", or "either": as those before it; inline has many
 *   calls PATH WHAT      the next stage is the resident that listens at PATH; WHAT: why it cannot be called, or empty
 *   starts message       what follows is the chain of a message
 *   next N               the words from the N-th on are the next program
 *   ends                 no program may follow
 *   checks               the stage only checks the recipients
 *   option LETTER VALUE  an option that the words have; only if the letters of the question have an o
 *   chain LABEL          the words that follow in records "word W" are a message chain, which LABEL names
 *   program WORD         the shell runs this program
 *   listen PATH, user NAME, allow UID, group GID, workers N, connections N, early N
 */
extern const char finding_mark[];

/* The question, as the program was asked it. */
struct finding {
	const char *name; /* of the program, or of the stage that is examined */
	bool network;     /* other hosts may be asked whether they answer */
	bool options;     /* the options of the words are named */
};

/*
 * Returns true if the program is asked. Then argv begins with the program's name and its words, *f is set, and the
 * answer has begun.
 */
bool finding_asked(struct finding *f, const char *name, int *argc, char **argv[]);

/* Report what is wrong. cure: what to do; NULL: msa-check has a cure for the text. */
void finding_error(const struct finding *f, const char *word, const char *cure, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void finding_warning(const struct finding *f, const char *word, const char *cure, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Name the resident that is called next. why: it cannot be called; NULL: it can. */
void finding_calls(const char *path, const char *why);

/* Name an option that the words have; value NULL: it takes none. */
void finding_option(int letter, const char *value);

/* Write another record: "user", "msa". */
void finding_fact(const char *key, const char *value);
void finding_number(const char *key, long long value);

/* Describe a stage: its name and "session", "message" or "either". */
void finding_stage(const char *name, const char *kind);

/* Describe a message chain beside the next program. */
void finding_chain(const char *label, char *const words[]);

#endif
