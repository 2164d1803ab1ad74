/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_ADDRLIST_H
#define MSA_MAIL_ADDRLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"

/*
 * The addresses in a header field: RFC 5322 3.4 with groups (RFC 6854: in every field), UTF-8 (RFC 6532) and the
 * obsolete forms of 4.4: comments and folding anywhere, routes, empty list elements, quoted words between dots, dots
 * in phrases. Two invalid forms are accepted too, because mail programs write them and they can mean only one thing:
 * "a@b <a@b>" and "name [team] <a@b>". The parser makes one pass without look-back or recursion, so its time is linear
 * whatever the octets are. Nothing is copied: positions are offsets into the text.
 */
struct addrlist {
	const char *text;
	size_t pos, end;  /* text[pos..end) has not been read yet */
	bool in_group;
	size_t addresses; /* groups, and mailboxes outside groups, read so far */
};

struct addrlist_item {
	size_t name, name_end;     /* the display name as written; empty if there is none */
	size_t local, local_end;   /* the local part, from its first to its last word */
	size_t domain, domain_end; /* the domain, or a literal with its brackets; empty if there is none */
	size_t label;              /* text[label..domain_end) is the last label; a literal counts as one label */
	size_t labels;             /* the number of labels; 0: no domain */
	bool is_literal;
	bool in_group;
	bool lacks_quotes;         /* the display name is the address itself, or has brackets, and needs quotes */
	bool is_bare;              /* there is neither a name nor angle brackets */
};

enum addrlist_result {
	ADDRLIST_BOX, /* a mailbox; it may lack a domain, which RFC 5322 does not allow: the caller decides */
	ADDRLIST_END, /* no mailbox is left; list->addresses is 0 if the list had only comments and commas */
	ADDRLIST_BAD, /* the list is invalid, near list->pos */
};

/*
 * Begin a list with a field's value, text[begin..end), which must outlive the list. Then call addrlist_next until it
 * does not return ADDRLIST_BOX.
 */
void addrlist_begin(struct addrlist *list, const char *text, size_t begin, size_t end);
enum addrlist_result addrlist_next(struct addrlist *list, struct addrlist_item *m);

/*
 * Write a mailbox to *a as the envelope has it: without comments, folding and needless quotes.
 * Returns 0, or -1 if RFC 5321 does not allow such a mailbox (too long, a control character); errno is not set.
 */
int addrlist_addr(const char *text, const struct addrlist_item *m, struct addr *a);

/*
 * Returns true if text[begin..end), a field's value, is a message identifier of RFC 5322 3.6.4, or of its obsolete form
 * in 4.5.4, which has the syntax of an address in angle brackets.
 */
bool addrlist_is_msg_id(const char *text, size_t begin, size_t end);

/* Move *pos, at most to end, after white space and comments, which nest. Returns false if a comment has no end. */
bool addrlist_skip_cfws(const char *text, size_t *pos, size_t end);

/* Returns true if text[begin..end) is only white space. */
bool addrlist_is_blank(const char *text, size_t begin, size_t end);

#endif
