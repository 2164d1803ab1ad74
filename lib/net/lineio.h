/* ISC licence, see LICENSE. */
#ifndef MSA_NET_LINEIO_H
#define MSA_NET_LINEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"

/*
 * A conversation of lines and replies, as client or server, over one socket or two pipes, blocking or not. Replies
 * collect in out. They are written when the reader must wait, so pipelined replies leave in one write, or by
 * lineio_flush. Every wait has a deadline.
 */
enum {
	LINEIO_IN_MAX = 65536,  /* octets of the input buffer; no line can be longer. Unused pages of it take no memory */
	LINEIO_HEAD = 8,        /* octets kept of a line that was dropped: enough for a verb */
	LINE_COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, with CRLF; each extension adds to it */
	LINE_REPLY_MAX = 512,   /* RFC 5321 4.5.3.1.5, with CRLF */
	LINE_AUTH_MAX = 12288,  /* RFC 4954 4, with CRLF */
	LINE_TLS_RECORD = 0x16, /* the first octet of a ClientHello (RFC 8446 5.1), and of no line */
};

enum line_result {
	LINE_OK,
	LINE_EOF,     /* the peer is gone; an incomplete line is dropped */
	LINE_LONG,    /* over the limit. The whole line was read and dropped; head is its start */
	LINE_BAD,     /* a bare CR, a bare LF or a NUL; head is the line's start. Dropped up to its CRLF, or, if that has not
	               * come yet, with everything that has come: no octet of it is ever taken for a command. The same for
	               * a TLS record, at once: it may never have a line end */
	LINE_TIMEOUT,
	LINE_STOP,    /* stop is readable, and no complete line is buffered */
	LINE_ERROR,   /* errno is set */
};

struct lineio {
	int in;
	int out_fd;
	bool in_socket, out_socket; /* set by lineio_open */

	/*
	 * Four independent settings, which the caller makes after lineio_open (there: -1, false, 0, 0).
	 *
	 * stop: a descriptor, or -1. Once it is readable, a wait for a line ends with LINE_STOP. For residents.
	 */
	int stop;
	/*
	 * exact: never read beyond the end of the line returned, because what follows belongs to the next stage. From a
	 * pipe that costs a system call for each octet.
	 */
	bool exact;
	/*
	 * lull: called once, with lull_arg, when input is waited for at lull_at_ms (of clock_ms; 0: never), for work that
	 * can be done while the peer is silent. Then lull_at_ms is 0, and the wait goes on.
	 */
	void (*lull)(void *);
	void *lull_arg;
	int64_t lull_at_ms;
	/*
	 * slice_ms: the SO_RCVTIMEO that the caller has set on in, a blocking socket; 0: none. While more time than that is
	 * left, a read waits by itself, which saves the call of poll. Not with stop or exact.
	 */
	int slice_ms;

	int64_t deadline_ms;  /* of clock_ms; ends every wait; 0: none */
	struct buf out;       /* replies not written yet */
	size_t pos, len;      /* in_buf[pos..len) was read and not used */
	size_t most;          /* octets of in_buf that were ever used */
	char head[LINEIO_HEAD + 1]; /* the start of the last line that was LINE_LONG or LINE_BAD, NUL-terminated */
	char in_buf[LINEIO_IN_MAX];
};

/* Make c ready for the descriptors in and out, which stay the caller's. */
void lineio_open(struct lineio *c, int in, int out);
void lineio_close(struct lineio *c); /* free what c owns; no descriptor is closed */
void lineio_wipe(struct lineio *c);  /* the same, and overwrite the input: for a conversation with secrets */

/*
 * Read the next line, which must be complete within wait_ms and have at most max octets with its CRLF (max is at most
 * LINEIO_IN_MAX). *line points into c until the next call with c, without CRLF and NUL-terminated; *len is its length.
 */
enum line_result lineio_line(struct lineio *c, size_t max, int wait_ms, char **line, size_t *len);

/*
 * Copy the next n octets to p without removing them, because the next line may be the next stage's. *got is their
 * number, less than n if a line or the input ends before. Only with exact, and only on a socket.
 */
enum line_result lineio_peek(struct lineio *c, char *p, size_t n, int wait_ms, size_t *got);

/*
 * Read at least one octet of raw input within wait_ms. After LINE_OK, in_buf[pos..len) is not empty; the caller
 * advances pos. Not with exact.
 */
enum line_result lineio_fill(struct lineio *c, int wait_ms);

/*
 * As lineio_fill, for octets that are not lines: a message's text, or a chunk. The wait ends at until_ms (of clock_ms)
 * too, even if input has come, and stop does not end it. Reads at most `most` octets (0: no limit). With exact, most is
 * the number that belongs to this stage.
 */
enum line_result lineio_fill_until(struct lineio *c, int wait_ms, int64_t until_ms, size_t most);

/* Write all replies within wait_ms. Returns 0, or -1 with errno set (ETIMEDOUT at the deadline). */
int lineio_flush(struct lineio *c, int wait_ms);

/* Write the replies and then n octets of data, without copying them. As lineio_flush. */
int lineio_write(struct lineio *c, const void *data, size_t n, int wait_ms);

#endif
