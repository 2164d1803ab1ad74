/* ISC licence, see LICENSE. */
#ifndef MSA_NET_LINEIO_H
#define MSA_NET_LINEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"

/*
 * A conversation of lines and replies, from either side, over one socket or two pipes, blocking or not.
 * Replies collect in out and are written when, and only when, the reader must wait (so pipelined replies leave in one
 * write), or by lineio_flush. Every wait has a deadline.
 */
enum {
	LINEIO_IN_MAX = 65536, /* octets read at once, of which what was never used takes no memory; no line can be longer */
	LINEIO_HEAD = 8,       /* octets kept of a line that was dropped: enough for a verb */
	LINE_COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, with CRLF; each extension adds to it */
	LINE_REPLY_MAX = 512,   /* RFC 5321 4.5.3.1.5, with CRLF */
	LINE_AUTH_MAX = 12288,  /* RFC 4954 4: with CRLF */
};

enum line_result {
	LINE_OK,
	LINE_EOF,     /* the peer is gone; what it left of a line is dropped */
	LINE_LONG,    /* over the limit; the whole line was read and dropped, its start is in head, the next one can be read */
	LINE_BAD,     /* a bare CR, a bare LF or a NUL; dropped up to its CRLF, or, where none has come yet, to the end
	               * of what has: nothing that arrived together with such a line is ever taken for a command;
	               * its start is in head */
	LINE_TIMEOUT,
	LINE_STOP,    /* stop is readable, and no line is waiting */
	LINE_ERROR,   /* errno says what */
};

struct lineio {
	int in;
	int out_fd;
	bool in_socket, out_socket; /* lineio_open asks */
	int stop;             /* -1, or: when this is readable, nothing more is waited for */
	bool exact;           /* never read beyond the line returned: the rest belongs to the next stage */
	int64_t deadline_ms;  /* monotonic; ends every wait; 0: none */
	void (*lull)(void *); /* called with lull_arg where input is waited for and lull_at_ms (clock_ms) has come; once */
	void *lull_arg;
	int64_t lull_at_ms;   /* 0: it is not called (any more) */
	int slice_ms;         /* 0; or what SO_RCVTIMEO of in is, a blocking socket: as long as more time is left a read
	                       * waits by itself, and nobody asks poll first. Not with stop or exact. lineio_open sets 0. */
	struct buf out;       /* replies not yet written */
	size_t pos, len;      /* in_buf[pos..len) was read and not used */
	size_t most;          /* octets of in_buf that ever held anything */
	char head[LINEIO_HEAD + 1]; /* how the last line that was LINE_LONG or LINE_BAD began, NUL-ended */
	char in_buf[LINEIO_IN_MAX];
};

/* Make c ready for descriptors in and out, which stay the caller's. */
void lineio_open(struct lineio *c, int in, int out);
void lineio_close(struct lineio *c); /* frees what c owns; closes nothing */
void lineio_wipe(struct lineio *c);  /* the same, and overwrites what was read: for a conversation that held a secret */

/*
 * The next line, complete within wait_ms. At most max octets with its CRLF (max <= LINEIO_IN_MAX). *line points into c,
 * without CRLF, NUL behind it, valid until the next call with c; *len is its length.
 */
enum line_result lineio_line(struct lineio *c, size_t max, int wait_ms, char **line, size_t *len);

/*
 * Copy the next n octets into p and leave them where they are, for the next line may be the next stage's: LINE_OK,
 * and *got of them (fewer than n where a line ends before that, or the input does). Only with exact, on a socket.
 */
enum line_result lineio_peek(struct lineio *c, char *p, size_t n, int wait_ms, size_t *got);

/*
 * At least one octet more of raw input within wait_ms: LINE_OK, and c->in_buf[c->pos..c->len) is not empty.
 * The caller advances pos. Not with exact.
 */
enum line_result lineio_fill(struct lineio *c, int wait_ms);

/*
 * As lineio_fill, for octets that are no lines: a message's text, or a chunk. The wait ends at until_ms (clock_ms) too,
 * even if input has come, and stop does not end it. Reads at most `most` octets (0: no limit). With exact, most is the
 * number that belongs to this stage.
 */
enum line_result lineio_fill_until(struct lineio *c, int wait_ms, int64_t until_ms, size_t most);

/* Write all of out within wait_ms. 0, or -1 with errno (ETIMEDOUT at the deadline). */
int lineio_flush(struct lineio *c, int wait_ms);

/* Write n octets of data behind out (which is flushed first) without copying them. As lineio_flush. */
int lineio_write(struct lineio *c, const void *data, size_t n, int wait_ms);

#endif
