/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_ADDRLIST_H
#define MSA_MAIL_ADDRLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"

/*
 * The addresses in a header field: RFC 5322 3.4 with groups (RFC 6854: in every field), UTF-8 (RFC 6532) and the
 * obsolete forms of 4.4: comments and folding anywhere, routes, empty list elements, quoted words between dots, dots
 * in phrases. One pass, no look-back, no recursion: time is linear whatever the octets are. Nothing is copied: all
 * members are offsets into the text given.
 */
struct addrlist {
	const char *text;
	size_t pos, end;  /* text[pos..end) is still to be read */
	bool in_group;
	size_t addresses; /* mailboxes outside of groups, and groups, seen so far */
};

struct addrlist_item {
	size_t name, name_end;     /* the display name, as written; equal: there is none */
	size_t local, local_end;   /* the local part, from its first word to behind its last */
	size_t domain, domain_end; /* the same of the domain, or the literal with its brackets; equal: there is none */
	size_t label;              /* text[label..domain_end) is the last label; a literal is one */
	size_t labels;             /* how many; 0: no domain */
	bool is_literal;
	bool in_group;
};

enum addrlist_result {
	ADDRLIST_BOX, /* a mailbox; it may lack the domain, which RFC 5322 does not allow: the caller decides */
	ADDRLIST_END, /* no further one; list->addresses is 0 where there was nothing but comments and commas */
	ADDRLIST_BAD, /* no address list; list->pos is about where */
};

/* Begin with a field's value, text[begin..end). text must outlive the list. */
void addrlist_begin(struct addrlist *list, const char *text, size_t begin, size_t end);
enum addrlist_result addrlist_next(struct addrlist *list, struct addrlist_item *m);

/*
 * The mailbox as the envelope writes it: without comments, folding and needless quotes. 0, or -1: RFC 5321 has no such
 * mailbox (too long, a control character).
 */
int addrlist_addr(const char *text, const struct addrlist_item *m, struct addr *a);

/* text[begin..end) is nothing but white space. */
bool addrlist_is_blank(const char *text, size_t begin, size_t end);

#endif
