/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_TABLE_H
#define MSA_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include <cdb.h>

enum { TABLE_KEY_MAX = 512 }; /* octets; a longer key is never found */

/* Identifies a file and its content. */
struct table_file {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

/* Returns the file that path names now, or zeroes, with errno set, if the file is missing or cannot be looked at. */
struct table_file table_file_look(const char *path);

/* The same for an open file. */
struct table_file table_file_of(int fd);

/* Returns true if both are the same content of the same file. ctime does not count: it changes with mode and links. */
bool table_file_is_same(const struct table_file *a, const struct table_file *b);

/*
 * A read-only table: a cdb file, mapped once (before privileges are dropped) and searched by key. No descriptor stays
 * open. To change a table, write a new file and rename it: a process that has mapped the old file keeps it until it
 * opens the table again. A program that uses this module links with -lcdb.
 */
struct table {
	const char *path; /* borrowed */
	struct cdb cdb;

	/* The rest is the module's own. */
	struct table_file file;    /* the file that is mapped */
	struct table_file refused; /* the newer file that cannot be used */
	bool has_refused;
	int error; /* of table_open; 0: none */
};

/* Returns 0, or -1 with errno set (EPROTO: not a cdb file, or cut off). Close only a table that was opened. */
int table_open(struct table *t, const char *path);

/*
 * Returns true if the path no longer names the file that is open. A file given to table_refuse does not count until
 * something about it changes, its mode and owner included.
 */
bool table_changed(const struct table *t);

/* Close t and put fresh, an open table, in its place. fresh must not be used afterwards. */
void table_replace(struct table *t, const struct table *fresh);

/* Keep t, because table_open of fresh failed or its records are invalid. See table_changed. */
void table_refuse(struct table *t, const struct table *fresh);

/* Returns the text of an errno that table_open set. */
const char *table_why(int error);

/*
 * Find the first value of a key. value and len may be NULL. *value is borrowed until table_close and has no NUL.
 * Returns 1 (found), 0 (not found), or -1 with errno set (EPROTO: the file is damaged).
 */
int table_get(struct table *t, const char *key, size_t n, const char **value, size_t *len);

/* As table_get, with the letters A to Z of the key in lower case. */
int table_get_lower(struct table *t, const char *key, size_t n, const char **value, size_t *len);

void table_close(struct table *t);

#endif
