/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_LIMITS_H
#define MSA_CHAIN_LIMITS_H

#include "msa/chain.h"

/* The limits that chain-facts(7) lists. Those of an RFC carry its section. */
enum {
	CHAIN_ANSWER_S = 100,            /* from the end of the data to the reply; RFC 6409 5.3 wants under two minutes */
	CHAIN_COMMAND_WAIT_S = 300,      /* RFC 5321 4.5.3.2.7: the server waits at least 5 minutes for a command */
	CHAIN_DATA_WAIT_S = 180,         /* RFC 5321 4.5.3.2.5: between blocks of data */
	CHAIN_DATA_RATE = 500,           /* octets per second that a client must reach on average over its data */
	CHAIN_DEADLINE_MAX_S = 7200,     /* the most that MSA_DEADLINE may be away; more counts as no deadline */
	CHAIN_SESSION_S = 7200,          /* a whole session */
	CHAIN_MEMORY_MESSAGE = 262144,   /* octets; a larger message goes to a file in TMPDIR */
	CHAIN_VERDICT_MAX = 1048576,     /* octets of a verdict */
	CHAIN_ENVELOPE_MAX = 8388608,    /* octets of an envelope */
	CHAIN_RCPT_MAX = 1000,           /* recipients of a message; RFC 5321 4.5.3.1.8 wants at least 100 */
	CHAIN_ERRORS_MAX = 20,           /* refused commands before the session is ended */
	CHAIN_IDLE_MAX = 1000,           /* NOOP, RSET, EHLO ... without a message before the session is ended */
	CHAIN_COMMANDS_MAX = 100000,     /* commands of any kind without a message: RCPT that are 452, BDAT 0 ... */
	CHAIN_TEXT_MAX = 255,            /* octets of a text that a peer chose, in the environment */
};

#endif
