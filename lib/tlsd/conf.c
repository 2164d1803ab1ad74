/* ISC licence, see LICENSE. */
#include "tlsd/conf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <tls.h>
#include <unistd.h>

#include "base/file.h"

struct file {
	uint8_t *p;
	size_t n;
};

/* Write why, with the file that libtls's text is about: the text does not name it. */
static void
blame(struct buf *why, const struct tlsconf *c, const struct tlsconf_pair *pair, const char *text)
{
	char own[512];
	const char *last;

	if (!text)
		text = "cannot be used";
	/* Cut off the text of errno at the end, which may be unrelated: so after a file that is not PEM. */
	last = strrchr(text, ':');
	if (last && strstr(text, "error:") && last > strstr(text, "error:")) {
		snprintf(own, sizeof own, "%.*s", (int)(last - text), text);
		text = own;
	}
	if (strstr(text, "ciphers") || strstr(text, "cipher list"))
		buf_printf(why, "%s", text);
	else if (c->ca && strstr(text, "verify"))
		buf_printf(why, "%s: %s", c->ca, text);
	else if (strstr(text, "certificate"))
		buf_printf(why, "%s: %s", pair->cert, text);
	else if (strstr(text, "read private key"))
		buf_printf(why, "%s: %s", pair->key, text);
	else if (strstr(text, "OCSP") || strstr(text, "ocsp"))
		buf_printf(why, "%s: %s", pair->staple, text);
	else
		buf_printf(why, "%s: does not fit %s: %s", pair->key, pair->cert, text);
}

static int
load(struct file *f, const char *path, struct buf *why)
{
	if (path && !(f->p = tls_load_file(path, &f->n, NULL))) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

/* Load a private key, which must not be open to everybody. */
static int
load_key(struct file *f, const char *path, struct buf *why)
{
	const char *reason;
	int fd = file_open_secret(path, &reason);
	off_t size = fd < 0 ? -1 : file_size(fd);
	int r = -1;

	if (size >= 0 && (f->p = malloc((size_t)size + 1))) {
		f->n = (size_t)size;
		r = file_read(fd, (char *)f->p, f->n, 0);
	}
	if (r < 0)
		buf_printf(why, "%s: %s", path, fd < 0 ? reason : strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

static void
unload(struct file *f)
{
	if (f->p)
		tls_unload_file(f->p, f->n); /* overwritten first */
}

static int
add_pair(struct tls_config *conf, const struct tlsconf *all, const struct tlsconf_pair *pair, bool first,
    struct buf *why)
{
	struct file c = { 0 }, k = { 0 }, o = { 0 };
	int r = load(&c, pair->cert, why);

	if (r == 0)
		r = load_key(&k, pair->key, why);
	if (r == 0)
		r = load(&o, pair->staple, why);
	if (r == 0) {
		if (first)
			r = tls_config_set_keypair_ocsp_mem(conf, c.p, c.n, k.p, k.n, o.p, o.n);
		else
			r = tls_config_add_keypair_ocsp_mem(conf, c.p, c.n, k.p, k.n, o.p, o.n);
		if (r < 0)
			blame(why, all, pair, tls_config_error(conf));
	}
	unload(&c);
	unload(&k);
	unload(&o);
	return r;
}

/*
 * Set the authority that signs the clients' certificates. An invalid certificate fails the handshake, unless c is
 * lenient. A missing one does not, because then the client could not read why it is refused.
 */
static int
add_authority(struct tls_config *conf, const struct tlsconf *c, struct buf *why)
{
	struct file f = { 0 };
	int r = load(&f, c->ca, why);

	if (r == 0 && c->ca) {
		r = tls_config_set_ca_mem(conf, f.p, f.n);
		if (r < 0)
			buf_printf(why, "%s: %s", c->ca, tls_config_error(conf));
		tls_config_verify_client_optional(conf);
		if (c->lenient)
			tls_config_insecure_noverifycert(conf);
	}
	unload(&f);
	return r;
}

/*
 * The ciphers of TLS 1.2 and the groups of both versions. libtls's word "secure" is a list of the library's, and in
 * LibreTLS it has suites without forward secrecy and with CBC.
 */
static const char *
suites(const struct tlsconf *c)
{
	bool ours = !c->ciphers || strcasecmp(c->ciphers, "secure") == 0 || strcasecmp(c->ciphers, "default") == 0;

	return ours ? "ECDHE+AESGCM:ECDHE+CHACHA20" : c->ciphers;
}

static const char groups[] = "X25519,P-256,P-384";

/* Make a context of n pairs. */
static struct tls *
make(const struct tlsconf *c, size_t from, size_t n, struct buf *why)
{
	uint32_t protocols = TLS_PROTOCOL_TLSv1_3 | (c->only_13 ? 0 : TLS_PROTOCOL_TLSv1_2);
	struct tls_config *conf = tls_config_new();
	struct tls *tls = tls_server();
	bool ok = false;
	size_t i;

	if (!conf || !tls)
		buf_puts(why, strerror(ENOMEM));
	else {
		for (i = 0; i < n && add_pair(conf, c, &c->pair[from + i], i == 0, why) == 0; i++)
			;
		if (i == n && (tls_config_set_protocols(conf, protocols) < 0 || tls_config_set_ciphers(conf, suites(c)) < 0 ||
		                  tls_config_set_ecdhecurves(conf, groups) < 0))
			blame(why, c, &c->pair[from], tls_config_error(conf));
		else if (i == n && add_authority(conf, c, why) < 0)
			;
		else if (i == n && tls_configure(tls, conf) < 0)
			blame(why, c, &c->pair[from], tls_error(tls));
		else
			ok = i == n;
	}
	if (conf) { /* tls has copies of the certificate and the key */
		tls_config_clear_keys(conf);
		tls_config_free(conf);
	}
	if (ok)
		return tls;
	tls_free(tls);
	errno = conf && tls ? EINVAL : ENOMEM;
	return NULL;
}

/* Try each pair alone first: of several, libtls reports only that one is bad. */
struct tls *
tlsconf_server(const struct tlsconf *c, struct authority *authority, struct buf *why)
{
	struct tls *all;
	size_t i;

	for (i = 0; c->n > 1 && i < c->n; i++) {
		struct tls *one = make(c, i, 1, why);

		if (!one)
			return NULL;
		tls_free(one);
	}
	all = make(c, 0, c->n, why);
	if (!all || !c->lenient)
		return all;
	authority->judges = true;
	if (authority_read(authority, c->ca) == 0)
		return all;
	buf_printf(why, "%s: no certificate can be read there", c->ca);
	tls_free(all);
	errno = EINVAL;
	return NULL;
}

static void
stamp(unsigned long long *sum, const char *path)
{
	struct stat st;
	unsigned long long part[5] = { 0 };
	size_t i;

	if (path && stat(path, &st) == 0) {
		part[0] = (unsigned long long)st.st_ino;
		part[1] = (unsigned long long)st.st_mtim.tv_sec;
		part[2] = (unsigned long long)st.st_mtim.tv_nsec;
		part[3] = (unsigned long long)st.st_size;
		part[4] = 1;
	}
	for (i = 0; i < 5; i++) {
		*sum = (*sum ^ part[i]) * 1099511628211u; /* FNV */
		*sum ^= *sum >> 29;
	}
}

unsigned long long
tlsconf_stamp(const struct tlsconf *c)
{
	unsigned long long sum = 14695981039346656037u;
	size_t i;

	stamp(&sum, c->ca);
	for (i = 0; i < c->n; i++) {
		stamp(&sum, c->pair[i].cert);
		stamp(&sum, c->pair[i].key);
		stamp(&sum, c->pair[i].staple);
	}
	return sum;
}
