/* ISC licence, see LICENSE. */
#ifndef LETTER_H
#define LETTER_H

#include <stdbool.h>

#include "deliver/submission.h"

/*
 * What sendmail reads: the addresses in words and in a header, and a message as programs write it. The functions return
 * an exit code: EX_OK, or another after printing to s->errors why.
 */

/* Add the addresses of a list as recipients; one without a domain gets this one. where names the list in errors. */
int letter_addresses(struct submission *s, const char *list, size_t len, const char *domain, const char *where);

/*
 * Read standard input as s->message. A text without a header gets an empty one. Without dot_is_text a line of a single
 * dot ends the message.
 */
int letter_read(struct submission *s, bool dot_is_text);

/*
 * Complete the message: remove Bcc, and add From to a message without it, with address and the name full_name before
 * it (NULL: add no From). With by_header, first add the addresses in To, Cc and Bcc as recipients, or those of the
 * Resent- fields if there are any.
 */
int letter_complete(struct submission *s, bool by_header, const char *domain, const char *full_name,
    const char *address);

#endif
