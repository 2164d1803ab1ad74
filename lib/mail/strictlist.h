/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_STRICTLIST_H
#define MSA_MAIL_STRICTLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/addr.h"

/*
 * The addresses in a header field, in the one form that all mail readers read alike:
 *
 *   list    = mailbox *("," mailbox)
 *   mailbox = addr-spec / [name] "<" addr-spec ">"
 *   name    = words with white space between them: atoms and dots, quoted strings, encoded words (RFC 2047)
 *
 * A line may be folded between these tokens, and nowhere else. An addr-spec has no quotes, no white space and no
 * encoded word. A name, its encoded words decoded, is the address itself, or has no "@", "<" or ">". A name has no
 * control character, no bidirectional character, and no character set that mail/charset.h does not know. So no part
 * of the field can be taken for another address, not even by a reader that decodes words first, or ignores quotes.
 *
 * mail/addrlist.h finds the same addresses in each list that this module accepts. The time is linear. Nothing is
 * allocated.
 */
struct strictlist {
	/*
	 * Set this member after strictlist_begin to accept encoded words with one of , ; : [ ] \ or with a quote or a
	 * parenthesis without its partner. A reader that decodes first may take such a name for two authors.
	 */
	bool any_punctuation;

	const char *why; /* a constant text, after strictlist_next has returned STRICTLIST_BAD */

	/* The rest is the module's own. */
	const char *text;
	size_t pos, end;
	bool begun;
};

enum strictlist_result {
	STRICTLIST_BOX, /* *a is the next address; it has a domain */
	STRICTLIST_END, /* no address is left; there was at least one */
	STRICTLIST_BAD, /* the list has another form: l->why */
};

/*
 * Begin a list with a field's value, text[begin..end), which must outlive the list. Then call strictlist_next until it
 * does not return STRICTLIST_BOX.
 */
void strictlist_begin(struct strictlist *l, const char *text, size_t begin, size_t end);
enum strictlist_result strictlist_next(struct strictlist *l, struct addr *a);

#endif
