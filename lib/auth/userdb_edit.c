/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkostemp */
#endif
#include "auth/userdb_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/credential.h"
#include "base/base64.h"
#include "base/os.h"

int
userdb_make_scram(struct buf *out, const char *password, size_t len, unsigned iterations, unsigned hashes)
{
	struct credential_scram v = { .iterations = iterations, .salt_len = CREDENTIAL_SALT };
	size_t i, start = out->len;
	int r = 0;

	for (i = 0; r == 0 && i < CREDENTIAL_HASHES; i++) {
		if (!(hashes & 1U << i))
			continue;
		v.hash = &credential_hashes[i];
		if (os_random(v.salt, CREDENTIAL_SALT) < 0 || credential_scram_compute(&v, password, len) < 0 ||
		    (out->len > start && buf_puts(out, " ") < 0) || credential_scram_format(out, &v) < 0)
			r = -1;
	}
	explicit_bzero(&v, sizeof v);
	return r;
}

int
userdb_make_random(struct buf *out, const char *password, size_t len)
{
	unsigned char salt[CREDENTIAL_SALT], hash[CREDENTIAL_HASH];

	if (os_random(salt, CREDENTIAL_SALT) < 0 || credential_random_hash(hash, salt, CREDENTIAL_SALT, password, len) < 0)
		return -1;
	return buf_puts(out, "SSHA256$") < 0 || base64_encode(out, salt, CREDENTIAL_SALT) < 0 || buf_puts(out, "$") < 0 ||
	    base64_encode(out, hash, CREDENTIAL_HASH) < 0 ? -1 : 0;
}

/*
 * Append a verifier of SCRAM that is len characters long: as it is, or Dovecot's "{MECHANISM}iterations,salt,StoredKey,
 * ServerKey" in that form. What else it is stays, and is found invalid. Returns 0, or -1 with errno ENOMEM.
 */
static int
import_verifier(struct buf *out, const char *s, size_t len)
{
	static const char marks[] = ":$:";
	size_t i, n, at;

	for (i = 0; i < CREDENTIAL_HASHES; i++) {
		n = strlen(credential_hashes[i].mech);
		if (len > n + 2 && *s == '{' && s[n + 1] == '}' && strncasecmp(s + 1, credential_hashes[i].mech, n) == 0)
			break;
	}
	if (i == CREDENTIAL_HASHES)
		return buf_add(out, s, len);
	if (buf_printf(out, "%s$", credential_hashes[i].mech) < 0)
		return -1;
	for (at = n + 2, i = 0; at < len; at++)
		if (buf_add(out, s[at] == ',' && marks[i] ? &marks[i++] : s + at, 1) < 0)
			return -1;
	return 0;
}

/* Append verifiers of SCRAM, a space between. Returns as import_verifier. */
static int
import_scram(struct buf *out, const char *s)
{
	size_t n;
	int r = 0;

	for (; r == 0 && *s; s += n) {
		n = strcspn(s, " ");
		r = n > 0 ? import_verifier(out, s, n) : buf_add(out, s, ++n); /* a space */
	}
	return r;
}

int
userdb_import(struct buf *out, const char *credential)
{
	static const struct {
		const char *prefix, *hash; /* and how the hash begins */
	} table[] = {
		{ "{CRYPT}", "$" },
		{ "{SHA512-CRYPT}", "$6$" },
		{ "{SHA256-CRYPT}", "$5$" },
		{ "{MD5-CRYPT}", "$1$" },
		{ "{BLF-CRYPT}", "$2" },
	};
	static const char scram[] = "{SCRAM-";
	size_t i, was = out->len, n;
	int r = 0;

	if (strncasecmp(credential, scram, sizeof scram - 1) == 0 || credential_is_scram(credential))
		r = import_scram(out, credential);
	else {
		for (i = 0; i < sizeof table / sizeof *table; i++) {
			n = strlen(table[i].prefix);
			if (strncasecmp(credential, table[i].prefix, n) == 0 &&
			    strncmp(credential + n, table[i].hash, strlen(table[i].hash)) == 0) {
				credential += n;
				break;
			}
		}
		r = buf_puts(out, credential);
	}
	if (r == 0 && credential_is_valid(out->p + was))
		return 0;
	if (r == 0)
		errno = EINVAL;
	out->len = was;
	return -1;
}

/*
 * Follow the symbolic links of path, so that the file is replaced and not a link to it. The file need not exist.
 * Returns the path, which the caller frees, or NULL with errno set.
 */
static char *
resolve(const char *path)
{
	char *whole = realpath(path, NULL), *copy, *dir, *base;
	struct buf b = { 0 };

	if (whole || errno != ENOENT)
		return whole;
	copy = strdup(path);
	dir = copy ? realpath(dirname(copy), NULL) : NULL;
	free(copy);
	if (!dir)
		return NULL;
	base = strrchr(path, '/');
	if (buf_printf(&b, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, base ? base + 1 : path) < 0)
		buf_free(&b);
	free(dir);
	return b.p;
}

int
userdb_change_begin(struct userdb_change *c, const char *path, const char **why)
{
	char *copy;

	*c = (struct userdb_change){ .lock = -1 };
	*why = NULL;
	c->path = resolve(path);
	copy = c->path ? strdup(c->path) : NULL;
	if (copy)
		c->lock = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	/* Lock the directory: a lock on the file would go away with the file. */
	if (c->lock < 0 || flock(c->lock, LOCK_EX) < 0) {
		userdb_change_end(c);
		return -1;
	}
	if (userdb_open(&c->old, c->path, why) == 0)
		c->exists = true;
	else if (errno != ENOENT) {
		int e = errno;

		userdb_change_end(c);
		errno = e;
		return -1;
	}
	return 0;
}

int
userdb_change_get(struct userdb_change *c, const char *name, struct buf *value)
{
	return c->exists ? userdb_get(&c->old, name, value) : 0;
}

int
userdb_change_next(struct userdb_change *c, unsigned *pos, struct buf *name, struct buf *value)
{
	const void *p;
	int r;

	if (!c->exists)
		return 0;
	if (*pos == 0)
		cdb_seqinit(pos, &c->old.cdb);
	while ((r = cdb_seqnext(pos, &c->old.cdb)) == 1) {
		if (cdb_keylen(&c->old.cdb) == 0)
			continue;
		buf_clear(name);
		buf_clear(value);
		p = cdb_getkey(&c->old.cdb);
		if (!p || buf_add(name, p, cdb_keylen(&c->old.cdb)) < 0)
			return -1;
		p = cdb_getdata(&c->old.cdb);
		if (!p || buf_add(value, p, cdb_datalen(&c->old.cdb)) < 0)
			return -1;
		return 1;
	}
	return r;
}

int
userdb_change_similar(struct userdb_change *c, const char *name, struct buf *other)
{
	struct buf value = { 0 };
	unsigned pos = 0;
	int r;

	while ((r = userdb_change_next(c, &pos, other, &value)) == 1)
		if (strcasecmp(other->p, name) == 0 && strcmp(other->p, name) != 0)
			break;
	buf_wipe(&value);
	return r;
}

/* How many users have which iterations. */
struct tally {
	struct userdb_count count[USERDB_COUNTS_MAX];
	size_t n;
};

/* Count a user. More different iterations than there is room for are not counted. */
static void
count_user(struct tally *t, const struct buf *value)
{
	unsigned iterations = userdb_iterations(value);
	size_t i;

	for (i = 0; i < t->n && t->count[i].iterations != iterations; i++)
		;
	if (iterations == 0 || i == USERDB_COUNTS_MAX)
		return;
	if (i == t->n)
		t->count[t->n++] = (struct userdb_count){ .iterations = iterations };
	t->count[i].users++;
}

/* Add key "" to the new store, whose users were counted. Returns 0, or -1 with errno set. */
static int
add_format(struct cdb_make *make, struct userdb_change *c, unsigned iterations, const struct tally *t)
{
	unsigned char secret[USERDB_SECRET];
	struct buf b = { 0 };
	size_t i;
	int r;

	if (!c->exists && os_random(secret, sizeof secret) < 0)
		return -1;
	if (c->exists)
		memcpy(secret, c->old.secret, sizeof secret);
	if (iterations == 0)
		iterations = c->exists ? c->old.iterations : USERDB_ITERATIONS;
	r = buf_printf(&b, "1:%u", iterations);
	for (i = 0; r == 0 && (t->n > 1 || (t->n == 1 && t->count[0].iterations != iterations)) && i < t->n; i++)
		r = buf_printf(&b, ",%u*%u", t->count[i].iterations, t->count[i].users);
	r = r < 0 || buf_puts(&b, ":") < 0 || base64_encode(&b, secret, sizeof secret) < 0 ||
	    cdb_make_add(make, "", 0, b.p, (unsigned)b.len) < 0 ? -1 : 0;
	explicit_bzero(secret, sizeof secret);
	buf_wipe(&b);
	return r;
}

static int
compare_item(const void *name, const void *item)
{
	return strcmp(name, ((const struct userdb_item *)item)->name);
}

const struct userdb_item *
userdb_item_find(const struct userdb_item *item, size_t n, const char *name)
{
	return n ? bsearch(name, item, n, sizeof *item, compare_item) : NULL;
}

/* Write the new store to fd, as userdb_change_commit says. Returns 0, or -1 with errno set. */
static int
write_store(int fd, struct userdb_change *c, const struct userdb_item *item, size_t n, bool only, unsigned iterations)
{
	struct buf old_name = { 0 }, old_value = { 0 };
	struct tally tally = { .n = 0 };
	struct cdb_make make;
	unsigned pos = 0;
	size_t i;
	int r, ok = 1;

	if (cdb_make_start(&make, fd) < 0)
		return -1;
	while (ok && !only && (r = userdb_change_next(c, &pos, &old_name, &old_value)) != 0) {
		if (r == 1 && userdb_item_find(item, n, old_name.p))
			continue;
		ok = r == 1 && cdb_make_add(&make, old_name.p, (unsigned)old_name.len, old_value.p, (unsigned)old_value.len) == 0;
		count_user(&tally, &old_value);
	}
	for (i = 0; ok && i < n; i++) {
		if (!item[i].value)
			continue;
		ok = cdb_make_add(&make, item[i].name, (unsigned)strlen(item[i].name), item[i].value->p,
		    (unsigned)item[i].value->len) == 0;
		count_user(&tally, item[i].value);
	}
	ok = ok && add_format(&make, c, iterations, &tally) == 0;
	buf_wipe(&old_name);
	buf_wipe(&old_value);
	return cdb_make_finish(&make) == 0 && ok && fsync(fd) == 0 ? 0 : -1;
}

enum userdb_commit
userdb_change_commit(struct userdb_change *c, const struct userdb_item *item, size_t n, bool only, unsigned iterations)
{
	struct buf path = { 0 };
	struct stat st, now;
	int fd, e;

	if (buf_printf(&path, "%s.XXXXXX", c->path) < 0)
		return USERDB_COMMIT_FAILED;
	fd = mkostemp(path.p, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		e = errno;
		buf_free(&path);
		errno = e;
		return USERDB_COMMIT_FAILED;
	}
	if (write_store(fd, c, item, n, only, iterations) < 0 ||
	    (c->exists && (fstat(c->old.fd, &st) < 0 || fstat(fd, &now) < 0 ||
	    ((st.st_uid != now.st_uid || st.st_gid != now.st_gid) && fchown(fd, st.st_uid, st.st_gid) < 0) ||
	    fchmod(fd, st.st_mode & 0777) < 0)) ||
	    rename(path.p, c->path) < 0) {
		e = errno;
		unlink(path.p);
		close(fd);
		buf_free(&path);
		errno = e;
		return USERDB_COMMIT_FAILED;
	}
	close(fd);
	buf_free(&path);
	return os_sync_dir(c->lock, ".") < 0 ? USERDB_COMMIT_UNFLUSHED : USERDB_COMMIT_DONE;
}

void
userdb_change_end(struct userdb_change *c)
{
	int e = errno;

	if (c->exists)
		userdb_close(&c->old);
	if (c->lock >= 0)
		close(c->lock);
	free(c->path);
	*c = (struct userdb_change){ .lock = -1 };
	errno = e;
}
