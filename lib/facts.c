/* ISC licence, see LICENSE. */
#include "facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

extern char **environ;

/* The variables of chain(7) ENVIRONMENT and who sets them: the page's table, in code. */
static const struct {
	const char *name;
	enum facts_owner owner;
} table[] = {
	{ "PROTO", FACTS_OPERATOR },
	{ "TCPREMOTEIP", FACTS_OPERATOR },
	{ "TCPREMOTEPORT", FACTS_OPERATOR },
	{ "TCPREMOTEHOST", FACTS_OPERATOR },
	{ "TCPREMOTEINFO", FACTS_OPERATOR },
	{ "TCPLOCALIP", FACTS_OPERATOR },
	{ "TCPLOCALPORT", FACTS_OPERATOR },
	{ "TCPLOCALHOST", FACTS_OPERATOR },
	{ "RELAYCLIENT", FACTS_OPERATOR },
	{ "DATABYTES", FACTS_OPERATOR },
	{ "MSA_HOST", FACTS_OPERATOR },
	{ "MSA_LMTP", FACTS_OPERATOR },
	{ "MSA_EHLO", FACTS_OPERATOR },
	{ "MSA_SESSION", FACTS_OPERATOR },
	{ "SSL_PROTOCOL", FACTS_TLSD },
	{ "SSL_CIPHER", FACTS_TLSD },
	{ "SSL_CIPHER_USEKEYSIZE", FACTS_TLSD },
	{ "SSL_TLS_SNI_SERVERNAME", FACTS_TLSD },
	{ "SSL_PEER_CERT_HASH", FACTS_TLSD },
	{ "SSL_PEER_CERT_SUBJECT", FACTS_TLSD },
	{ "SMTPAUTHUSER", FACTS_AUTHD },
	{ "SMTPAUTHMETHOD", FACTS_AUTHD },
	{ "MSA_VERB", FACTS_AUTHD },
	{ "MSA_HELO", FACTS_AUTHD },
	{ "MSA_MESSAGE", FACTS_SUBMITD },
	{ "MSA_RCPTS", FACTS_SUBMITD },
	{ "MSA_DEADLINE", FACTS_SUBMITD },
	{ "MSA_PARTIAL", FACTS_SUBMITD },
};

static const char site[] = "MSA_X_"; /* how the names begin that are the operator's own */

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

/* Takes over entry. */
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

static size_t
find(const struct facts *f, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < f->n; i++)
		if (strncmp(f->v[i], name, len) == 0 && f->v[i][len] == '=')
			break;
	return i;
}

int
facts_from_environ(struct facts *f)
{
	char **p;

	if (room(f) < 0)
		return -1;
	for (p = environ; p && *p; p++)
		if (append(f, strdup(*p)) < 0) {
			facts_free(f);
			return -1;
		}
	return 0;
}

const char *
facts_get(const struct facts *f, const char *name)
{
	size_t i = find(f, name);

	return i < f->n ? f->v[i] + strlen(name) + 1 : NULL;
}

int
facts_set(struct facts *f, const char *name, const char *value)
{
	size_t cap = strlen(name) + strlen(value) + 2;
	char *entry = malloc(cap);

	if (!entry || room(f) < 0) {
		free(entry);
		errno = ENOMEM;
		return -1;
	}
	snprintf(entry, cap, "%s=%s", name, value);
	facts_unset(f, name); /* all of that name: an environment may hold it twice, and who reads it may take the last */
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

void
facts_unset(struct facts *f, const char *name)
{
	size_t i;

	while ((i = find(f, name)) < f->n) {
		free(f->v[i]);
		f->v[i] = f->v[--f->n];
		f->v[f->n] = NULL;
	}
}

void
facts_claim(struct facts *f, enum facts_owner owner)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].owner >= owner)
			facts_unset(f, table[i].name);
	for (i = 0; owner <= FACTS_OPERATOR && i < f->n;)
		if (strncmp(f->v[i], site, sizeof site - 1) == 0) {
			free(f->v[i]);
			f->v[i] = f->v[--f->n];
			f->v[f->n] = NULL;
		} else
			i++;
}

enum facts_owner
facts_owner(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].owner;
	return strncmp(name, site, sizeof site - 1) == 0 ? FACTS_OPERATOR : FACTS_NOBODY;
}

void
facts_to_environ(struct facts *f)
{
	environ = f->v;
}

void
facts_free(struct facts *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->v[i]);
	free(f->v);
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
