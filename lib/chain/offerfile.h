/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_OFFERFILE_H
#define MSA_CHAIN_OFFERFILE_H

#include "msa/buf.h"
#include "smtp/ehlo.h"

/*
 * The file in which an injector keeps what its next hop offers: keywords in the form of MSA_EHLO. A stage that offers
 * these keywords to a client reads the file again for each session or message.
 *
 * The file is written in place through a descriptor that was opened before privileges and sandbox, so the writer needs
 * no right to a directory. Readers read until two reads agree.
 */
enum { OFFERFILE_MAX = 4096 }; /* octets of the file */

/*
 * Append list to out. If list begins with "@", the text up to the first comma or newline is the name of such a file,
 * and the file's keywords are appended in its place. A missing file has no keywords.
 * Returns 0, or -1 with errno set and *why the reason, which is valid until the next call of strerror(3): the file
 * cannot be used (then out has the rest of list), or ENOMEM.
 */
int offerfile_expand(struct buf *out, const char *list, const char **why);

/* Returns the name of the file in list as an owned string, or NULL if there is none, or with errno set to ENOMEM. */
char *offerfile_name(const char *list);

/*
 * Open such a file to write it, and make it if it is missing: everybody may read it.
 * Returns the descriptor, or -1 with errno set and *why as above.
 */
int offerfile_open(const char *path, const char **why);

/*
 * Make e's keywords the content of the file, if they differ.
 * Returns 1 (written), 0 (they are there already), or -1 with errno set.
 */
int offerfile_write(int fd, const struct ehlo *e);

/* Returns true if the file was written less than age_s seconds ago. */
bool offerfile_is_new(int fd, int age_s);

#endif
