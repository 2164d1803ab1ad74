/* ISC licence, see LICENSE. */
#include "auth/userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/username.h"

/* A line of a value, cut in place. */
struct credential {
	char *label, *text; /* NUL-ended */
};

/* Find the next credential in value from *pos on. Returns true with *c set. */
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
			continue; /* "!", or an unknown kind of line */
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

int
userdb_get(struct userdb *db, const char *name, struct buf *value)
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

/* Parse the counts ",iterations*users" at *s, and move *s to their end. Returns true if all are valid. */
static bool
read_counts(struct userdb *db, const char **s)
{
	struct userdb_count c;
	int n;

	while (**s == ',') {
		if (db->ncounts == USERDB_COUNTS_MAX || sscanf(*s, ",%9u*%9u%n", &c.iterations, &c.users, &n) != 2 || c.users == 0 ||
		    c.iterations < CREDENTIAL_ITERATIONS_MIN || c.iterations > CREDENTIAL_ITERATIONS_MAX)
			return false;
		db->count[db->ncounts++] = c;
		*s += n;
	}
	return true;
}

/* Read key "" into db. Returns 0, or -1 with errno EINVAL. */
static int
read_format(struct userdb *db)
{
	struct buf value = { 0 };
	const char *s;
	int r = userdb_get(db, "", &value), ok = 0, n = 0;

	if (r == 1 && strlen(value.p) == value.len && sscanf(value.p, "1:%8u%n", &db->iterations, &n) == 1) {
		s = value.p + n;
		ok = read_counts(db, &s) && *s++ == ':' && db->iterations >= CREDENTIAL_ITERATIONS_MIN &&
		    db->iterations <= CREDENTIAL_ITERATIONS_MAX &&
		    credential_field(&s, '\0', db->secret, USERDB_SECRET) == USERDB_SECRET;
	}
	buf_wipe(&value);
	if (!ok)
		errno = EINVAL;
	return ok ? 0 : -1;
}

int
userdb_open(struct userdb *db, const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*why = NULL;
	return fd < 0 ? -1 : userdb_take(db, fd, why);
}

int
userdb_take(struct userdb *db, int fd, const char **why)
{
	struct stat st;
	int e;

	*db = (struct userdb){ .fd = fd, .file = table_file_of(fd) };
	*why = NULL;
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

void
userdb_fold(struct userdb *db, char *name)
{
	char folded[USERDB_NAME_MAX + 1];
	unsigned len = (unsigned)strlen(name);

	username_fold(folded, name, len + 1);
	if (cdb_find(&db->cdb, folded, len) > 0 || cdb_find(&db->cdb, name, len) <= 0)
		memcpy(name, folded, len + 1);
}

bool
userdb_is_label(const char *s)
{
	return username_is_label(s, strlen(s));
}

static void
set_label(char *label, const char *from)
{
	snprintf(label, USERDB_LABEL_MAX + 1, "%s", from);
}

enum userdb_result
userdb_check(struct userdb *db, const char *name, const char *password, size_t len, char *label, bool *worked)
{
	struct buf value = { 0 }, copy = { 0 };
	struct credential c;
	enum userdb_result result;
	int found = userdb_get(db, name, &value), fit = 0, slow;

	*label = '\0';
	*worked = false;
	result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED : USERDB_WRONG;
	/* Try generated passwords first: their hash is fast, so their users do not wait for the slow ones. */
	for (slow = 0; result == USERDB_WRONG && slow < 2; slow++) {
		size_t pos = 0;

		buf_clear(&copy);
		if (buf_add(&copy, value.p, value.len) < 0)
			result = USERDB_ERROR;
		while (result == USERDB_WRONG && next_credential(&copy, &pos, &c)) {
			if (credential_is_random(c.text) == (slow == 1))
				continue;
			fit = credential_fits(c.text, password, len, worked);
			if (fit == 1)
				set_label(label, c.label);
			if (fit != 0)
				result = fit == 1 ? USERDB_RIGHT : USERDB_ERROR;
		}
	}
	buf_wipe(&copy);
	buf_wipe(&value);
	return result;
}

/* Returns the iterations of an unknown user: as many have them as of those who are known. */
static unsigned
iterations_of(const struct userdb *db, const char *name)
{
	unsigned char mac[CREDENTIAL_HASH];
	unsigned long all = 0, at;
	size_t i;

	for (i = 0; i < db->ncounts; i++)
		all += db->count[i].users;
	if (all == 0 || credential_hmac(mac, credential_hashes, db->secret, USERDB_SECRET, "iterations ", name) < 0)
		return db->iterations;
	at = ((unsigned long)mac[0] << 24 | (unsigned long)mac[1] << 16 | (unsigned long)mac[2] << 8 | mac[3]) % all;
	for (i = 0; at >= db->count[i].users; i++)
		at -= db->count[i].users;
	return db->count[i].iterations;
}

unsigned
userdb_iterations(const struct buf *value)
{
	struct buf copy = { 0 };
	struct credential c;
	struct credential_scram v;
	unsigned n = 0;
	size_t pos = 0;

	if (value->len > 0 && buf_add(&copy, value->p, value->len) == 0)
		while (n == 0 && next_credential(&copy, &pos, &c))
			if (credential_is_scram(c.text) && credential_scram_parse(&v, c.text, NULL) == 0)
				n = v.iterations;
	explicit_bzero(&v, sizeof v);
	buf_wipe(&copy);
	return n;
}

int
userdb_work(struct userdb *db, const char *name)
{
	static const char password[] = "password";
	struct credential_scram decoy = { .hash = credential_hashes, .salt_len = CREDENTIAL_SALT };

	decoy.iterations = iterations_of(db, name);
	memcpy(decoy.salt, db->secret, CREDENTIAL_SALT);
	return credential_scram_compute(&decoy, password, sizeof password - 1);
}

enum userdb_result
userdb_admits(struct userdb *db, const char *name)
{
	struct buf value = { 0 };
	int found = userdb_get(db, name, &value);
	enum userdb_result result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED :
	    USERDB_RIGHT;

	buf_wipe(&value);
	return result;
}

/*
 * Make a verifier that no password fits, always the same for the same name. iterations are those of the user's verifier
 * for another hash, or 0: all hashes show a user the same. Returns 0, or -1 with errno ENOMEM.
 */
static int
make_decoy(struct credential_scram *v, const struct userdb *db, const struct credential_hash *hash, const char *name,
    unsigned iterations)
{
	unsigned char salt[CREDENTIAL_KEY_MAX];

	*v = (struct credential_scram){ .hash = hash, .salt_len = CREDENTIAL_SALT };
	v->iterations = iterations > 0 ? iterations : iterations_of(db, name);
	if (credential_hmac(salt, hash, db->secret, USERDB_SECRET, "salt ", name) < 0 ||
	    credential_hmac(v->stored, hash, db->secret, USERDB_SECRET, "stored ", name) < 0 ||
	    credential_hmac(v->server, hash, db->secret, USERDB_SECRET, "server ", name) < 0)
		return -1;
	memcpy(v->salt, salt, CREDENTIAL_SALT);
	return 0;
}

enum userdb_result
userdb_scram(struct userdb *db, const struct credential_hash *hash, const char *name, struct buf *verifier,
    char *label)
{
	struct buf value = { 0 };
	struct credential c;
	struct credential_scram v = { .hash = hash };
	enum userdb_result result;
	size_t pos = 0;
	int found = userdb_get(db, name, &value);
	unsigned iterations = 0;

	*label = '\0';
	result = found < 0 ? USERDB_ERROR : !found ? USERDB_UNKNOWN : is_locked(&value) ? USERDB_LOCKED : USERDB_WRONG;
	if (result == USERDB_WRONG)
		iterations = userdb_iterations(&value);
	while (result == USERDB_WRONG && next_credential(&value, &pos, &c))
		if (credential_is_scram(c.text) && credential_scram_parse(&v, c.text, hash) == 0) {
			result = USERDB_RIGHT;
			set_label(label, c.label);
		}
	if (result != USERDB_RIGHT && result != USERDB_ERROR && make_decoy(&v, db, hash, name, iterations) < 0)
		result = USERDB_ERROR;
	if (result != USERDB_ERROR && credential_scram_format(verifier, &v) < 0)
		result = USERDB_ERROR;
	explicit_bzero(&v, sizeof v);
	buf_wipe(&value);
	return result;
}

int
userdb_count(struct userdb *db, size_t *users, size_t *without)
{
	struct buf value = { 0 };
	struct credential c;
	const char *p;
	unsigned at;
	size_t pos;
	int r;

	*users = *without = 0;
	cdb_seqinit(&at, &db->cdb);
	while ((r = cdb_seqnext(&at, &db->cdb)) > 0) {
		if (cdb_keylen(&db->cdb) == 0)
			continue;
		p = cdb_getdata(&db->cdb);
		if (!p || buf_add(&value, p, cdb_datalen(&db->cdb)) < 0)
			break;
		pos = 0;
		++*users;
		*without += !is_locked(&value) && !next_credential(&value, &pos, &c);
		buf_wipe(&value);
	}
	buf_free(&value);
	if (r != 0)
		errno = EINVAL;
	return r == 0 ? 0 : -1;
}
