/* ISC licence, see LICENSE. */
#ifndef MSA_ASK_MILTER_H
#define MSA_ASK_MILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ask/packet.h"
#include "msa/buf.h"
#include "smtp/reply.h"

/*
 * A conversation with a milter about one message, from the side of the server of mail: what is said step by step, and
 * what the milter answers to each step. Zero-initialised, with fd and deadline_ms set. milter_free comes last.
 */
enum milter_stage { /* the milter may want other macros at each of them; the numbers are those of the protocol */
	MILTER_AT_CONNECT,
	MILTER_AT_HELO,
	MILTER_AT_MAIL,
	MILTER_AT_RCPT,
	MILTER_AT_DATA,
	MILTER_AT_END,
	MILTER_AT_END_OF_HEADER,
	MILTER_STAGES,
};

enum {
	MILTER_PACKETS_MAX = 1000000, /* that a milter sends about a message */
	MILTER_MACROS_MAX = 4096,    /* octets of the names that it wants at a stage */
};

struct milter {
	int fd;
	int64_t deadline_ms;
	struct packet_agreed agreed;
	char *wanted[MILTER_STAGES]; /* names of macros, separated by blanks; owned; NULL: the usual ones */
	struct buf in, out;
	size_t used;    /* octets of in that were taken */
	long packets;
	const char *why; /* after a failure: a text that is valid until the next call of strerror */
};

/* Answers to a step. */
enum milter_result {
	MILTER_CONTINUE,
	MILTER_ACCEPT,  /* the milter wants to hear no more of the message */
	MILTER_REFUSE,  /* *reply is what the client hears */
	MILTER_DISCARD,
	MILTER_SKIP,    /* the rest of the body is not wanted */
	MILTER_CHANGE,  /* *packet is a change; only from milter_change */
	MILTER_FAILED,  /* m->why says how */
};

/* Agree on version, actions and steps. Returns MILTER_CONTINUE or MILTER_FAILED. */
enum milter_result milter_negotiate(struct milter *m);

/* Parse the milter's part of that, without m->fd. Returns as milter_negotiate. */
enum milter_result milter_agree(struct milter *m, struct packet *p);

/*
 * Returns true if the milter wants to see the macro with this name ("j", "{auth_type}") at this stage. usual: the names
 * that a milter gets that has named none, separated by blanks.
 */
bool milter_wants(const struct milter *m, enum milter_stage stage, const char *name, const char *usual);

/*
 * Say what is in m->out (macros and a command) and hear the answer. no_reply is the step's flag that the milter sets if
 * it does not answer. *reply is set for MILTER_REFUSE.
 */
enum milter_result milter_say(struct milter *m, uint32_t no_reply, struct reply_foreign *reply);

/* Hear the next answer to the end of the message: MILTER_CHANGE, or what ends the conversation. */
enum milter_result milter_change(struct milter *m, struct packet *packet, struct reply_foreign *reply);

/* Parse an answer that ends a step. Returns MILTER_FAILED also for a change. */
enum milter_result milter_judge(struct milter *m, const struct packet *p, struct reply_foreign *reply);

/* End the conversation: in the middle of a message (abort), or after it. The descriptor stays the caller's. */
void milter_quit(struct milter *m, bool abort);
void milter_free(struct milter *m);

#endif
