/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_TABLE_H
#define MSA_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cdb.h>

enum { TABLE_KEY_MAX = 512 }; /* octets; a longer key is never found */

/*
 * A read-only table: a cdb file, mapped once (before privileges are dropped) and searched by key. No descriptor stays
 * open. To change a table, write a new file and rename it: a process that has mapped the old file keeps it until it
 * opens the table again. A program that uses this module links with -lcdb.
 */
struct table {
	const char *path; /* borrowed */
	struct cdb cdb;
	struct stat st;   /* of the file that is mapped, or of the one that table_changed spoke of */
};

/* Open the table at path. Returns 0, or -1 with errno set (EPROTO: not a cdb file). */
int table_open(struct table *t, const char *path);

/* The file at the path is another one than t was opened from, or is gone. Said once of each such change. */
bool table_changed(struct table *t);

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
