/* ISC licence, see LICENSE. */
#ifndef AGENDA_H
#define AGENDA_H

#include <stddef.h>
#include <time.h>

#include "base/id.h"

/* The messages that wait, and when each is to be tried: a heap. Zero-initialised it is empty. */
struct agenda_entry {
	time_t due;
	char id[ID_MAX];
};

struct agenda {
	struct agenda_entry *v; /* owned */
	size_t n, cap;
};

/* Make room for n entries more: so many agenda_add cannot fail. 0, or -1 with errno ENOMEM. */
int agenda_room(struct agenda *a, size_t n);

/* Only where there is room. */
void agenda_add(struct agenda *a, const char *id, time_t due);

/* Take off the one that is due first; of several the oldest. There must be one. */
struct agenda_entry agenda_take(struct agenda *a);

/* What is due later is due now. */
void agenda_hasten(struct agenda *a, time_t now);

void agenda_free(struct agenda *a);

#endif
