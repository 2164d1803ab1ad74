/* ISC licence, see LICENSE. */
#ifndef TALK_H
#define TALK_H

#include "ask/changes.h"
#include "ask/contact.h"
#include "ask/milter.h"
#include "stage/call.h"

/*
 * The whole conversation with a milter about a message: what it says of each recipient, and what it wants changed.
 * Zero-initialised, with the borrowed members set. talk_free comes last.
 */
struct talk {
	struct call *call;                /* borrowed, as the next two are */
	const struct envelope *envelope;
	const struct header *header;
	const char *daemon;               /* the macro {daemon_name} */
	long long size;                   /* octets of the message */
	struct milter milter;
	struct changes changes;
	struct reply_foreign *refused;    /* for each recipient that the milter refuses; code 0: it does not; owned */
	size_t nrefused;
	struct reply_foreign reply;       /* for TALK_REFUSED */
	const char *why;                  /* for TALK_FAILED; as milter.why */
};

enum talk_result {
	TALK_DONE,      /* the message goes on, with the changes */
	TALK_ACCEPTED,  /* the same, before its end: there are no changes */
	TALK_REFUSED,
	TALK_NOBODY,    /* each recipient was refused by itself, or before */
	TALK_DISCARDED,
	TALK_FAILED,    /* the milter does not answer, or garbles */
	TALK_BAD,       /* the message cannot be shown to a milter: why says what is wrong */
};

/* Hold the conversation over fd, which stays the caller's. */
enum talk_result talk(struct talk *t, int fd, int64_t deadline_ms);
void talk_free(struct talk *t);

#endif
