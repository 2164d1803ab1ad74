/* ISC licence, see LICENSE. */
#ifndef AGENDA_H
#define AGENDA_H

#include <stddef.h>
#include <time.h>

#include "base/id.h"

/* The waiting messages by the time of their next attempt: a heap. Zero-initialised: empty. */
struct agenda_entry {
	time_t due;
	char id[ID_MAX];
};

struct agenda {
	struct agenda_entry *v; /* owned */
	size_t n, cap;
};

/* Make room for n more entries, so that agenda_add needs no memory. Returns 0, or -1 with errno set (ENOMEM). */
int agenda_room(struct agenda *a, size_t n);

/* Add an entry; there must be room. */
void agenda_add(struct agenda *a, const char *id, time_t due);

/* Remove and return the entry that is due first, and of several such the oldest message. a must not be empty. */
struct agenda_entry agenda_take(struct agenda *a);

/* Make every entry due at the time that due returns for it, unless it is due earlier. */
void agenda_renew(struct agenda *a, time_t (*due)(void *arg, const char *id), void *arg);

void agenda_free(struct agenda *a);

#endif
