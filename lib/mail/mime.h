/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_MIME_H
#define MSA_MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mail/header.h"
#include "msa/buf.h"

/*
 * The parts of a message (RFC 2045, RFC 2046), one after the other, from a file. Memory holds a block of the file, one
 * header, and the boundaries of the multiparts that are open.
 */
enum {
	MIME_BOUNDARY_MAX = 70,   /* octets of a boundary (RFC 2046 5.1.1) */
	MIME_DEPTH_MAX = 64,      /* multiparts within each other */
	MIME_HEADER_MAX = 65536,  /* octets of a part's header; a message's own: HEADER_MAX */
	MIME_DELIMITER_MAX = 256, /* octets of a delimiter with the white space after it */
};

/* The properties of some octets that their transport depends on. */
struct mime_survey {
	bool is_8bit;
	bool is_binary; /* a NUL, or a CR or LF that is not part of a line end */
	size_t longest; /* octets of the longest line, without its end */
};

enum mime_kind {
	MIME_TEXT,   /* text, all of it */
	MIME_DATA,   /* anything else that an encoding may hold; also message/global (RFC 6532 3.7) */
	MIME_SEALED, /* signed or encrypted: not to be changed */
	MIME_OPAQUE, /* must not be encoded (RFC 2045 6.4, RFC 2046 5.2), or not understood */
};

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_ENCODED };

enum mime_event {
	MIME_FRAME, /* preamble, delimiter, epilogue: whatever stands between contents and headers */
	MIME_HEAD,  /* the header of a multipart or of a message whose parts follow */
	MIME_LEAF,  /* a header and a content without parts */
	MIME_END,   /* the file is over */
	MIME_ERROR, /* errno is set */
};

/*
 * What an event is about: the octets from begin to end. A header goes up to body, with the empty line after it; its
 * text without that line is in mime.header. MIME_SEALED and MIME_OPAQUE have no header: it counts as content.
 */
struct mime_item {
	off_t begin, body, end;
	size_t number;              /* of the header, the message's own being 1; 0: a frame */
	enum mime_kind kind;
	enum mime_encoding encoding;
	struct field cte;           /* Content-Transfer-Encoding; id FIELD_OTHER: missing */
	bool is_message;            /* the header is a message's, and not that of a part */
	bool is_global;             /* message/global: a message that needs SMTPUTF8 */
	bool has_version, has_type; /* MIME-Version, Content-Type */
	bool is_signed;             /* a message with DKIM-Signature */
	bool is_unclear;            /* its boundary is that of an open multipart: programs differ in what its parts are */
	struct mime_survey header, content; /* of a frame: content */
};

struct mime_level {
	char boundary[MIME_BOUNDARY_MAX + 1];
	size_t len;
	bool is_digest; /* parts are messages, unless they say otherwise (RFC 2046 5.1.5) */
};

struct mime {
	int fd;
	off_t size, off; /* of the file; what comes next */
	bool lf;         /* lines end with LF */
	bool at_header;  /* a header comes next */
	bool is_message, is_digest; /* whose header that is */
	size_t number;
	struct buf header;
	struct buf block; /* the file from block_off on */
	off_t block_off;
	struct mime_level level[MIME_DEPTH_MAX];
	size_t depth;
};

/*
 * Start with the message in fd, a regular file; lf: its lines end with LF, otherwise with CR LF. Call mime_free
 * whatever the result. Returns 0, or -1 with errno set as file_size.
 */
int mime_begin(struct mime *m, int fd, bool lf);

enum mime_event mime_next(struct mime *m, struct mime_item *item);

/* Survey the whole file, without looking for parts. Returns 0, or -1 with errno set as file_read. */
int mime_look(struct mime *m, struct mime_survey *s);

void mime_free(struct mime *m);

#endif
