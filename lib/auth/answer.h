/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_ANSWER_H
#define MSA_AUTH_ANSWER_H

/* What a back end says about a password (backend.h). */
enum backend_answer {
	BACKEND_RIGHT,
	BACKEND_WRONG, /* the password, or the user */
	BACKEND_LATER, /* nothing is known: no answer, or none that counts; the reason was logged */
};

enum { BACKEND_WAIT_S = 30 }; /* for the answer */

#endif
