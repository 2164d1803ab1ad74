/* ISC licence, see LICENSE. */
#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>

#include "conn.h"
#include "data.h"
#include "message.h"
#include "submission.h"
#include "transaction.h"

/*
 * The message that a session has in hand: its text comes in by DATA or BDAT, then the message chain has it, and the
 * client hears what became of it. Who is in which state is the dialogue's to know.
 *
 * Zero-initialised, the first members set and intake_forget called, it is empty.
 */
struct intake {
	struct call *call;
	const struct submission_conf *conf;
	struct conn *conn;
	bool lmtp;          /* a reply for each recipient */
	long long size_max; /* octets; 0: no limit */

	struct transaction mail;
	struct message text; /* as far as it is in */
	struct data data;
	enum reply spoilt;   /* why it will be refused at its end; REPLY_OK: it is good so far */
	bool failed;         /* the client has heard that a chunk failed; what it had sent behind it may still come */
	bool logged;         /* the message has had its line in the log: set here, the dialogue sets it back */
	bool over;           /* the client is gone or too slow: close */
};

/* In the place of a reply: all is said. */
#define INTAKE_SAID REPLY_COUNT

/* There is no transaction and no text. */
void intake_forget(struct intake *i);

/* Say r. Without memory for it what was said before goes out first, and r takes its room. 0, or -1: it is not said. */
int intake_say(struct intake *i, enum verb to, enum reply r);

/*
 * Ask the site's check (conf->check) about the last recipient: a message of no octets to him alone, whose verdict
 * answers his RCPT. REPLY_RCPT_OK; INTAKE_SAID, it said no, and the client was told: *no (owned by the caller); or a
 * reply of ours, still to be said.
 */
enum reply intake_check(struct intake *i, struct reply_foreign *no);

/* DATA, in order: 354, the text, the message chain, the answer. The reply still to be said, or INTAKE_SAID. */
enum reply intake_data(struct intake *i);

/* The octets of a chunk; wanted: they are of the message. false: over. */
bool intake_octets(struct intake *i, long long size, bool wanted);

/* What a chunk of size octets that was not the last, or the last one, is answered by. As intake_data. */
enum reply intake_chunk(struct intake *i, long long size);
enum reply intake_last(struct intake *i);

/* The log line of a transaction whose client is gone. */
void intake_lost(struct intake *i, const char *where, const char *reason);

#endif
