/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkostemp, crypt_ra */
#endif
#include "auth/userdb.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/os.h"
#include "smtp/addr.h"

enum {
	HASH = SHA256_DIGEST_LENGTH,
	SALT = 16,
	SALT_MAX = 64,
	FIELD_MAX = 128, /* characters of a salt or hash in base64 */
};

static const char scram_prefix[] = "SCRAM-SHA-256$";
static const char random_prefix[] = "SSHA256$";

struct scram {
	unsigned iterations;
	unsigned char salt[SALT_MAX], stored[HASH], server[HASH];
	size_t salt_len;
};

/* One line of a value. */
struct credential {
	char *label, *text; /* NUL-ended */
};

static bool
has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The number before ':' at *s, within the limits on iterations; *s moves behind it. 0: none. */
static unsigned
take_iterations(const char **s)
{
	unsigned long n = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9' && n <= USERDB_ITERATIONS_MAX; p++)
		n = n * 10 + (unsigned long)(*p - '0');
	if (*p != ':' || n < USERDB_ITERATIONS_MIN || n > USERDB_ITERATIONS_MAX)
		return 0;
	*s = p + 1;
	return (unsigned)n;
}

/* The base64 field at *s that ends with stop; *s moves behind it. How many octets, or -1. */
static ssize_t
take_field(const char **s, char stop, unsigned char *out, size_t cap)
{
	unsigned char raw[FIELD_MAX];
	const char *end = strchr(*s, stop);
	ssize_t n;

	if (!end || (size_t)(end - *s) > sizeof raw)
		return -1;
	n = base64_decode(raw, *s, (size_t)(end - *s));
	if (n <= 0 || (size_t)n > cap)
		return -1;
	memcpy(out, raw, (size_t)n);
	*s = end + (stop != '\0');
	return n;
}

/* text is "SCRAM-SHA-256$..." */
static int
scram_parse(struct scram *v, const char *text)
{
	const char *s = text + sizeof scram_prefix - 1;
	ssize_t n;

	v->iterations = take_iterations(&s);
	if (v->iterations == 0 || (n = take_field(&s, '$', v->salt, sizeof v->salt)) < 0)
		return -1;
	v->salt_len = (size_t)n;
	return take_field(&s, ':', v->stored, HASH) == HASH && take_field(&s, '\0', v->server, HASH) == HASH ? 0 : -1;
}

static int
scram_format(struct buf *out, const struct scram *v)
{
	size_t was = out->len;

	if (buf_printf(out, "%s%u:", scram_prefix, v->iterations) < 0 ||
	    base64_encode(out, v->salt, v->salt_len) < 0 || buf_puts(out, "$") < 0 ||
	    base64_encode(out, v->stored, HASH) < 0 || buf_puts(out, ":") < 0 ||
	    base64_encode(out, v->server, HASH) < 0) {
		out->len = was;
		return -1;
	}
	return 0;
}

static int
hmac(unsigned char out[HASH], const unsigned char *key, size_t key_len, const char *text, const char *more)
{
	char data[32 + USERDB_NAME_MAX + 1];
	int n = snprintf(data, sizeof data, "%s%s", text, more);

	return HMAC(EVP_sha256(), key, (int)key_len, (unsigned char *)data, (size_t)n, out, NULL) ? 0 : -1;
}

/* RFC 5802 3: StoredKey and ServerKey from the password, salt and iterations. */
static int
scram_compute(struct scram *v, const char *password, size_t len)
{
	unsigned char salted[HASH], client[HASH];
	int ok = PKCS5_PBKDF2_HMAC(password, (int)len, v->salt, (int)v->salt_len, (int)v->iterations, EVP_sha256(),
	    HASH, salted) == 1 && hmac(client, salted, HASH, "Client Key", "") == 0 &&
	    hmac(v->server, salted, HASH, "Server Key", "") == 0 && SHA256(client, HASH, v->stored);

	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	if (!ok)
		errno = ENOMEM;
	return ok ? 0 : -1;
}

static int
random_hash(unsigned char out[HASH], const unsigned char *salt, size_t salt_len, const char *password, size_t len)
{
	struct buf b = { 0 };
	int r = buf_add(&b, salt, salt_len) == 0 && buf_add(&b, password, len) == 0 &&
	    SHA256((unsigned char *)b.p, b.len, out) ? 0 : -1;

	buf_wipe(&b);
	return r;
}

/* text is "SSHA256$..." */
static int
random_parse(const char *text, unsigned char salt[SALT_MAX], size_t *salt_len, unsigned char hash[HASH])
{
	const char *s = text + sizeof random_prefix - 1;
	ssize_t n = take_field(&s, '$', salt, SALT_MAX);

	if (n < 0)
		return -1;
	*salt_len = (size_t)n;
	return take_field(&s, '\0', hash, HASH) == HASH ? 0 : -1;
}

/*
 * Does password fit the credential? A credential that cannot be read fits nothing. 1, 0, or -1: no memory. *worked is
 * set where a slow hash was computed: crypt refuses at once what is too long for it.
 */
static int
fits(const char *text, const char *password, size_t len, bool *worked)
{
	unsigned char salt[SALT_MAX], want[HASH], got[HASH];
	struct scram stored, computed;
	size_t salt_len;
	void *data = NULL;
	char *hash;
	int size = 0, r;

	if (has_prefix(text, scram_prefix)) {
		if (scram_parse(&stored, text) < 0)
			return 0;
		computed = stored;
		if (scram_compute(&computed, password, len) < 0)
			return -1;
		*worked = true;
		r = CRYPTO_memcmp(computed.stored, stored.stored, HASH) == 0;
		explicit_bzero(&computed, sizeof computed);
		return r;
	}
	if (has_prefix(text, random_prefix)) {
		if (random_parse(text, salt, &salt_len, want) < 0)
			return 0;
		if (random_hash(got, salt, salt_len, password, len) < 0)
			return -1;
		return CRYPTO_memcmp(got, want, HASH) == 0;
	}
	if (*text != '$')
		return 0;
	errno = 0;
	hash = crypt_ra(password, text, &data, &size);
	*worked |= hash && *hash == '$';
	if (!hash)
		r = errno == ENOMEM ? -1 : 0;
	else
		r = *hash == '$' && strlen(hash) == strlen(text) && CRYPTO_memcmp(hash, text, strlen(text)) == 0;
	if (data)
		explicit_bzero(data, (size_t)size);
	free(data);
	return r;
}

/* The next line of value from *pos on, cut in place. */
static bool
next_credential(struct buf *value, size_t *pos, struct credential *c)
{
	while (*pos < value->len) {
		char *line = value->p + *pos, *lf = memchr(line, '\n', value->len - *pos), *colon;

		*pos = lf ? (size_t)(lf - value->p) + 1 : value->len;
		if (lf)
			*lf = '\0';
		colon = strchr(line, ':');
		if (!colon)
			continue; /* "!", or nothing that we know */
		*colon = '\0';
		c->label = line;
		c->text = colon + 1;
		if (userdb_is_label(c->label))
			return true;
	}
	return false;
}

static bool
is_locked(const struct buf *value)
{
	return value->len >= 1 && value->p[0] == '!' && (value->len == 1 || value->p[1] == '\n');
}

static int
get(struct userdb *db, const char *name, struct buf *value)
{
	const void *p;
	int r = cdb_find(&db->cdb, name, (unsigned)strlen(name));

	if (r <= 0)
		return r;
	if (cdb_datalen(&db->cdb) > USERDB_VALUE_MAX || !(p = cdb_getdata(&db->cdb))) {
		errno = EINVAL;
		return -1;
	}
	return buf_add(value, p, cdb_datalen(&db->cdb)) < 0 ? -1 : 1;
}

/* Key "". */
static int
read_format(struct userdb *db)
{
	struct buf value = { 0 };
	const char *s;
	int r = get(db, "", &value), ok = 0;

	if (r == 1 && has_prefix(value.p, "1:") && strlen(value.p) == value.len) {
		s = value.p + 2;
		db->iterations = take_iterations(&s);
		ok = db->iterations && take_field(&s, '\0', db->secret, USERDB_SECRET) == USERDB_SECRET;
	}
	buf_wipe(&value);
	if (!ok)
		errno = EINVAL;
	return ok ? 0 : -1;
}

int
userdb_open(struct userdb *db, const char *path, const char **why)
{
	struct stat st;
	int e;

	*db = (struct userdb){ 0 };
	*why = NULL;
	db->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (db->fd < 0)
		return -1;
	if (fstat(db->fd, &st) < 0 || !S_ISREG(st.st_mode) || cdb_init(&db->cdb, db->fd) < 0) {
		*why = "not a cdb";
		close(db->fd);
		errno = EINVAL;
		return -1;
	}
	if (read_format(db) < 0) {
		e = errno;
		*why = "not a user store of msa-passwd, or cut short";
		userdb_close(db);
		errno = e;
		return -1;
	}
	return 0;
}

void
userdb_close(struct userdb *db)
{
	cdb_free(&db->cdb);
	close(db->fd);
	explicit_bzero(db, sizeof *db);
	db->fd = -1;
}

int
userdb_name(char *name, const char *given, size_t len)
{
	size_t i, at = len;

	if (len < 1 || len > USERDB_NAME_MAX || !addr_is_utf8(given, len) || given[0] == ' ' || given[len - 1] == ' ')
		return -1;
	for (i = 0; i < len; i++) {
		if ((unsigned char)given[i] < ' ' || given[i] == 127)
			return -1;
		name[i] = given[i];
		if (given[i] == '@')
			at = i;
	}
	for (i = at; i < len; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
	name[len] = '\0';
	return 0;
}

bool
userdb_is_label(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= USERDB_LABEL_MAX && s[n] == '\0';
}

bool
userdb_is_credential(const char *s)
{
	unsigned char salt[SALT_MAX], hash[HASH];
	struct scram v;
	size_t n;

	if (has_prefix(s, scram_prefix))
		return scram_parse(&v, s) == 0;
	if (has_prefix(s, random_prefix))
		return random_parse(s, salt, &n, hash) == 0;
	if (*s != '$' || strpbrk(s, " \t\n:;*!\\"))
		return false;
	/* Old methods too, for who moves here with them. A setting without hash is shorter. */
	return (crypt_checksalt(s) == CRYPT_SALT_OK || crypt_checksalt(s) == CRYPT_SALT_METHOD_LEGACY) && strlen(s) >= 20;
}

static void
set_label(char *label, const char *from)
{
	snprintf(label, USERDB_LABEL_MAX + 1, "%s", from);
}

enum userdb_result
userdb_check(struct userdb *db, const char *name, const char *password, size_t len, char *label)
{
	struct buf value = { 0 }, copy = { 0 };
	struct credential c;
	struct scram decoy = { .iterations = db->iterations, .salt_len = SALT };
	enum userdb_result result;
	bool worked = false;
	int found = get(db, name, &value), fit = 0, slow;

	*label = '\0';
	result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED : USERDB_WRONG;
	/* Generated passwords first: their hash costs nothing, so their users never pay for the others. */
	for (slow = 0; result == USERDB_WRONG && slow < 2; slow++) {
		size_t pos = 0;

		buf_clear(&copy);
		if (buf_add(&copy, value.p, value.len) < 0)
			result = USERDB_ERROR;
		while (result == USERDB_WRONG && next_credential(&copy, &pos, &c)) {
			if (has_prefix(c.text, random_prefix) == (slow == 1))
				continue;
			fit = fits(c.text, password, len, &worked);
			if (fit == 1)
				set_label(label, c.label);
			if (fit != 0)
				result = fit == 1 ? USERDB_RIGHT : USERDB_ERROR;
		}
	}
	if (!worked && result != USERDB_RIGHT && result != USERDB_ERROR) {
		memcpy(decoy.salt, db->secret, SALT);
		if (scram_compute(&decoy, password, len) < 0)
			result = USERDB_ERROR;
	}
	buf_wipe(&copy);
	buf_wipe(&value);
	return result;
}

enum userdb_result
userdb_admits(struct userdb *db, const char *name)
{
	struct buf value = { 0 };
	int found = get(db, name, &value);
	enum userdb_result result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED :
	    USERDB_RIGHT;

	buf_wipe(&value);
	return result;
}

enum userdb_result
userdb_scram(struct userdb *db, const char *name, struct buf *verifier, char *label)
{
	struct buf value = { 0 };
	struct credential c;
	struct scram v = { .iterations = db->iterations, .salt_len = SALT };
	unsigned char salt[HASH];
	enum userdb_result result;
	size_t pos = 0;
	int found = get(db, name, &value);

	*label = '\0';
	result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED : USERDB_WRONG;
	while (result == USERDB_WRONG && next_credential(&value, &pos, &c))
		if (has_prefix(c.text, scram_prefix) && scram_parse(&v, c.text) == 0) {
			result = USERDB_RIGHT;
			set_label(label, c.label);
		}
	if (result != USERDB_RIGHT && result != USERDB_ERROR) {
		v.iterations = db->iterations;
		v.salt_len = SALT;
		if (hmac(salt, db->secret, USERDB_SECRET, "salt ", name) < 0 ||
		    hmac(v.stored, db->secret, USERDB_SECRET, "stored ", name) < 0 ||
		    hmac(v.server, db->secret, USERDB_SECRET, "server ", name) < 0)
			result = USERDB_ERROR;
		memcpy(v.salt, salt, SALT);
	}
	if (result != USERDB_ERROR && scram_format(verifier, &v) < 0)
		result = USERDB_ERROR;
	explicit_bzero(&v, sizeof v);
	buf_wipe(&value);
	return result;
}

int
userdb_make_scram(struct buf *out, const char *password, size_t len, unsigned iterations)
{
	struct scram v = { .iterations = iterations, .salt_len = SALT };

	if (os_random(v.salt, SALT) < 0 || scram_compute(&v, password, len) < 0)
		return -1;
	return scram_format(out, &v);
}

int
userdb_make_random(struct buf *out, const char *password, size_t len)
{
	unsigned char salt[SALT], hash[HASH];

	if (os_random(salt, SALT) < 0 || random_hash(hash, salt, SALT, password, len) < 0)
		return -1;
	return buf_puts(out, random_prefix) < 0 || base64_encode(out, salt, SALT) < 0 || buf_puts(out, "$") < 0 ||
	    base64_encode(out, hash, HASH) < 0 ? -1 : 0;
}

/* path with links followed, so that the file is replaced and not a link to it; the file need not exist. */
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
	/* The directory is what is locked: a lock on the file would be lost with the file. */
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
	return c->exists ? get(&c->old, name, value) : 0;
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

/* Key "" for the new store. */
static int
add_format(struct cdb_make *make, struct userdb_change *c, unsigned iterations)
{
	unsigned char secret[USERDB_SECRET];
	struct buf b = { 0 };
	int r;

	if (!c->exists && os_random(secret, sizeof secret) < 0)
		return -1;
	if (c->exists)
		memcpy(secret, c->old.secret, sizeof secret);
	if (iterations == 0)
		iterations = c->exists ? c->old.iterations : USERDB_ITERATIONS;
	r = buf_printf(&b, "1:%u:", iterations) < 0 || base64_encode(&b, secret, sizeof secret) < 0 ||
	    cdb_make_add(make, "", 0, b.p, (unsigned)b.len) < 0 ? -1 : 0;
	explicit_bzero(secret, sizeof secret);
	buf_wipe(&b);
	return r;
}

static int
write_store(int fd, struct userdb_change *c, const char *name, const struct buf *value, unsigned iterations)
{
	struct buf old_name = { 0 }, old_value = { 0 };
	struct cdb_make make;
	unsigned pos = 0;
	int r, ok;

	if (cdb_make_start(&make, fd) < 0)
		return -1;
	ok = add_format(&make, c, iterations) == 0;
	while (ok && (r = userdb_change_next(c, &pos, &old_name, &old_value)) != 0)
		ok = r == 1 && (strcmp(old_name.p, name) == 0 ||
		    cdb_make_add(&make, old_name.p, (unsigned)old_name.len, old_value.p, (unsigned)old_value.len) == 0);
	if (ok && value)
		ok = cdb_make_add(&make, name, (unsigned)strlen(name), value->p, (unsigned)value->len) == 0;
	buf_wipe(&old_name);
	buf_wipe(&old_value);
	return cdb_make_finish(&make) == 0 && ok && fsync(fd) == 0 ? 0 : -1;
}

int
userdb_change_commit(struct userdb_change *c, const char *name, const struct buf *value, unsigned iterations)
{
	struct buf path = { 0 };
	struct stat st, now;
	int fd, e;

	if (buf_printf(&path, "%s.XXXXXX", c->path) < 0)
		return -1;
	fd = mkostemp(path.p, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		e = errno;
		buf_free(&path);
		errno = e;
		return -1;
	}
	if (write_store(fd, c, name, value, iterations) < 0 ||
	    (c->exists && (fstat(c->old.fd, &st) < 0 || fstat(fd, &now) < 0 ||
	    ((st.st_uid != now.st_uid || st.st_gid != now.st_gid) && fchown(fd, st.st_uid, st.st_gid) < 0) ||
	    fchmod(fd, st.st_mode & 0777) < 0)) ||
	    rename(path.p, c->path) < 0) {
		e = errno;
		unlink(path.p);
		close(fd);
		buf_free(&path);
		errno = e;
		return -1;
	}
	close(fd);
	buf_free(&path);
	return fsync(c->lock);
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
