/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_TABLE_H
#define MSA_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cdb.h>

enum { TABLE_KEY_MAX = 512 }; /* octets; a longer key is never there */

/*
 * A read-only table: a cdb file, mapped once by main (before privileges are dropped) and looked up by key. No
 * descriptor stays open. Whoever changes a table writes a new file and renames it; who has the old one keeps
 * it until he opens the new one. Link with LIBS_cdb.
 */
struct table {
	const char *path; /* borrowed */
	struct cdb cdb;
	struct stat st;   /* of the file that is mapped, or of the one that table_changed spoke of */
};

/* 0: t is open. -1 with errno (EPROTO: not a cdb file). */
int table_open(struct table *t, const char *path);

/* The file at the path is another one than t was opened from, or is gone. Said once of each such change. */
bool table_changed(struct table *t);

/* What errno says of a table. */
const char *table_why(int error);

/*
 * The first value of a key. 1: found; *value (borrowed until table_close, no NUL behind it) and *len, where not NULL.
 * 0: not there. -1: the file is damaged, errno EPROTO.
 */
int table_get(struct table *t, const char *key, size_t n, const char **value, size_t *len);

/* The same with the letters A to Z of the key in lower case. */
int table_get_lower(struct table *t, const char *key, size_t n, const char **value, size_t *len);

void table_close(struct table *t);

#endif
