/* ISC licence, see LICENSE. */
#include "tlsd/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <tls.h>

void
tlslink_open(struct tlslink *l, int in, int out)
{
	*l = (struct tlslink){ 0 };
	fdpair_open(&l->side, in, out);
}

void
tlslink_close(struct tlslink *l)
{
	tls_free(l->tls);
	l->tls = NULL;
	l->secure = l->certified = false;
	buf_free(&l->raw);
}

/*
 * libtls reads a record in two calls, and this callback reads everything that has come in one. It never reports the end
 * of the input. libtls would take an end without close_notify for a fatal error (or, in some versions, for a clean
 * end), and the next stage's last output could not be sent. Callers of libtls look at eof when it wants more input.
 */
static ssize_t
read_cb(struct tls *ctx, void *data, size_t n, void *arg)
{
	struct tlslink *l = arg;
	ssize_t r;

	(void)ctx;
	if (l->raw_pos == l->raw.len) {
		buf_clear(&l->raw);
		l->raw_pos = 0;
		if (l->eof || !l->side.readable)
			return TLS_WANT_POLLIN;
		if (buf_room(&l->raw, TLSLINK_CHUNK) < 0)
			return -1;
		r = fdpair_read(&l->side, l->raw.p, TLSLINK_CHUNK);
		if (r == FDPAIR_WAIT)
			return TLS_WANT_POLLIN;
		if (r <= 0) {
			l->error = r < 0 ? errno : 0;
			l->eof = true;
			return TLS_WANT_POLLIN;
		}
		l->raw.len = (size_t)r;
	}
	if (n > l->raw.len - l->raw_pos)
		n = l->raw.len - l->raw_pos;
	memcpy(data, l->raw.p + l->raw_pos, n);
	l->raw_pos += n;
	return (ssize_t)n;
}

static ssize_t
write_cb(struct tls *ctx, const void *data, size_t n, void *arg)
{
	struct tlslink *l = arg;
	ssize_t r = fdpair_write(&l->side, data, n);

	(void)ctx;
	if (r == -1)
		l->error = errno;
	return r == FDPAIR_WAIT ? TLS_WANT_POLLOUT : r;
}

/* The event that a tls_* call must wait for; 0: none, it is done. */
static short
wants(ssize_t r)
{
	return r == TLS_WANT_POLLIN ? POLLIN : r == TLS_WANT_POLLOUT ? POLLOUT : 0;
}

static bool
can(const struct tlslink *l, short want)
{
	return want == 0 || (want == POLLIN ? l->side.readable : l->side.writable);
}

int
tlslink_accept(struct tlslink *l, struct tls *server, const struct authority *authority)
{
	l->authority = authority;
	return tls_accept_cbs(server, &l->tls, read_cb, write_cb, l);
}

/* The client has proved that it has the key of its certificate: is that one of the authorities'? */
static void
judge(struct tlslink *l)
{
	const uint8_t *chain;
	size_t n;

	if (!tls_peer_cert_provided(l->tls))
		return;
	if (l->authority->judges) {
		chain = tls_peer_cert_chain_pem(l->tls, &n);
		l->not_good = authority_refuses(l->authority, chain, n);
	}
	l->certified = !l->not_good;
}

int
tlslink_handshake(struct tlslink *l)
{
	int r = tls_handshake(l->tls);

	l->read_wants = wants(r);
	if (l->read_wants && !l->eof)
		return 0;
	l->secure = r == 0;
	if (l->secure)
		judge(l);
	return r < 0 ? -1 : 1;
}

bool
tlslink_may_read(const struct tlslink *l)
{
	return can(l, l->read_wants);
}

ssize_t
tlslink_read(struct tlslink *l, void *p, size_t n)
{
	ssize_t r;

	if (!can(l, l->read_wants))
		return FDPAIR_WAIT;
	if (l->secure) {
		r = tls_read(l->tls, p, n);
		l->read_wants = wants(r);
		if (l->read_wants)
			return l->eof ? -1 : FDPAIR_WAIT;
		return r < 0 ? -1 : r;
	}
	r = fdpair_read(&l->side, p, n);
	l->read_wants = r == FDPAIR_WAIT ? POLLIN : 0;
	if (r == 0 || r == -1) {
		l->error = r < 0 ? errno : 0;
		l->eof = true;
	}
	return r;
}

ssize_t
tlslink_write(struct tlslink *l, const void *p, size_t n)
{
	ssize_t r;

	if (!can(l, l->write_wants))
		return FDPAIR_WAIT;
	if (l->secure) {
		r = tls_write(l->tls, p, n);
		l->write_wants = wants(r);
		return l->write_wants ? FDPAIR_WAIT : r < 0 ? -1 : r;
	}
	r = fdpair_write(&l->side, p, n);
	l->write_wants = r == FDPAIR_WAIT ? POLLOUT : 0;
	if (r == -1)
		l->error = errno;
	return r;
}

int
tlslink_finish(struct tlslink *l)
{
	if (!can(l, l->write_wants))
		return FDPAIR_WAIT;
	l->write_wants = wants(tls_close(l->tls));
	return l->write_wants ? FDPAIR_WAIT : 0;
}

bool
tlslink_is_cut(const struct tlslink *l)
{
	return l->eof && !l->error;
}

const char *
tlslink_reason(const struct tlslink *l)
{
	return l->error ? strerror(l->error) : l->eof ? "connection ended" : tls_error(l->tls);
}

bool
tlslink_has_certificate(const struct tlslink *l)
{
	return l->secure && l->certified;
}

int
tlslink_facts(const struct tlslink *l, struct facts *f)
{
	const char *name, *subject;
	char size[12];

	if (!l->secure)
		return 0;
	name = tls_conn_servername(l->tls);
	snprintf(size, sizeof size, "%d", tls_conn_cipher_strength(l->tls));
	if (facts_set(f, "SSL_PROTOCOL", tls_conn_version(l->tls)) < 0 ||
	    facts_set(f, "SSL_CIPHER", tls_conn_cipher(l->tls)) < 0 ||
	    facts_set(f, "SSL_CIPHER_USEKEYSIZE", size) < 0)
		return -1;
	if (name && *name && facts_set_text(f, "SSL_TLS_SNI_SERVERNAME", name, strlen(name)) < 0)
		return -1;
	if (!tlslink_has_certificate(l))
		return 0;
	subject = tls_peer_cert_subject(l->tls);
	if (subject && facts_set_text(f, "SSL_PEER_CERT_SUBJECT", subject, strlen(subject)) < 0)
		return -1;
	return facts_set(f, "SSL_PEER_CERT_HASH", tls_peer_cert_hash(l->tls));
}
