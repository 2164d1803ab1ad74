/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_WATCH_H
#define MSA_SMTP_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"
#include "smtp/recording.h"

/*
 * The octets of both sides of a session become a recording. Replies are counted, which tells what each octet of the
 * client is: a command, the content of a message, or a credential. Octets of which that is not sure are left out.
 */
enum { WATCH_PENDING = 1024 }; /* commands that have no reply yet; the oldest is forgotten if there are more */

enum watch_state {
	WATCH_COMMAND,
	WATCH_AUTH,    /* an exchange: all lines are secret */
	WATCH_UNSURE,  /* after DATA, which has no reply yet: taken as content */
	WATCH_CONTENT, /* after 354, up to the dot */
	WATCH_CHUNK,   /* left octets of a BDAT */
	WATCH_CIPHER,  /* TLS has begun: nothing more is recorded */
};

struct watch {
	bool keeps;     /* set before: content is recorded too */
	long long ms;   /* set before each call: since the session began */
	struct buf out; /* the recording; emptied by the caller */
	bool failed;    /* there was no memory: the recording has a gap */

	/* The rest is the watcher's own. */
	enum watch_state state;
	bool is_lmtp;
	long long left;         /* of a chunk */
	bool is_last;           /* the chunk ends the message */
	int dot;                /* how much of CRLF.CRLF has come */
	long long content;      /* octets that were left out and not yet written */
	char line[2][RECORDING_TEXT_MAX]; /* of the client, the server: what has come of a line */
	size_t len[2];
	long long skipped;      /* octets of the client's line that did not fit */
	bool was_cr;            /* the last octet of a command was CR */
	unsigned char pending[WATCH_PENDING];
	size_t first, n;
	long long rcpts, extra; /* recipients that were accepted; replies that answer no command of their own */
};

void watch_client(struct watch *w, const char *p, size_t n);
void watch_server(struct watch *w, const char *p, size_t n);

/* The session has ended: write what has come of lines. */
void watch_end(struct watch *w);

#endif
