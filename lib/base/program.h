/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_PROGRAM_H
#define MSA_BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The programs of this package, and how each finds another. Most of them are words of a chain, and some have names that
 * the system uses for programs of its own (route, trace, limit). They are installed in a directory of ours, which is in
 * nobody's PATH.
 */

/* The version of this package: "1.2.3". */
extern const char program_version[];

/*
 * Find a program as program_exec does: a word with a slash is a path, any other word is looked up in the directory of
 * the words and then in path (PATH's value; NULL: the system's default).
 * Returns 0 if the program is there and may be executed, or -1 with errno set (ENOENT, EACCES ...).
 */
int program_find(const char *word, const char *path);

/* The same, and *found is where the program is; it has room for PATH_MAX octets. */
int program_locate(const char *word, const char *path, char *found);

/* The directory of the words, as an element of PATH; "": this package is not installed. */
const char *program_directory(void);

/*
 * Become the program argv[0], found as program_find says. The directory of the words is put at the end of its PATH, so
 * that scripts find rewind and envelope. Returns only if this fails: -1 with errno set.
 */
int program_exec(char *const argv[]);

/*
 * Answer "--version" and "--help", if one of them is the only argument: print "name (ucspi-msa) version", or the usage
 * and the name of the page, on standard output. usage is what follows the program's name. Returns true if answered.
 */
bool program_answers(const char *name, const char *usage, int argc, char *const argv[]);

/* Print "name: " and the text on descriptor 2, with strerror(errno) if fmt ends with a colon. Returns code. */
int program_complain(const char *name, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
