/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_ADDR_H
#define MSA_SMTP_ADDR_H

#include <stdbool.h>
#include <stddef.h>

/* Addresses of the envelope: RFC 5321 4.1.2, with RFC 6531 3.3's UTF-8. */
enum {
	ADDR_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	ADDR_MAILBOX_MAX = 254, /* RFC 5321 4.5.3.1.3: a path is at most 256 octets with its brackets */
	/* The 64 octets of RFC 5321 4.5.3.1.1 are less than what reply addresses and lists use: 4.5.3.1 avoids limits. */
	ADDR_LOCAL_MAX = ADDR_MAILBOX_MAX - 2,
	ADDR_LABEL_MAX = 63,   /* RFC 1035 2.3.4 */
};

struct addr {
	char text[ADDR_MAILBOX_MAX + 1]; /* canonical: no source route or needless quotes, domain in lower case; "" for <> */
	size_t len;
	size_t local_len; /* text[0..local_len) is the local part, quotes included */
	bool has_domain;  /* text[local_len] is '@' and the domain follows */
	bool is_literal;  /* the domain is an address literal, "[...]" */
	bool is_utf8;     /* has an octet over 127: needs SMTPUTF8 */
};

/*
 * Parse a reverse-path or forward-path with its brackets at the start of s. Returns 0 with *a set and *used octets of s
 * used, or -1: not a path. A missing domain is not an error here: the caller decides (<postmaster> is legal, <user> is
 * not).
 */
int addr_path(const char *s, size_t n, struct addr *a, size_t *used);

/* Parse a whole mailbox without brackets, local@domain. Returns 0, or -1: not a mailbox. */
int addr_mailbox(const char *s, size_t n, struct addr *a);

/* The domain, NUL-ended; "" if there is none. */
const char *addr_domain(const struct addr *a);

/* Returns true if the domain has two labels or more, or is an address literal (RFC 6409 4.2). */
bool addr_is_qualified(const struct addr *a);

/* Returns true for "postmaster" without a domain, in any case (RFC 5321 4.5.1). */
bool addr_is_postmaster(const struct addr *a);

/*
 * Returns true if s is a domain of RFC 5321 4.1.2: labels of letters, digits, inner hyphens and UTF-8; no trailing dot,
 * no literal.
 */
bool addr_is_domain(const char *s, size_t n);

/* Returns true if s is well-formed UTF-8 (RFC 3629). */
bool addr_is_utf8(const char *s, size_t n);

#endif
