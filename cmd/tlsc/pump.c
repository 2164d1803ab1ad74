/* ISC licence, see LICENSE. */
#include "pump.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"

enum { PART = 16384 }; /* octets: a TLS record */

/* One direction. */
struct way {
	char p[PART];
	size_t pos, len;
	bool ended;  /* its input has ended */
	bool deaf;   /* the other end reads no more: drop what comes */
	short wants; /* the event on net that the TLS call waits for; 0: none */
};

static bool
is_later(int e)
{
	return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

/* A TLS call returned r. Returns true if it is done; else *wants is the event that it waits for. */
static bool
has_moved(ssize_t r, short *wants)
{
	*wants = r == TLS_WANT_POLLIN ? POLLIN : r == TLS_WANT_POLLOUT ? POLLOUT : 0;
	return *wants == 0;
}

int
pump_handshake(struct tls *tls, int net, int64_t deadline_ms, const char **why)
{
	struct pollfd p = { .fd = net };
	int r;

	while (!has_moved(r = tls_handshake(tls), &p.events)) {
		r = clock_left(deadline_ms) > 0 ? poll(&p, 1, clock_left(deadline_ms)) : 0;
		if (r == 0) {
			*why = "no handshake until the deadline";
			return -1;
		}
	}
	*why = r < 0 ? tls_error(tls) : NULL;
	if (r < 0 && !*why)
		*why = "no handshake";
	return r < 0 ? -1 : 0;
}

/* Move octets from in to TLS. Returns true if anything moved. */
static bool
move_up(struct way *w, struct tls *tls, int in)
{
	bool moved = false;
	ssize_t r;

	if (w->pos == w->len && !w->ended) {
		r = read(in, w->p, sizeof w->p);
		w->pos = 0;
		w->len = r > 0 ? (size_t)r : 0;
		w->ended = r == 0 || (r < 0 && !is_later(errno));
		moved = r > 0 || w->ended;
	}
	if (w->pos < w->len && w->deaf)
		w->pos = w->len;
	if (w->pos < w->len) {
		r = tls_write(tls, w->p + w->pos, w->len - w->pos);
		if (has_moved(r, &w->wants)) {
			moved = true;
			w->deaf = r <= 0; /* the output of the server may still be read */
			w->pos += r > 0 ? (size_t)r : 0;
		}
	}
	return moved;
}

/* Move octets from TLS to out. Returns true if anything moved. */
static bool
move_down(struct way *w, struct tls *tls, int out)
{
	bool moved = false;
	ssize_t r;

	if (w->pos == w->len && !w->ended) {
		r = tls_read(tls, w->p, sizeof w->p);
		if (has_moved(r, &w->wants)) {
			moved = true;
			w->pos = 0;
			w->len = r > 0 ? (size_t)r : 0;
			w->ended = r <= 0;
		}
	}
	if (w->pos < w->len) {
		r = write(out, w->p + w->pos, w->len - w->pos);
		if (r > 0) {
			moved = true;
			w->pos += (size_t)r;
		} else if (r < 0 && !is_later(errno)) {
			w->pos = w->len = 0;
			w->ended = true;
		}
	}
	return moved;
}

void
pump_run(struct tls *tls, int in, int out, int net, int linger_ms)
{
	struct way up = { .pos = 0 }, down = { .pos = 0 };
	int64_t end = 0;

	while (!(up.ended && up.pos == up.len) && !(down.ended && down.pos == down.len) && !(end && clock_left(end) == 0)) {
		bool moved = move_up(&up, tls, in);
		struct pollfd p[3] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };

		moved |= move_down(&down, tls, out);
		if (up.ended && end == 0)
			end = clock_ms() + linger_ms;
		if (moved)
			continue;
		p[0].events = (short)((up.pos < up.len ? up.wants : 0) | (down.pos == down.len ? down.wants : 0));
		p[1].events = up.pos == up.len ? POLLIN : 0;
		p[2].events = POLLOUT;
		/* poll always reports an end. We want that only of in, and only until it has ended */
		if (p[0].events)
			p[0].fd = net;
		if (end == 0)
			p[1].fd = in;
		if (down.pos < down.len)
			p[2].fd = out;
		/* no deadline until in ends: the caller has one, and closes in at it or by its death */
		poll(p, 3, end ? clock_left(end) : -1);
		if (p[1].revents & (POLLHUP | POLLERR) && up.pos < up.len)
			end = clock_ms() + linger_ms; /* the caller is gone, and the server reads nothing */
	}
	tls_close(tls); /* send close_notify if there is room; do not wait for the answer */
}
