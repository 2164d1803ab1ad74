/* ISC licence, see LICENSE. */
#include "keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpgme.h>

#include "base/file.h"
#include "base/program.h"
#include "msa/buf.h"
#include "smtp/domain.h"

enum {
	BLOCK = 16384,         /* octets of the text that are read at once */
	FOUND_MAX = 4194304,   /* octets of the list of keys that were found */
	/* A keybox is a row of blobs. Of each we want the length, the type, and the fingerprint of a key: */
	BLOB_MIN = 5, BLOB_TYPE = 4, BLOB_VERSION = 5, BLOB_MAGIC = 8, BLOB_FINGERPRINT = 20, BLOB_HEAD = 52,
	BLOB_IS_HEADER = 1, BLOB_IS_KEY = 2, /* types */
};

#define ARMOR_END "-----END PGP MESSAGE-----\n"

void
keyring_address(char out[KEYRING_ADDRESS_MAX + 1], const struct addr *a)
{
	char domain[ADDR_DOMAIN_MAX + 1] = "";
	const char *d = addr_domain(a);

	domain_fold(domain, d, strlen(d));
	snprintf(out, KEYRING_ADDRESS_MAX + 1, "%.*s%s%s", (int)a->local_len, a->text, *d ? "@" : "", domain);
}

static bool
is_header(const unsigned char *head, off_t len)
{
	return len >= BLOB_MAGIC + 4 && head[BLOB_TYPE] == BLOB_IS_HEADER && memcmp(head + BLOB_MAGIC, "KBXf", 4) == 0;
}

/* Write the fingerprint of the last key in a keybox to last; "": there is none. Returns false: this is no keybox. */
static bool
find_last(int fd, off_t size, char last[KEYRING_FINGERPRINT_MAX + 1])
{
	unsigned char head[BLOB_HEAD];
	off_t off, len;
	size_t i, n;

	*last = '\0';
	for (off = 0; off < size; off += len) {
		n = size - off < BLOB_HEAD ? (size_t)(size - off) : BLOB_HEAD;
		if (n < BLOB_MIN || file_read(fd, (char *)head, n, off) < 0)
			return false;
		len = (off_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
		if (len < BLOB_MIN || len > size - off)
			return false;
		if (off == 0 && !is_header(head, len))
			return false;
		if (head[BLOB_TYPE] != BLOB_IS_KEY || len < BLOB_HEAD)
			continue;
		n = head[BLOB_VERSION] == 2 ? 32 : 20; /* octets of a fingerprint */
		for (i = 0; i < n; i++)
			snprintf(last + 2 * i, 3, "%02X", head[BLOB_FINGERPRINT + i]);
	}
	return size > 0;
}

/* Returns why the file is not a keybox that only the site can change, or NULL with last as find_last writes it. */
static const char *
bad_file(int fd, char last[KEYRING_FINGERPRINT_MAX + 1])
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? "there is no pubring.kbx" : strerror(errno);
	if (!S_ISREG(st.st_mode) || !find_last(fd, st.st_size, last))
		return "pubring.kbx is not a keyring, or not a whole one";
	return st.st_mode & S_IWOTH ? "pubring.kbx can be written by everybody" : NULL;
}

const char *
keyring_bad(const char *home, char last[KEYRING_FINGERPRINT_MAX + 1])
{
	const char *why;
	int dir = file_open_directory(home, false, &why), fd;

	if (dir < 0)
		return why;
	fd = openat(dir, "pubring.kbx", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	why = bad_file(fd, last);
	if (fd >= 0)
		close(fd);
	close(dir);
	return why;
}

/* In the child */

struct search {
	const char *home, *last;
	const struct keyring_key *key;
	size_t n;
};

struct order {
	const char *home, *fingerprints;
	const struct keyring_text *text;
};

/* What remains to be read of a text. */
struct reader {
	const struct keyring_text *text;
	size_t head;   /* octets of the head that were read */
	off_t off;     /* in the file */
	bool failed;
	char last;
};

/* The parent has what is said here for its log. */
static int
fail(const char *what, gpgme_error_t err)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, gpgme_strerror(err));
	return -1;
}

/* Say what gpg has logged. */
static void
say_log(gpgme_ctx_t ctx)
{
	gpgme_data_t log;
	size_t n;
	char *text;

	if (gpgme_data_new(&log))
		return;
	gpgme_op_getauditlog(ctx, log, GPGME_AUDITLOG_DIAG);
	text = gpgme_data_release_and_get_mem(log, &n);
	if (text)
		file_write(STDERR_FILENO, text, n);
	gpgme_free(text);
}

/* Make a context for the keyring. Returns 0, or -1 after the reason was said. */
static int
begin(gpgme_ctx_t *ctx, const char *home)
{
	char gpg[PATH_MAX];
	gpgme_error_t err;

	if (program_locate("gpg", getenv("PATH"), gpg) < 0) {
		dprintf(STDERR_FILENO, "gpg: %s\n", strerror(errno));
		return -1;
	}
	gpgme_set_global_flag("disable-gpgconf", "1"); /* which would be started three times, to say where gpg is */
	gpgme_check_version(NULL);
	if ((err = gpgme_new(ctx)) || (err = gpgme_ctx_set_engine_info(*ctx, GPGME_PROTOCOL_OpenPGP, gpg, home)) ||
	    (err = gpgme_set_ctx_flag(*ctx, "trust-model", "always")))
		return fail("gpgme", err);
	gpgme_set_armor(*ctx, 1);
	gpgme_set_offline(*ctx, 1);
	return 0;
}

/* Is there a subkey now that encrypts? */
static bool
can_encrypt(gpgme_key_t key)
{
	gpgme_subkey_t s;

	if (key->revoked || key->expired || key->disabled || key->invalid || !key->can_encrypt || !key->fpr)
		return false;
	for (s = key->subkeys; s; s = s->next)
		if (s->can_encrypt && !s->revoked && !s->expired && !s->disabled && !s->invalid)
			return true;
	return false;
}

/* Write the mailbox of a user id, in angle brackets at its end or the whole, to out; "" if there is none. */
static void
address_of(char out[KEYRING_ADDRESS_MAX + 1], const char *uid)
{
	size_t n = strlen(uid);
	const char *open = n > 0 && uid[n - 1] == '>' ? strrchr(uid, '<') : NULL;
	struct addr a;

	*out = '\0';
	if (addr_mailbox(open ? open + 1 : uid, open ? (size_t)(uid + n - 1 - (open + 1)) : n, &a) == 0)
		keyring_address(out, &a);
}

/* Print the number of each address that a key belongs to, and the fingerprint. Returns 0, or -1 with errno set. */
static int
print_owners(const struct search *s, gpgme_key_t key, int out)
{
	char address[KEYRING_ADDRESS_MAX + 1];
	gpgme_user_id_t u;
	size_t i;

	for (u = key->uids; u; u = u->next) {
		if (u->revoked || u->invalid)
			continue;
		address_of(address, u->uid);
		for (i = 0; *address && i < s->n; i++)
			if (strcmp(address, s->key[i].address) == 0 && dprintf(out, "%zu %s\n", i, key->fpr) < 0)
				return -1;
	}
	return 0;
}

/* Have gpg list the keys of all addresses. */
static int
search(const void *arg, int out)
{
	const struct search *s = arg;
	const char **pattern = calloc(s->n + 2, sizeof *pattern);
	gpgme_keylist_result_t result;
	gpgme_error_t err;
	gpgme_ctx_t ctx;
	gpgme_key_t key;
	size_t i;

	if (!pattern || begin(&ctx, s->home) < 0)
		return -1;
	pattern[s->n] = s->last;
	for (i = 0; i < s->n; i++) {
		char text[KEYRING_ADDRESS_MAX + 3];

		snprintf(text, sizeof text, "<%s>", s->key[i].address); /* which gpg compares with the whole address */
		if (!(pattern[i] = strdup(text)))
			return -1;
	}
	if ((err = gpgme_op_keylist_ext_start(ctx, pattern, 0, 0)))
		return fail("keyring", err);
	while (!(err = gpgme_op_keylist_next(ctx, &key))) {
		if ((can_encrypt(key) && print_owners(s, key, out) < 0) ||
		    (key->fpr && strcmp(key->fpr, s->last) == 0 && dprintf(out, "%zu %s\n", s->n, key->fpr) < 0))
			return -1;
		gpgme_key_unref(key);
	}
	say_log(ctx);
	result = gpgme_op_keylist_result(ctx);
	if (gpgme_err_code(err) == GPG_ERR_EOF && result && !result->truncated)
		return 0;
	return fail("keyring", err);
}

/* Read at most n octets of the text. Returns their number, 0 at its end, or -1 with errno set. */
static ssize_t
read_text(struct reader *r, char *p, size_t n)
{
	const struct keyring_text *t = r->text;
	off_t left = t->size - r->off;

	if (r->head < t->head_len) {
		if (n > t->head_len - r->head)
			n = t->head_len - r->head;
		memcpy(p, t->head + r->head, n);
		r->head += n;
		return (ssize_t)n;
	}
	if ((off_t)n > left)
		n = (size_t)left;
	if (file_read(t->fd, p, n, r->off) < 0) {
		r->failed = true;
		return -1;
	}
	r->off += (off_t)n;
	return (ssize_t)n;
}

/* gpgme wants at most n octets of the text in canonical form (RFC 3156 3). */
static ssize_t
give(void *arg, void *buffer, size_t n)
{
	struct reader *r = arg;
	char raw[BLOCK], *p = buffer;
	ssize_t got, i, len = 0;

	if (!r->text->lf)
		return read_text(r, buffer, n);
	if (n < 2) {
		r->failed = true;
		errno = EINVAL;
		return -1;
	}
	got = read_text(r, raw, n / 2 < sizeof raw ? n / 2 : sizeof raw);
	for (i = 0; i < got; i++) {
		if (raw[i] == '\n' && r->last != '\r')
			p[len++] = '\r';
		p[len++] = r->last = raw[i];
	}
	return got < 0 ? -1 : len;
}

static ssize_t
put(void *arg, const void *buffer, size_t n)
{
	return file_write(*(const int *)arg, buffer, n) < 0 ? -1 : (ssize_t)n;
}

/* Have gpg encrypt the text. */
static int
encrypt(const void *arg, int out)
{
	const struct order *o = arg;
	struct reader r = { .text = o->text, .off = o->text->from };
	struct gpgme_data_cbs from = { .read = give }, to = { .write = put };
	gpgme_data_t plain, cipher;
	gpgme_error_t err;
	gpgme_ctx_t ctx;

	if (begin(&ctx, o->home) < 0)
		return -1;
	if ((err = gpgme_data_new_from_cbs(&plain, &from, &r)) || (err = gpgme_data_new_from_cbs(&cipher, &to, &out)))
		return fail("gpgme", err);
	err = gpgme_op_encrypt_ext(ctx, NULL, o->fingerprints, GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO,
	    plain, cipher);
	say_log(ctx);
	if (err)
		return fail("encryption", err);
	if (gpgme_op_encrypt_result(ctx)->invalid_recipients || r.failed || r.off != o->text->size) {
		dprintf(STDERR_FILENO, "encryption: not all of the text, or not to all keys\n");
		return -1;
	}
	return 0;
}

/* In the parent */

/* gpgme says that all is well, but gpg was not at its end. Returns -1 with errno set and j->why telling more. */
static int
cut_off(struct job *j, const char *what)
{
	char said[JOB_WHY_MAX + 1];

	memcpy(said, j->why, sizeof said);
	snprintf(j->why, sizeof j->why, "gpg: %s has no end%s%.200s", what, *said ? ": " : "", said);
	errno = EPROTO;
	return -1;
}

static int
take_found(void *to, const char *p, size_t n)
{
	struct buf *b = to;

	if (b->len + n <= FOUND_MAX)
		return buf_add(b, p, n);
	errno = EFBIG;
	return -1;
}

/*
 * Read what search has printed: gpgme does not say whether gpg came to its end, but gpg has if it found the last key.
 * Returns 0, or -1 with errno set (EPROTO).
 */
static int
read_found(const char *p, struct keyring_key *key, size_t n)
{
	bool is_whole = false;

	errno = EPROTO;
	while (*p) {
		char *end;
		unsigned long i = strtoul(p, &end, 10);
		const char *fingerprint = end + 1;
		size_t len = *end == ' ' ? strcspn(fingerprint, "\n") : 0;

		if (i > n || len == 0 || len > KEYRING_FINGERPRINT_MAX || fingerprint[len] != '\n')
			return -1;
		if (i == n)
			is_whole = true;
		else if (key[i].found == KEYRING_NONE) {
			key[i].found = KEYRING_ONE;
			snprintf(key[i].fingerprint, sizeof key[i].fingerprint, "%.*s", (int)len, fingerprint);
		} else if (strlen(key[i].fingerprint) != len || memcmp(key[i].fingerprint, fingerprint, len) != 0)
			key[i].found = KEYRING_SEVERAL;
		p = fingerprint + len + 1;
	}
	return is_whole ? 0 : -1;
}

int
keyring_find(const char *home, const char *last, struct job *j, struct keyring_key *key, size_t n)
{
	struct search s = { .home = home, .last = last, .key = key, .n = n };
	struct buf found = { 0 };
	int r;

	if (!*last)
		return 0;
	r = job_run(j, search, &s, take_found, &found);
	if (r == 0 && (r = read_found(found.len > 0 ? found.p : "", key, n)) < 0)
		r = cut_off(j, "the list of keys");
	buf_free(&found);
	return r;
}

/* The result on its way: an armor without its end is not complete, whatever gpg says. */
struct armor {
	job_take *take;
	void *to;
	char tail[sizeof ARMOR_END - 1];
};

static int
take_armor(void *arg, const char *p, size_t n)
{
	struct armor *a = arg;
	size_t size = sizeof a->tail, k = n < size ? n : size;

	memmove(a->tail, a->tail + k, size - k);
	memcpy(a->tail + size - k, p + n - k, k);
	return a->take(a->to, p, n);
}

int
keyring_encrypt(const char *home, struct job *j, const char *fingerprints, const struct keyring_text *text,
    job_take *take, void *to)
{
	struct order o = { .home = home, .fingerprints = fingerprints, .text = text };
	struct armor a = { .take = take, .to = to };

	if (job_run(j, encrypt, &o, take_armor, &a) < 0)
		return -1;
	if (memcmp(a.tail, ARMOR_END, sizeof a.tail) == 0)
		return 0;
	return cut_off(j, "the encrypted text");
}
