/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_DELIVERY_H
#define MSA_DELIVER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chain/envelope.h"
#include "smtp/reply.h"
#include "stage/call.h"

/*
 * One delivery by a stage that ends a message chain (chain(7), VERDICT): the message, its recipients, the deadline, and
 * a reply for each recipient. client.h and maildir.h do the delivery itself.
 *
 * In a chain (MSA_MESSAGE is set) the message and the envelope are the call's. By hand, the envelope comes from options
 * and the message from fd 0, which may be any file; its bare LFs become CRLFs.
 */
struct delivery {
	struct call *call;
	struct envelope envelope;
	size_t lines;                /* how many envelope.rcpt has: RCPT, REPLY and COPY lines */
	struct reply_foreign *reply; /* owned; one for each line; code 0: pending */
	int message;                 /* a regular file, lines end with CRLF */
	off_t size;                  /* octets of message */
	bool in_chain;
	bool partial;                /* MSA_PARTIAL, or by hand: recipients may have different results */
	const char *accepted;        /* the log's event for an accepted recipient; NULL: the recipients were only checked */
	int64_t start_ms, deadline_ms; /* on clock_ms */
};

/*
 * Start the delivery of a call. envelope: NULL in a chain; by hand, what delivery_envelope made. wait_s: the most that
 * the delivery may take; an earlier MSA_DEADLINE, less the time to answer, shortens it.
 * Returns 0, or -1: nothing can be delivered. Then the call was answered, the reason was logged, *result is the exit
 * code and d is empty.
 */
int delivery_open(struct delivery *d, struct call *call, const struct buf *envelope, int wait_s, int *result);

/*
 * By hand: refuse an input that is empty (451) or does not begin with a header field (554). A program in front of a
 * pipe that refuses a message, or dies, writes nothing, and that must not be delivered as a message.
 */
void delivery_refuse_nothing(struct delivery *d);

/*
 * Returns true if line i has no reply yet. Loops over the lines use this before the data (which recipients to name) and
 * after it (which recipients to answer): an accepted recipient gets its reply only after the data.
 */
bool delivery_is_pending(const struct delivery *d, size_t i);

/*
 * Set the reply of line i, or of all pending lines. r is the next hop's and is translated as chain(7) requires;
 * delivery_answer takes over what r holds, delivery_answer_all copies it. delivery_reply and delivery_reply_all set one
 * of our own replies (text NULL: the table's). Without memory for its text, a reply counts without it.
 */
void delivery_answer(struct delivery *d, size_t i, struct reply_foreign *r);
void delivery_reply(struct delivery *d, size_t i, enum reply r, const char *text);
void delivery_answer_all(struct delivery *d, const struct reply_foreign *r);
void delivery_reply_all(struct delivery *d, enum reply r, const char *text);

/*
 * Decide, before anything was delivered, whether to go on.
 * Returns true if nothing is to be sent: every line has a reply. That is so if no recipient is pending, or if one was
 * refused and !partial: then all others get its reply (of several refusals the first 4yz, else the first 5yz).
 */
bool delivery_is_over(struct delivery *d);

/*
 * Returns true if the caller still waits for the answer; false is logged. Call this immediately before the point of no
 * return.
 */
bool delivery_is_wanted(const struct delivery *d);

/*
 * Check whether a next hop that offers caps (CAP_*) supports the parameters and the address of a line. BODY=8BITMIME is
 * not checked here. Returns REPLY_OK, or the reply that refuses the line; *text is its text, or "" for the table's.
 */
enum { DELIVERY_TEXT_MAX = 128 };
enum reply delivery_check(const struct envelope_line *line, uint32_t caps, char text[DELIVERY_TEXT_MAX]);

/*
 * Write the verdict (by hand: the replies), log it, and free what d holds. to: where the message went, for the log.
 * Returns the exit code.
 */
int delivery_close(struct delivery *d, const char *to);

/*
 * Append to text an envelope of a sender and n recipients, given without brackets; "" is the null sender. mail_params
 * and rcpt_params are those of MAIL and of each RCPT, each with a space in front; SMTPUTF8 is added if an address needs
 * that.
 * Returns 0, or -1: *bad is the invalid address, or NULL (out of memory).
 */
int delivery_envelope(struct buf *text, const char *sender, const char *mail_params, const char *const rcpt[], size_t n,
    const char *rcpt_params, const char **bad);

#endif
