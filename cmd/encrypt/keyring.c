/* ISC licence, see LICENSE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strsep */
#endif
#include "keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gpgme.h>

#include "base/file.h"
#include "base/program.h"
#include "msa/buf.h"
#include "smtp/domain.h"

enum {
	BLOCK = 16384,       /* octets of the text that are read at once */
	FOUND_MAX = 4194304, /* octets of the list of keys that were found */
	CONF_MAX = 65536,    /* octets of gpg.conf */
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

/*
 * Write the mailbox of a user id to out: what stands in angle brackets at its end, or the whole user id. A user id
 * without a mailbox gives "".
 */
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

/* The addresses whose keys are wanted. */
struct wanted {
	const struct keyring_key *key;
	size_t n;
};

/* keybox_wanted: is an address that is wanted, but for upper and lower case, that of a user id? */
static bool
is_wanted(const void *arg, const char *uid)
{
	const struct wanted *w = arg;
	char address[KEYRING_ADDRESS_MAX + 1];
	size_t i;

	address_of(address, uid);
	for (i = 0; *address && i < w->n; i++)
		if (strcasecmp(address, w->key[i].address) == 0)
			return true;
	return false;
}

/* Returns why pubring.kbx is not a keybox that only the site can change, or NULL with k set. */
static const char *
bad_file(struct keybox *k, int fd, const struct wanted *w)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? "there is no pubring.kbx" : strerror(errno);
	if (!S_ISREG(st.st_mode) || !keybox_read(k, fd, st.st_size, is_wanted, w))
		return "pubring.kbx is not a keyring, or is damaged";
	return st.st_mode & S_IWOTH ? "pubring.kbx can be written by everybody" : NULL;
}

/* Options that may stand in gpg.conf: they choose algorithms, or do not count, since gpgme says otherwise. */
static bool
is_harmless(const char *line, size_t n)
{
	static const char *const known[] = {
		"auto-key-locate", "bzip2-compress-level", "cipher-algo", "comment", "compress-algo", "compress-level",
		"digest-algo", "disable-cipher-algo", "encrypt-to", "hidden-encrypt-to", "no-comments", "no-emit-version",
		"no-greeting", "no-throw-keyids", "personal-cipher-preferences", "personal-compress-preferences",
		"personal-digest-preferences", "throw-keyids", "trust-model",
	};
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i]) == n && memcmp(known[i], line, n) == 0)
			return true;
	return false;
}

/* Returns why the options in b may not be used, or NULL. */
static const char *
bad_options(const struct buf *b)
{
	const char *p = b->len > 0 ? b->p : "", *end = p + b->len, *lf;

	for (; p < end; p = lf + 1) {
		size_t n;

		lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf)
			lf = end;
		while (p < lf && (*p == ' ' || *p == '\t' || *p == '\r'))
			p++;
		for (n = 0; p + n < lf && !strchr(" \t\r", p[n]); n++)
			;
		if (n > 0 && *p != '#' && !is_harmless(p, n))
			return "gpg.conf has an option that is not allowed there";
	}
	return NULL;
}

/* The file decides to which keys gpg encrypts. Returns why it may not be used, or NULL. */
static const char *
bad_conf(int dir)
{
	int fd = openat(dir, "gpg.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf b = { 0 };
	const char *why;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? NULL : "gpg.conf cannot be read";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || file_slurp(fd, CONF_MAX, &b) < 0)
		why = "gpg.conf cannot be read";
	else
		why = st.st_mode & S_IWOTH ? "gpg.conf can be written by everybody" : bad_options(&b);
	buf_free(&b);
	close(fd);
	return why;
}

/* Returns why gpg would read other files than those that are examined here, or NULL. */
static const char *
bad_names(int dir)
{
	static const char *const others[] = { "pubring.gpg", "common.conf", "gpg.conf-2" };
	static const char *const why[] = {
		"there is a pubring.gpg, which gpg could use in place of pubring.kbx",
		"there is a common.conf, which could make gpg use another keyring",
		"there is a gpg.conf-2, which gpg would read",
	};
	struct dirent *entry;
	const char *bad = NULL;
	size_t i;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		bad = strerror(errno);
		if (fd >= 0)
			close(fd);
		return bad;
	}
	while ((entry = readdir(d)))
		for (i = 0; i < sizeof others / sizeof *others; i++)
			if (strncmp(entry->d_name, others[i], strlen(others[i])) == 0 &&
			    (i == 2 || strlen(entry->d_name) == strlen(others[i])))
				bad = why[i];
	closedir(d);
	return bad;
}

const char *
keyring_open(struct keybox *k, const char *home, const struct keyring_key *key, size_t n)
{
	const struct wanted w = { .key = key, .n = n };
	const char *why;
	int dir = file_open_directory(home, false, &why), fd;

	if (dir < 0)
		return why;
	why = bad_names(dir);
	if (!why)
		why = bad_conf(dir);
	if (!why) {
		fd = openat(dir, "pubring.kbx", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		why = bad_file(k, fd, &w);
		if (fd >= 0)
			close(fd);
	}
	close(dir);
	return why;
}

/* In the child */

struct search {
	const char *home;
	const struct keybox *ring;
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

/* Is there a subkey now that encrypts? gpg refuses keys from the future. */
static bool
can_encrypt(gpgme_key_t key)
{
	long now = (long)time(NULL);
	gpgme_subkey_t s;

	if (key->revoked || key->expired || key->disabled || key->invalid || !key->can_encrypt || !key->fpr ||
	    !key->subkeys || key->subkeys->timestamp > now)
		return false;
	for (s = key->subkeys; s; s = s->next)
		if (s->can_encrypt && !s->revoked && !s->expired && !s->disabled && !s->invalid && s->timestamp <= now)
			return true;
	return false;
}

/*
 * Print the number of each address that a key belongs to, and the fingerprint, or "-" if the key cannot be used for
 * this address. Returns 0, or -1 with errno set.
 */
static int
print_owners(const struct search *s, gpgme_key_t key, int out)
{
	char address[KEYRING_ADDRESS_MAX + 1];
	const bool can = can_encrypt(key);
	gpgme_user_id_t u;
	size_t i;

	for (u = key->uids; u; u = u->next) {
		address_of(address, u->uid);
		for (i = 0; *address && i < s->n; i++) {
			bool is_usable = can && !u->revoked && !u->invalid && strcmp(address, s->key[i].address) == 0;

			if (strcasecmp(address, s->key[i].address) == 0 &&
			    dprintf(out, "%zu %s\n", i, is_usable ? key->fpr : "-") < 0)
				return -1;
		}
	}
	return 0;
}

/* Have gpg list the keys that were found, by their fingerprints. At the end print their number. */
static int
search(const void *arg, int out)
{
	const struct search *s = arg;
	const char **pattern = calloc(s->ring->nfound + 1, sizeof *pattern);
	char *p = strdup(s->ring->found.p);
	gpgme_keylist_result_t result;
	gpgme_error_t err;
	gpgme_ctx_t ctx;
	gpgme_key_t key;
	size_t i, keys = 0;

	if (!pattern || !p || begin(&ctx, s->home) < 0)
		return -1;
	for (i = 0; i < s->ring->nfound; i++)
		pattern[i] = strsep(&p, "\n");
	if ((err = gpgme_op_keylist_ext_start(ctx, pattern, 0, 0)))
		return fail("keyring", err);
	for (; !(err = gpgme_op_keylist_next(ctx, &key)); keys++) {
		if (print_owners(s, key, out) < 0)
			return -1;
		gpgme_key_unref(key);
	}
	say_log(ctx);
	result = gpgme_op_keylist_result(ctx);
	if (gpgme_err_code(err) == GPG_ERR_EOF && result && !result->truncated)
		return dprintf(out, "%zu %zu\n", s->n, keys) < 0 ? -1 : 0;
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

/* Take what was printed about a key of an address: a fingerprint, or "-". */
static void
take_key(struct keyring_key *key, const char *what, size_t len)
{
	if (len == 1 && *what == '-') {
		if (key->found == KEYRING_NONE)
			key->found = KEYRING_UNUSABLE;
	} else if (key->found == KEYRING_NONE || key->found == KEYRING_UNUSABLE) {
		key->found = KEYRING_ONE;
		snprintf(key->fingerprint, sizeof key->fingerprint, "%.*s", (int)len, what);
	} else if (strlen(key->fingerprint) != len || memcmp(key->fingerprint, what, len) != 0)
		key->found = KEYRING_SEVERAL;
}

/*
 * Read what search has printed: gpgme does not say whether gpg came to its end, but gpg has if it listed as many keys
 * as were found. Returns 0, or -1 with errno set (EPROTO).
 */
static int
read_found(const char *p, size_t keys, struct keyring_key *key, size_t n)
{
	bool is_whole = false;

	errno = EPROTO;
	while (*p) {
		char *end;
		unsigned long i = strtoul(p, &end, 10);
		const char *what = end + 1;
		size_t len = *end == ' ' ? strcspn(what, "\n") : 0;

		if (i > n || len == 0 || len > KEYRING_FINGERPRINT_MAX || what[len] != '\n')
			return -1;
		if (i == n)
			is_whole = strtoul(what, NULL, 10) == keys;
		else
			take_key(&key[i], what, len);
		p = what + len + 1;
	}
	return is_whole ? 0 : -1;
}

int
keyring_find(const struct keybox *k, const char *home, struct job *j, struct keyring_key *key, size_t n)
{
	struct search s = { .home = home, .ring = k, .key = key, .n = n };
	struct buf said = { 0 };
	int r;

	if (k->nfound == 0)
		return 0;
	r = job_run(j, search, &s, -1, take_found, &said);
	if (r == 0 && (r = read_found(said.len > 0 ? said.p : "", k->nfound, key, n)) < 0)
		r = cut_off(j, "the list of keys");
	buf_free(&said);
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

	if (job_run(j, encrypt, &o, text->fd, take_armor, &a) < 0)
		return -1;
	if (memcmp(a.tail, ARMOR_END, sizeof a.tail) == 0)
		return 0;
	return cut_off(j, "the encrypted text");
}
