/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_TRANSACTION_H
#define MSA_SUBMIT_TRANSACTION_H

#include <stdbool.h>

#include "mail/smtpdata.h"
#include "msa/msgfile.h"
#include "net/lineio.h"
#include "stage/call.h"
#include "submit/conf.h"
#include "submit/mailcmd.h"

/*
 * The message of a session: its text is read by DATA or BDAT, the message chain delivers it, and the client gets the
 * answer. The states of the dialogue are session.c's.
 *
 * To start, zero it, set the members up to size_max, and call transaction_forget.
 */
struct transaction {
	struct call *call;
	const struct session_conf *conf;
	struct lineio *conn;
	bool lmtp;          /* answer each recipient */
	long long size_max; /* octets of a message; 0: no limit */

	struct mailcmd mail;
	struct msgfile text; /* what was received so far */
	struct smtpdata data;
	enum reply spoilt;   /* the refusal that the message will get at its end; REPLY_OK: none so far */
	bool failed;         /* a chunk was refused; chunks that the client had already sent may still come */
	bool logged;         /* the message has its log line; set here, cleared by the session */
	bool over;           /* the client is gone or too slow: close the connection */
};

/* Returned in place of a reply: it is already queued. */
#define TRANSACTION_SAID REPLY_COUNT

/* End the transaction: drop the envelope and the text. */
void transaction_forget(struct transaction *i);

/*
 * Queue reply r. If there is no memory, flush the pending replies and reuse their buffer. Returns 0, or -1 with errno
 * set: not queued.
 */
int transaction_say(struct transaction *i, enum verb to, enum reply r);

/*
 * Ask the site's check (conf->check) about the last recipient, by an empty message to this recipient only. Returns
 * REPLY_RCPT_OK; or TRANSACTION_SAID: the check refuses, its reply is queued, and *no is a copy that the caller frees;
 * or another reply to send.
 */
enum reply transaction_check(struct transaction *i, struct reply_foreign *no);

/* Run DATA: send 354, read the text, run the message chain, answer. Returns the reply to send, or TRANSACTION_SAID. */
enum reply transaction_data(struct transaction *i);

/*
 * Read a chunk of size octets. wanted: add them to the message, otherwise drop them. Returns false if the session is
 * over.
 */
bool transaction_octets(struct transaction *i, long long size, bool wanted);

/* Answer a chunk of size octets, or the last chunk, after its octets were read. Returns as transaction_data. */
enum reply transaction_chunk(struct transaction *i, long long size);
enum reply transaction_last(struct transaction *i);

/* Log a transaction whose client is gone. where: "commands" or "data". */
void transaction_lost(struct transaction *i, const char *where, const char *reason);

#endif
