/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_MERGE_H
#define MSA_MAIL_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"

/*
 * Merge the To fields of the header text[0..n) into the first of them, and so the Cc fields: each may stand once (RFC
 * 5322 3.6), and some programs write one for each recipient. Each list that is added begins a line, which eol ends the
 * line before. A copy of the first field adds nothing. A list that ends with a word without a domain gets angle
 * brackets there, so that the word is not taken for half of the name that follows. The fields stay if they differ only
 * by white space around them, and if one of them is no valid list of addresses.
 *
 * Returns 1 with *out the header and *merged the fields (bits of enum field_id), 0 if nothing is to be merged, or -1
 * with errno set (ENOMEM). out must be empty.
 */
int merge_lists(struct buf *out, const char *text, size_t n, const char *eol, uint32_t *merged);

#endif
