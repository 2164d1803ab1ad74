/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_CLIENTCONF_H
#define MSA_DELIVER_CLIENTCONF_H

#include <stdbool.h>

struct starter;

enum client_tls { CLIENT_CLEAR, CLIENT_STARTTLS, CLIENT_IMPLICIT };
enum client_auth_param { CLIENT_AUTH_NONE, CLIENT_AUTH_NULL, CLIENT_AUTH_USER };

/* The configuration of all sessions of a client (client.h). Must outlive them. */
struct client_conf {
	bool lmtp;
	enum client_tls tls;
	bool loopback;           /* with CLIENT_CLEAR: connect to this machine only */
	const char *name;        /* the name that the certificate must have; NULL: the host's */
	const char *cafile;      /* NULL: the system's */
	const char *fingerprint; /* of the certificate, which is then trusted without verification; NULL: verify it */
	bool auth;               /* authenticate */
	int credentials;         /* descriptor of the file for saslc; -1: the starter has it, or none is needed */
	enum client_auth_param auth_param; /* AUTH= of MAIL, if the server offers AUTH: none, <>, or SMTPAUTHUSER's mailbox */
	bool learns;             /* what a server offers is kept for others, see client.h */
	bool check;              /* deliver nothing: the reply to RCPT is the recipient's */
	const struct starter *starter; /* connects and starts the programs; NULL: this process does */
};

#endif
