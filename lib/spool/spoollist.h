/* ISC licence, see LICENSE. */
#ifndef MSA_SPOOL_SPOOLLIST_H
#define MSA_SPOOL_SPOOLLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/* The messages of a spool, by name: 16 octets a message. Zero-initialised: empty. */
struct spoollist_item {
	char id[ID_MAX - 1]; /* with its NUL */
	bool is_new;         /* in new, as far as we know */
};

struct spoollist {
	struct spoollist_item *v; /* owned; the oldest message first */
	size_t n, cap;
};

/*
 * Read the names of all messages into l, which must be empty. A spool that was never used has none.
 * Returns 0, or -1 with errno set; spoollist_free is due in both cases.
 */
int spoollist_read(struct spoollist *l, const struct spool *s);
void spoollist_free(struct spoollist *l);

/* Add a message at the end; id has the form of an id. Returns 0, or -1 with errno set (ENOMEM). */
int spoollist_add(struct spoollist *l, const char *id, bool is_new);

/* As spool_load. If the runner has moved the message meanwhile, it is loaded from cur, and i->is_new becomes false. */
int spoollist_load(const struct spool *s, struct spoollist_item *i, struct spoolrec *m, int *message, const char **why);

/* Returns true if a directory of that id is in the spool, whatever it holds, with i->is_new as it is. */
bool spoollist_is_there(const struct spool *s, struct spoollist_item *i);

/* Returns the folder in which i is: "new" or "cur". */
const char *spoollist_sub(const struct spoollist_item *i);

#endif
