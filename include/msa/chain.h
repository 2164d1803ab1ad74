/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_H
#define MSA_CHAIN_H

/*
 * What chain(7) fixes for every stage: exit codes, descriptors, and the owners of variables. The page is the contract;
 * the code has these values only here.
 */

/* Exit codes, chain(7) EXIT STATUS. */
enum chain_exit {
	CHAIN_DONE = 0,
	CHAIN_REFUSED = 100, /* message stage: this message is refused permanently */
	CHAIN_MISUSE = 100,  /* session stage or tool: usage, configuration */
	CHAIN_LATER = 111,   /* a temporary failure, as of a system call; in a message stage also a configuration error */
};

/* Descriptors, chain(7). */
enum {
	CHAIN_FD_IN = 0,       /* session: from the peer; message: the message, a regular file */
	CHAIN_FD_OUT = 1,      /* session: to the peer; message: the verdict */
	CHAIN_FD_LOG = 2,
	CHAIN_FD_ENVELOPE = 3, /* message only: the envelope, a regular file */
};

/*
 * The owner of a variable is the stage that sets it. A stage first unsets the variables that it or a later stage owns,
 * so that it never passes on a forged value. It trusts the variables of earlier stages, because the operator put those
 * stages before it.
 */
enum facts_owner {
	FACTS_NOBODY,   /* not in chain(7) */
	FACTS_OPERATOR, /* set by the operator, the super-server and its rules, or the first stage */
	FACTS_TLSD,
	FACTS_AUTHD,
	FACTS_SUBMITD,
};

#endif
