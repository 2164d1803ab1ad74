/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_TRANSACTION_H
#define MSA_SUBMIT_TRANSACTION_H

#include <stdbool.h>

#include "mail/msgfile.h"
#include "mail/smtpdata.h"
#include "net/lineio.h"
#include "submit/mailcmd.h"
#include "submit/session.h"

/*
 * The message that a session has in hand: its text comes in by DATA or BDAT, then the message chain has it, and the
 * client hears what became of it. Who is in which state is the dialogue's to know.
 *
 * Zero-initialised, the first members set and transaction_forget called, it is empty.
 */
struct transaction {
	struct call *call;
	const struct session_conf *conf;
	struct lineio *conn;
	bool lmtp;          /* a reply for each recipient */
	long long size_max; /* octets; 0: no limit */

	struct mailcmd mail;
	struct msgfile text; /* as far as it is in */
	struct smtpdata data;
	enum reply spoilt;   /* why it will be refused at its end; REPLY_OK: it is good so far */
	bool failed;         /* the client has heard that a chunk failed; what it had sent behind it may still come */
	bool logged;         /* the message has had its line in the log: set here, the dialogue sets it back */
	bool over;           /* the client is gone or too slow: close */
};

/* In the place of a reply: all is said. */
#define TRANSACTION_SAID REPLY_COUNT

/* There is no transaction and no text. */
void transaction_forget(struct transaction *i);

/* Say r. Without memory for it what was said before goes out first, and r takes its room. 0, or -1: it is not said. */
int transaction_say(struct transaction *i, enum verb to, enum reply r);

/*
 * Ask the site's check (conf->check) about the last recipient: a message of no octets to him alone, whose verdict
 * answers his RCPT. REPLY_RCPT_OK; TRANSACTION_SAID, it said no, and the client was told: *no (owned by the caller); or a
 * reply of ours, still to be said.
 */
enum reply transaction_check(struct transaction *i, struct reply_foreign *no);

/* DATA, in order: 354, the text, the message chain, the answer. The reply still to be said, or TRANSACTION_SAID. */
enum reply transaction_data(struct transaction *i);

/* The octets of a chunk; wanted: they are of the message. false: over. */
bool transaction_octets(struct transaction *i, long long size, bool wanted);

/* What a chunk of size octets that was not the last, or the last one, is answered by. As transaction_data. */
enum reply transaction_chunk(struct transaction *i, long long size);
enum reply transaction_last(struct transaction *i);

/* The log line of a transaction whose client is gone. */
void transaction_lost(struct transaction *i, const char *where, const char *reason);

#endif
