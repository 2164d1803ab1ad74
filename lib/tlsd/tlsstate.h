/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_TLSSTATE_H
#define MSA_TLSD_TLSSTATE_H

#include "tlsd/tlspump.h"

/* The states of tlspump.h, and the ways from any of them to another: of use to tlspump and tlsstep only. */
enum state {
	CLEAR, PREPARING, OFFERED, HANDSHAKE, STARTING, GREETING, FIRST, /* the next stage has not spoken yet */
	ANSWER, COMMAND, PASS, REPLY, PUMP, CLOSING, LINGER, DONE
};

/* Enter a state, for wait_ms at most; 0: as long as it takes. */
void tlsstate_enter(struct tlspump *p, enum state state, int wait_ms);

/* A dialogue of our own begins: the one before TLS, or the one that leads nowhere for want of a certificate. */
void tlsstate_converse(struct tlspump *p);

/* The next stage, if there is one, has no part in it any more. */
void tlsstate_end_app(struct tlspump *p);

/* What is in down are the last words. */
void tlsstate_closing(struct tlspump *p, const char *end);

/* r where a reply may stand, and it is the last word. */
void tlsstate_trouble(struct tlspump *p, enum reply r, const char *end);

/* The next stage did not answer as it must: logged, 421. */
void tlsstate_no_reply(struct tlspump *p, const char *reason);

/* Everything is said, or nothing more can be. end is kept where none was told before. */
void tlsstate_linger(struct tlspump *p, const char *end);

/* No further octet can be had or sent. */
void tlsstate_give_up(struct tlspump *p, const char *end);

/* It is over: logged. */
void tlsstate_done(struct tlspump *p);

#endif
