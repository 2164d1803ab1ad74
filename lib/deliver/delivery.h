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
 * A message in the hands of a stage that delivers, chain(7) VERDICT: what is to be delivered to whom, until when
 * somebody waits, and a reply for each recipient. How it is delivered is the stage's own: client.h, maildir.h.
 *
 * In a chain (MSA_MESSAGE is set) the message and the envelope are the call's. By hand the envelope comes from options
 * and the message from fd 0, whatever that is, its bare LFs made CRLF.
 */
struct delivery {
	struct call *call;
	struct envelope envelope;
	size_t lines;                /* of envelope.rcpt: RCPT, REPLY and COPY */
	struct reply_foreign *reply; /* owned, one for each of lines; code 0: nothing final is known yet */
	int message;                 /* a regular file with CRLF ends */
	off_t size;                  /* its octets */
	bool in_chain;
	bool partial;                /* MSA_PARTIAL, or by hand: results may differ between recipients */
	int64_t start_ms, deadline_ms;
};

/*
 * Take the call. envelope: NULL in a chain; by hand what delivery_envelope made. wait_s: the most it may all take,
 * less where MSA_DEADLINE is earlier, with some time left to answer in. 0; or -1 where nothing can be delivered: it has
 * then answered and logged, *result is the exit code, and d is empty.
 */
int delivery_open(struct delivery *d, struct call *call, const struct buf *envelope, int wait_s, int *result);

/*
 * Line i is to be delivered and has no reply yet. That is what a loop over lines asks, before the data (who is to be
 * named to the next hop?) and after it (who is still to be answered?): accepted recipients get their reply only then.
 */
bool delivery_is_pending(const struct delivery *d, size_t i);

/*
 * Line i is answered by r, translated as chain(7) wants it; takes over what r holds. Or by one of our own replies (text
 * NULL: the table's). Or all pending lines are, by a copy of r.
 */
void delivery_answer(struct delivery *d, size_t i, struct reply_foreign *r);
void delivery_reply(struct delivery *d, size_t i, enum reply r, const char *text);
void delivery_answer_all(struct delivery *d, const struct reply_foreign *r);
void delivery_reply_all(struct delivery *d, enum reply r, const char *text);

/*
 * To be asked as long as nothing was delivered. true: nothing is to be sent, everybody has a reply. Either no
 * recipient is pending, or one was refused and !partial: then all others get its reply (of several: the first 4yz,
 * else the first 5yz).
 */
bool delivery_is_over(struct delivery *d);

/* Somebody still waits for the answer. To be asked immediately before the point of no return. false: logged. */
bool delivery_is_wanted(const struct delivery *d);

/*
 * Can a next hop that offers caps (CAP_*) do what the parameters and the address of a line ask for? REPLY_OK, or the
 * reply that refuses, with its text in text where that is not the table's ("" then). BODY=8BITMIME is not judged here.
 */
enum { DELIVERY_TEXT_MAX = 128 };
enum reply delivery_check(const struct envelope_line *line, uint32_t caps, char text[DELIVERY_TEXT_MAX]);

/* Write the verdict (by hand: the replies), log it, free all. to: where it went, for the log. The exit code. */
int delivery_close(struct delivery *d, const char *to);

/*
 * An envelope from options: a sender (without brackets, "" for the null one) and n recipients, appended to text. 0, or
 * -1 with *bad the address that is none (NULL: out of memory).
 */
int delivery_envelope(struct buf *text, const char *sender, const char *const rcpt[], size_t n, const char **bad);

#endif
