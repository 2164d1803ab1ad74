/* ISC licence, see LICENSE. */
#define _GNU_SOURCE /* mkostemp */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/table.h"
#include "chain/limits.h"

void
job_blame(struct job *j, size_t line, const char *why)
{
	if (j->bad++ >= COMPLAINTS)
		return;
	if (line > 0)
		fprintf(stderr, "msa-table: %s:%zu: %s\n", j->text_name, line, why);
	else
		fprintf(stderr, "msa-table: %s: %s\n", j->path, why);
}

/* Complain about a value that the text or the table cannot have. */
static void
blame_value(struct job *j, const struct record *r, const char *why)
{
	char text[USERTABLE_WHY_MAX];

	snprintf(text, sizeof text, "record of %.*s: %s", (int)(r->key_len < 100 ? r->key_len : 100), r->key, why);
	job_blame(j, r->line, text);
}

/* Complain with strerror(errno). Returns CHAIN_LATER. */
static int
fail(const char *name)
{
	fprintf(stderr, "msa-table: %s: %s\n", name, strerror(errno));
	return CHAIN_LATER;
}

/* Returns CHAIN_DONE, or CHAIN_MISUSE if there were complaints. */
static int
outcome(const struct job *j)
{
	if (j->bad > COMPLAINTS)
		fprintf(stderr, "msa-table: %zu more records are invalid\n", j->bad - COMPLAINTS);
	return j->bad > 0 ? CHAIN_MISUSE : CHAIN_DONE;
}

/* Returns the line of the first record whose key is that of r. */
static size_t
first_line(const struct kind *k, const char *text, size_t n, const struct record *r)
{
	struct buf value = { 0 };
	struct record one = { .line = 0 };
	const char *why;
	struct text t;

	text_begin(&t, text, n, false);
	while (text_next(&t, &one) == 1)
		if (kind_encode(k, &one, &value, &why) == 0 && one.key_len == r->key_len &&
		    memcmp(one.key, r->key, r->key_len) == 0)
			break;
	text_free(&t);
	buf_free(&value);
	return one.line;
}

/* Add a record to the table. Returns 0, also after a complaint; or -1 with errno set. */
static int
add(struct job *j, struct cdb_make *make, const struct record *r, const char *text, size_t n)
{
	char why[120];
	int found;

	if (r->key_len > TABLE_KEY_MAX) {
		snprintf(why, sizeof why, "a key longer than %d octets", TABLE_KEY_MAX);
		job_blame(j, r->line, why);
		return 0;
	}
	if (usertable_check(&j->form, NULL, r->key, r->key_len, r->value, r->value_len) < 0) {
		job_blame(j, r->line, j->form.why);
		return 0;
	}
	found = cdb_make_exists(make, r->key, (unsigned)r->key_len);
	if (found > 0) {
		snprintf(why, sizeof why, "a second record of this key; line %zu has the first",
		    first_line(j->kind, text, n, r));
		job_blame(j, r->line, why);
		return 0;
	}
	return found < 0 || cdb_make_add(make, r->key, (unsigned)r->key_len, r->value, (unsigned)r->value_len) < 0 ? -1 : 0;
}

/*
 * Read the text: add each record to make; or, if make is NULL, ask whether it can be used in the whole table t. Returns
 * 0, also after complaints; or -1 with errno set.
 */
static int
read_text(struct job *j, const char *text, size_t n, struct cdb_make *make, struct table *t)
{
	struct buf value = { 0 };
	struct record r;
	struct text at;
	const char *why;
	int more, result = 0;

	text_begin(&at, text, n, false);
	while (result == 0 && (more = text_next(&at, &r)) != 0)
		if (more < 0)
			job_blame(j, r.line, at.why);
		else if (kind_encode(j->kind, &r, &value, &why) < 0)
			blame_value(j, &r, why);
		else if (make)
			result = add(j, make, &r, text, n);
		else if (usertable_check(&j->form, t, r.key, r.key_len, r.value, r.value_len) < 0)
			job_blame(j, r.line, j->form.why);
	text_free(&at);
	buf_free(&value);
	return result;
}

/* Write the table to fd, whose name is path, and read it as its stage does. Returns 0, also after complaints; or -1. */
static int
write_table(struct job *j, int fd, const char *path, const char *text, size_t n)
{
	struct cdb_make make;
	struct table t;
	int r;

	if (cdb_make_start(&make, fd) < 0)
		return -1;
	r = read_text(j, text, n, &make, NULL);
	if (cdb_make_finish(&make) < 0 || r < 0)
		return -1;
	if (table_open(&t, path) < 0)
		return -1;
	if (j->bad == 0 && j->form.bad_record)
		read_text(j, text, n, NULL, &t);
	table_close(&t);
	return 0;
}

/* Give fd the mode and owner of the file that it replaces, or those of a new file. Returns 0, or -1 with errno set. */
static int
dress(int fd, const char *path)
{
	mode_t mask = umask(0);
	struct stat old, new;

	umask(mask);
	if (stat(path, &old) < 0)
		return errno == ENOENT ? fchmod(fd, 0666 & ~mask) : -1;
	if (fstat(fd, &new) < 0 ||
	    ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) && fchown(fd, old.st_uid, old.st_gid) < 0))
		return -1;
	return fchmod(fd, old.st_mode & 0777);
}

/* Flush the file's name to the disk. Returns 0, or -1 with errno set. */
static int
sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int r = directory ? os_sync_dir(AT_FDCWD, directory) : -1;

	free(directory);
	return r;
}

/* Make the table at temporary, open as fd, and give it its name, path. Returns the exit code. */
static int
make(struct job *j, int fd, const char *temporary, const char *path, const char *text, size_t n)
{
	if (write_table(j, fd, temporary, text, n) < 0)
		return fail(j->path);
	if (j->bad > 0)
		return outcome(j);
	if (dress(fd, path) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0 || sync_name(path) < 0)
		return fail(j->path);
	return CHAIN_DONE;
}

int
build_table(struct job *j, const char *text, size_t n)
{
	char *real = realpath(j->path, NULL); /* what a symbolic link names is replaced, not the link */
	const char *path = real ? real : j->path;
	struct buf temporary = { 0 };
	int fd = -1, code;

	if (buf_printf(&temporary, "%s.XXXXXX", path) == 0)
		fd = mkostemp(temporary.p, O_CLOEXEC);
	if (fd < 0)
		code = fail(j->path);
	else {
		code = make(j, fd, temporary.p, path, text, n);
		if (code != CHAIN_DONE)
			unlink(temporary.p);
		close(fd);
	}
	buf_free(&temporary);
	free(real);
	return code;
}

/* Open the table. Returns 0, or the exit code after a complaint. */
static int
open_table(struct job *j, struct table *t)
{
	if (table_open(t, j->path) == 0)
		return 0;
	fprintf(stderr, "msa-table: %s: %s\n", j->path, table_why(errno));
	return errno == EPROTO ? CHAIN_MISUSE : CHAIN_LATER;
}

/* Take the next record of t. Returns 1, 0 at the end, or -1 after a complaint: the table is damaged. */
static int
next(struct job *j, struct table *t, unsigned *pos, struct record *r)
{
	int more = cdb_seqnext(pos, &t->cdb);

	if (more == 0)
		return 0;
	if (more > 0) {
		*r = (struct record){ .key = cdb_getkey(&t->cdb), .value = cdb_getdata(&t->cdb),
			.key_len = cdb_keylen(&t->cdb), .value_len = cdb_datalen(&t->cdb) };
		if (r->key && r->value)
			return 1;
	}
	job_blame(j, 0, "damaged");
	return -1;
}

int
build_check(struct job *j)
{
	struct record r;
	struct table t;
	unsigned pos;
	int code = open_table(j, &t);

	if (code)
		return code;
	cdb_seqinit(&pos, &t.cdb);
	while (next(j, &t, &pos, &r) == 1)
		if (usertable_check(&j->form, &t, r.key, r.key_len, r.value, r.value_len) < 0)
			job_blame(j, 0, j->form.why);
	table_close(&t);
	return outcome(j);
}

/* Print a record. Returns 0, also after a complaint; or -1 with errno set (ENOMEM). */
static int
print(struct job *j, struct record *r, struct buf *value, struct buf *line)
{
	const char *why;

	buf_clear(line);
	if (kind_decode(j->kind, r, value, &why) < 0) {
		blame_value(j, r, why);
		return 0;
	}
	if (text_add(line, r) < 0)
		return -1;
	fwrite(line->p, 1, line->len, stdout);
	return 0;
}

int
build_print(struct job *j)
{
	struct buf value = { 0 }, line = { 0 };
	struct record r;
	struct table t;
	unsigned pos;
	int code = open_table(j, &t), failed = 0;

	if (code)
		return code;
	cdb_seqinit(&pos, &t.cdb);
	while (failed == 0 && next(j, &t, &pos, &r) == 1) {
		const char *found;

		/* only the first record of a key is ever found */
		if (table_get(&t, r.key, r.key_len, &found, NULL) == 1 && found != r.value)
			continue;
		failed = print(j, &r, &value, &line);
	}
	if (failed < 0 || fflush(stdout) != 0)
		code = fail("standard output");
	table_close(&t);
	buf_free(&value);
	buf_free(&line);
	return code ? code : outcome(j);
}
