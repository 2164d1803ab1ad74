/* ISC licence, see LICENSE. */
#include "chain/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain/limits.h"

extern char **environ;

/* The variables of chain(7) ENVIRONMENT and their owners: the table of that page. */
#define ROW(name, owner) { name, sizeof name - 1, owner }
static const struct {
	const char *name;
	size_t len;
	enum facts_owner owner;
} table[] = {
	ROW("PROTO", FACTS_OPERATOR),
	ROW("TCPREMOTEIP", FACTS_OPERATOR),
	ROW("TCPREMOTEPORT", FACTS_OPERATOR),
	ROW("TCPREMOTEHOST", FACTS_OPERATOR),
	ROW("TCPREMOTEINFO", FACTS_OPERATOR),
	ROW("TCPLOCALIP", FACTS_OPERATOR),
	ROW("TCPLOCALPORT", FACTS_OPERATOR),
	ROW("TCPLOCALHOST", FACTS_OPERATOR),
	ROW("RELAYCLIENT", FACTS_OPERATOR),
	ROW("DATABYTES", FACTS_OPERATOR),
	ROW("MSA_HOST", FACTS_OPERATOR),
	ROW("MSA_LMTP", FACTS_OPERATOR),
	ROW("MSA_EHLO", FACTS_OPERATOR),
	ROW("MSA_MAILMAX", FACTS_OPERATOR),
	ROW("MSA_SOLICIT", FACTS_OPERATOR),
	ROW("MSA_PRIVATE", FACTS_OPERATOR),
	ROW("MSA_SESSION", FACTS_OPERATOR),
	ROW("SSL_PROTOCOL", FACTS_TLSD),
	ROW("SSL_CIPHER", FACTS_TLSD),
	ROW("SSL_CIPHER_USEKEYSIZE", FACTS_TLSD),
	ROW("SSL_TLS_SNI_SERVERNAME", FACTS_TLSD),
	ROW("SSL_PEER_CERT_HASH", FACTS_TLSD),
	ROW("SSL_PEER_CERT_SUBJECT", FACTS_TLSD),
	ROW("SMTPAUTHUSER", FACTS_AUTHD),
	ROW("SMTPAUTHMETHOD", FACTS_AUTHD),
	ROW("SMTPAUTHLABEL", FACTS_AUTHD),
	ROW("MSA_VERB", FACTS_AUTHD),
	ROW("MSA_HELO", FACTS_AUTHD),
	ROW("MSA_MESSAGE", FACTS_SUBMITD),
	ROW("MSA_RCPTS", FACTS_SUBMITD),
	ROW("MSA_DEADLINE", FACTS_SUBMITD),
	ROW("MSA_PARTIAL", FACTS_SUBMITD),
};
#undef ROW

static const char site[] = "MSA_X_"; /* prefix of the names that the operator may choose */

static int
room(struct facts *f)
{
	size_t cap;
	char **v;

	if (f->n + 2 <= f->cap)
		return 0;
	cap = f->cap ? f->cap * 2 : 64;
	v = realloc(f->v, cap * sizeof *v);
	if (!v)
		return -1;
	f->v = v;
	f->cap = cap;
	f->v[f->n] = NULL;
	return 0;
}

/* Append entry, a string from malloc or NULL, and take it over. */
static int
append(struct facts *f, char *entry)
{
	if (!entry || room(f) < 0) {
		free(entry);
		errno = ENOMEM;
		return -1;
	}
	f->v[f->n++] = entry;
	f->v[f->n] = NULL;
	return 0;
}

/*
 * Returns the index of the entry with that name from first on, or f->n. Stages look up often and most names differ in
 * their first octets, so the comparison is a loop and not a call of strncmp.
 */
static size_t
find(const struct facts *f, size_t first, const char *name, size_t len)
{
	size_t i, k;

	for (i = first; i < f->n; i++) {
		for (k = 0; k < len && f->v[i][k] == name[k]; k++)
			;
		if (k == len && f->v[i][k] == '=')
			break;
	}
	return i;
}

/* Free a string of v, unless it belongs to the block. */
static void
drop(const struct facts *f, char *entry)
{
	if (!f->block || entry < f->block || entry >= f->block + f->block_len)
		free(entry);
}

static enum facts_owner
owner_of(const char *name, size_t len)
{
	size_t i;

	for (i = 0; len > 0 && i < sizeof table / sizeof *table; i++)
		if (table[i].len == len && table[i].name[len - 1] == name[len - 1] && memcmp(table[i].name, name, len) == 0)
			return table[i].owner;
	return len >= sizeof site - 1 && memcmp(name, site, sizeof site - 1) == 0 ? FACTS_OPERATOR : FACTS_NOBODY;
}

int
facts_from_environ(struct facts *f)
{
	char *const *p;

	if (room(f) < 0)
		return -1;
	for (p = environ; p && *p; p++) {
		if (!strchr(*p, '=')) /* execve() takes any string; without "=" it is no variable */
			continue;
		if (append(f, strdup(*p)) < 0) {
			facts_free(f);
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

/* Take the facts from the n octets at s, which belong to the block. Returns 0, or -1 with errno set. */
static int
call_facts(struct facts *f, char *s, size_t n, size_t max)
{
	char *end = s + n;
	size_t names = 0, i;

	for (; s < end; s += strlen(s) + 1) {
		char *equals = strchr(memchr(s, '\0', (size_t)(end - s)) ? s : "", '=');

		if (!equals || equals == s || ++names > max) {
			errno = EPROTO;
			return -1;
		}
		if (owner_of(s, (size_t)(equals - s)) == FACTS_NOBODY)
			continue;
		i = find(f, 0, s, (size_t)(equals - s));
		if (i == f->n) {
			if (room(f) < 0)
				return -1;
			f->n++;
		}
		f->v[i] = s;
	}
	return 0;
}

int
facts_from_call(struct facts *f, const char *p, size_t n, size_t max)
{
	int e;

	f->of_call = true;
	f->block = malloc(n + 1);
	if (!f->block || room(f) < 0)
		goto fail;
	f->block_len = n;
	if (n > 0)
		memcpy(f->block, p, n);
	if (call_facts(f, f->block, n, max) < 0)
		goto fail;
	f->v[f->n] = NULL;
	return 0;
fail:
	e = errno;
	facts_free(f);
	errno = e;
	return -1;
}

int
facts_copy(struct facts *f, const struct facts *from)
{
	size_t i, at = 0, len = 0;

	for (i = 0; i < from->n; i++)
		len += strlen(from->v[i]) + 1;
	f->v = malloc((from->n + 1) * sizeof *f->v);
	f->block = malloc(len + 1);
	if (!f->v || !f->block) {
		facts_free(f);
		errno = ENOMEM;
		return -1;
	}
	for (i = 0; i < from->n; i++) {
		f->v[i] = f->block + at;
		at += (size_t)(stpcpy(f->v[i], from->v[i]) - f->v[i]) + 1;
	}
	f->v[from->n] = NULL;
	f->n = from->n;
	f->cap = from->n + 1;
	f->block_len = len;
	f->of_call = from->of_call;
	return 0;
}

const char *
facts_get(const struct facts *f, const char *name)
{
	size_t len = strlen(name), i = find(f, 0, name, len);

	return i < f->n ? f->v[i] + len + 1 : NULL;
}

int
facts_set(struct facts *f, const char *name, const char *value)
{
	size_t len = strlen(name), value_len = strlen(value);
	char *entry = malloc(len + value_len + 2);

	if (!entry || room(f) < 0) {
		free(entry);
		errno = ENOMEM;
		return -1;
	}
	memcpy(entry, name, len);
	entry[len] = '=';
	memcpy(entry + len + 1, value, value_len + 1);
	facts_unset(f, name); /* every entry: an environment may have a name twice, and a program may read the last */
	return append(f, entry);
}

int
facts_set_text(struct facts *f, const char *name, const char *text, size_t len)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:_-[]@+=/ ";
	char clean[CHAIN_TEXT_MAX + 1];
	size_t i;

	if (len > CHAIN_TEXT_MAX)
		len = CHAIN_TEXT_MAX;
	for (i = 0; i < len; i++)
		clean[i] = text[i] && strchr(good, text[i]) ? text[i] : '?';
	clean[len] = '\0';
	return facts_set(f, name, clean);
}

/* Unset the variable at i; another one takes its place. */
static void
unset_at(struct facts *f, size_t i)
{
	drop(f, f->v[i]);
	f->v[i] = f->v[--f->n];
	f->v[f->n] = NULL;
}

void
facts_unset(struct facts *f, const char *name)
{
	size_t i = 0, len = strlen(name);

	while ((i = find(f, i, name, len)) < f->n)
		unset_at(f, i);
}

void
facts_claim(struct facts *f, enum facts_owner owner)
{
	size_t i = 0;

	while (i < f->n) {
		enum facts_owner its = facts_owner(f->v[i]);

		if (its == FACTS_NOBODY || its < owner)
			i++;
		else
			unset_at(f, i);
	}
}

bool
facts_disown(struct facts *f)
{
	static const char relay[] = "RELAYCLIENT=";
	bool any = false;
	size_t i = 0;

	while (i < f->n)
		if (strncmp(f->v[i], relay, sizeof relay - 1) == 0 || strncmp(f->v[i], site, sizeof site - 1) == 0) {
			unset_at(f, i);
			any = true;
		} else
			i++;
	return any;
}

enum facts_owner
facts_owner(const char *name)
{
	return owner_of(name, strcspn(name, "="));
}

int
facts_to_environ(const struct facts *f)
{
	size_t n = f->n, own = 0;
	char **all, **e;

	if (!f->of_call) {
		environ = f->v;
		return 0;
	}
	for (e = environ; e && *e; e++)
		own++;
	all = malloc((n + own + 1) * sizeof *all);
	if (!all)
		return -1;
	memcpy(all, f->v, n * sizeof *all);
	for (e = environ; e && *e; e++)
		if (facts_owner(*e) == FACTS_NOBODY)
			all[n++] = *e;
	all[n] = NULL;
	environ = all;
	return 0;
}

void
facts_free(struct facts *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		drop(f, f->v[i]);
	free(f->v);
	free(f->block);
	*f = (struct facts){ 0 };
}

bool
facts_is_tls(const struct facts *f)
{
	return facts_get(f, "SSL_PROTOCOL") != NULL;
}

bool
facts_is_authenticated(const struct facts *f)
{
	const char *user = facts_get(f, "SMTPAUTHUSER");

	return user && *user;
}

bool
facts_is_lmtp(const struct facts *f)
{
	return facts_get(f, "MSA_LMTP") != NULL;
}

long long
facts_number(const struct facts *f, const char *name, long long otherwise)
{
	const char *s = facts_get(f, name);
	long long n = 0;
	size_t i;

	if (!s || !*s)
		return otherwise;
	for (i = 0; s[i]; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 15)
			return otherwise;
		n = n * 10 + (s[i] - '0');
	}
	return n;
}
