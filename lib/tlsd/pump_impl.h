/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_PUMP_IMPL_H
#define MSA_TLSD_PUMP_IMPL_H

#include "tlsd/pump.h"

/* What pump.c shares with the files of its phases. No other file includes this header. */

/* pump.h describes them. */
enum pump_state {
	PUMP_S_CLEAR, PUMP_S_OFFERED, PUMP_S_HANDSHAKE, PUMP_S_STARTING, PUMP_S_HANDING, PUMP_S_GREETING, PUMP_S_FIRST,
	PUMP_S_ANSWER, PUMP_S_COMMAND, PUMP_S_PASS, PUMP_S_REPLY, PUMP_S_PUMP, PUMP_S_CLOSING, PUMP_S_LINGER, PUMP_S_DONE
};

enum { PUMP_CLEAR_CHUNK = 1024 }; /* octets moved at once before TLS, where a line has 512 */

/* Enter a state for at most wait_ms; 0: no limit. */
void pump_enter(struct pump *p, enum pump_state state, int wait_ms);

/* Begin our own dialogue with the client. */
void pump_converse(struct pump *p);

/* STARTTLS was read and up holds what came after it: answer, and enter OFFERED or go on as before. */
void pump_offer(struct pump *p);

/* Close the next stage's socket, if there is one. */
void pump_end_app(struct pump *p);

/* down holds the last reply. */
void pump_close_after(struct pump *p, const char *end);

/* Add r, where a reply may stand, as the last reply. */
void pump_trouble(struct pump *p, enum reply r, const char *end);

/* The next stage gave no valid greeting or reply: log it, and answer 421 4.3.0. */
void pump_no_reply(struct pump *p, const char *reason);

/* Nothing more will be sent. end does not replace an earlier reason. */
void pump_linger(struct pump *p, const char *end);

/* Nothing more can be sent or received. */
void pump_give_up(struct pump *p, const char *end);

/* Log the end of the connection. */
void pump_finish(struct pump *p);

/* Write from down to the client. Returns 1 if octets moved, 0 if not now, -1 if the client is gone. */
int pump_send_down(struct pump *p);

/* Note the next stage's output: r octets that are in down, or, for r <= 0, its end. */
void pump_take_down(struct pump *p, ssize_t r);

/*
 * Read up to max more octets of the next stage's reply into down. Returns the length of the reply and sets *code once
 * it is complete, 0 before that; -1 if it is no valid reply or longer than max; or FDPAIR_WAIT.
 */
ssize_t pump_take_reply(struct pump *p, size_t max, int *code);

/* Each does one thing that can be done in its state. They return 0 if nothing can be done. */
int pump_clear(struct pump *p);
int pump_offered(struct pump *p);
int pump_shake_hands(struct pump *p);
int pump_optional_command(struct pump *p);
int pump_optional_pass(struct pump *p);
int pump_optional_reply(struct pump *p);

#endif
