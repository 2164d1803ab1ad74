/* ISC licence, see LICENSE. */
#include "tlsend.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns whether the descriptor is ready before the seconds are over. */
static bool
ready(const struct end *e, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	while ((n = poll(&p, 1, (int)(e->seconds * 1000))) < 0 && errno == EINTR)
		;
	return n > 0;
}

ssize_t
end_receive(struct end *e, void *data, size_t size)
{
	int n, why;

	if ((!e->tls || SSL_pending(e->tls) == 0) && !ready(e, e->in, POLLIN))
		return END_TIMEOUT;
	if (!e->tls)
		return read(e->in, data, size);
	n = SSL_read(e->tls, data, size > 65536 ? 65536 : (int)size);
	if (n > 0)
		return n;
	why = SSL_get_error(e->tls, n);
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (why == SSL_ERROR_SYSCALL && errno == ECONNRESET)
		return -1;
	return why == SSL_ERROR_SYSCALL && errno == EAGAIN ? END_TIMEOUT : END_CUT;
}

int
end_send(struct end *e, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n;

		if (!ready(e, e->out, POLLOUT))
			return END_TIMEOUT;
		n = e->tls ? SSL_write(e->tls, p, size > 65536 ? 65536 : (int)size)
		    : e->in == e->out ? send(e->out, p, size, MSG_DONTWAIT) : write(e->out, p, size);
		if (n <= 0 && !e->tls && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int
end_start_tls(struct end *e, const char *certificate)
{
	SSL_CTX *context = SSL_CTX_new(certificate ? TLS_server_method() : TLS_client_method());
	/* A peer that stops in the middle is not waited for without end. */
	struct timeval limit = { .tv_sec = (time_t)e->seconds };

	setsockopt(e->in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(e->out, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (!context || (certificate && (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	                                 SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1)))
		return -1;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	e->tls = SSL_new(context);
	SSL_CTX_free(context);
	if (!e->tls || SSL_set_fd(e->tls, e->in) != 1)
		return -1;
	if ((certificate ? SSL_accept(e->tls) : SSL_connect(e->tls)) == 1)
		return 0;
	SSL_free(e->tls);
	e->tls = NULL;
	return -1;
}

void
end_shut(struct end *e)
{
	if (e->in == e->out) {
		shutdown(e->out, SHUT_WR);
	} else if (e->out >= 0) {
		close(e->out);
		e->out = -1;
	}
}

void
end_close(struct end *e)
{
	SSL_free(e->tls);
	e->tls = NULL;
	if (e->out >= 0 && e->out != e->in)
		close(e->out);
	if (e->in >= 0)
		close(e->in);
	e->in = e->out = -1;
}
