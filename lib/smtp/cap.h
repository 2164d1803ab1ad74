/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_CAP_H
#define MSA_SMTP_CAP_H

/* The EHLO keywords that we may offer or that a next hop may offer, as bits. */
enum cap {
	CAP_PIPELINING = 1 << 0,      /* RFC 2920 */
	CAP_ENHANCEDSTATUSCODES = 1 << 1, /* RFC 2034 */
	CAP_SIZE = 1 << 2,            /* RFC 1870 */
	CAP_8BITMIME = 1 << 3,        /* RFC 6152 */
	CAP_CHUNKING = 1 << 4,        /* RFC 3030 */
	CAP_BINARYMIME = 1 << 5,      /* RFC 3030 */
	CAP_DSN = 1 << 6,             /* RFC 3461 */
	CAP_SMTPUTF8 = 1 << 7,        /* RFC 6531 */
	CAP_DELIVERBY = 1 << 8,       /* RFC 2852 */
	CAP_MT_PRIORITY = 1 << 9,     /* RFC 6710 */
	CAP_REQUIRETLS = 1 << 10,     /* RFC 8689 */
	CAP_LIMITS = 1 << 11,         /* RFC 9422 */
	CAP_NO_SOLICITING = 1 << 12,  /* RFC 3865 */
	CAP_FUTURERELEASE = 1 << 13,  /* RFC 4865 */
	CAP_MTRK = 1 << 14,           /* RFC 3885 */
	CAP_AUTH = 1 << 15,           /* RFC 4954 */
	CAP_STARTTLS = 1 << 16,       /* RFC 3207 */
	CAP_PRDR = 1 << 17,           /* draft-hall-prdr */
};

#endif
