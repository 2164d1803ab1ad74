/* ISC licence, see LICENSE. */
#ifndef MSA_ASK_CHANGES_H
#define MSA_ASK_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "ask/packet.h"
#include "mail/header.h"
#include "msa/msgfile.h"
#include "smtp/addr.h"

/*
 * What a milter wants changed at the end of a message, collected until its last answer and applied then. Fields that
 * it does not change stay octet for octet.
 */
enum {
	CHANGES_FIELDS_MAX = 10000, /* of a header, with those that are added */
	CHANGES_OCTETS_MAX = 1048576, /* of all fields and reasons that the milter gives */
	CHANGES_RCPTS_MAX = 1000,   /* that it adds, and that it removes */
};

/* A field of the new header, in its order. */
struct changes_field {
	size_t off, len;     /* in the header's text with its line end, or in changes.text with its CRLF */
	size_t name, name_len; /* in the same text */
	bool is_new;         /* in changes.text */
	bool is_gone;        /* removed; it still counts, as a milter counts the fields that it was told */
};

struct changes {
	const struct header *header; /* of the message; borrowed */
	const struct packet_agreed *agreed; /* with the milter; borrowed */
	struct changes_field *field; /* owned */
	size_t n, cap;
	struct buf text;
	bool header_changed;
	bool body_replaced;
	struct msgfile body;   /* the new body, with CRLF */
	char last, edge;       /* the last octet that the milter gave, and the last one that was written; NUL: none */
	long long body_max;    /* octets; 0: no limit */
	bool from_changed;
	struct addr from;
	struct addr *added, *removed; /* recipients; owned */
	size_t nadded, nremoved;
	bool quarantine;
	struct buf reason;     /* of the quarantine; printable ASCII */
	const char *why;       /* after a failure: a constant; NULL: errno says */
};

/* Begin with the fields of header. Returns 0, or -1 (why: too many fields; not a header; NULL: ENOMEM). */
int changes_begin(struct changes *c, const struct header *header, const struct packet_agreed *agreed);

/* Take a change. Returns 0, or -1 with why set (NULL: errno is set): it is invalid, over a limit, or not agreed on. */
int changes_take(struct changes *c, const struct packet *packet);

/* Add a field "name: value" at the end of the header: for the site. Returns as changes_take. */
int changes_add(struct changes *c, const char *name, const char *value);

/*
 * Write the new message to m: the header, then the new body or, from octet body of the file fd on, the old one of size
 * octets in all. Returns 0, or -1 with errno set.
 */
int changes_write(struct changes *c, struct msgfile *m, int fd, long long size);

void changes_free(struct changes *c);

#endif
