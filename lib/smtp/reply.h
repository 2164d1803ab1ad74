/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_REPLY_H
#define MSA_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "msa/buf.h"
#include "smtp/verb.h"

/*
 * All our replies: symbol, code (RFC 5321 4.2), enhanced status code (RFC 3463; "" where RFC 2034 4 wants none) and
 * text. A text never names a user, a table, a path or a backend.
 */
#define REPLY_TABLE(X) \
	X(REPLY_OK,              250, "2.0.0", "Ok") \
	X(REPLY_SENDER_OK,       250, "2.1.0", "Sender ok") \
	X(REPLY_RCPT_OK,         250, "2.1.5", "Recipient ok") \
	X(REPLY_REPORTED,        250, "2.0.0", "Not delivered, and reported as asked for") \
	X(REPLY_DELIVERED,       250, "2.0.0", "Delivered") \
	X(REPLY_BYE,             221, "2.0.0", "Bye") \
	X(REPLY_HELP,            214, "2.0.0", "See RFC 6409 and RFC 5321") \
	X(REPLY_AUTHENTICATED,   235, "2.7.0", "Authentication succeeded") \
	X(REPLY_START_TLS,       220, "2.0.0", "Ready to start TLS") \
	X(REPLY_VRFY,            252, "2.5.0", "Cannot verify, but will accept the message and attempt delivery") \
	X(REPLY_START_DATA,      354, "",      "End data with <CR><LF>.<CR><LF>") \
	X(REPLY_EACH,            353, "",      "Each recipient's own reply follows, then one for the message") \
	X(REPLY_SHUTDOWN,        421, "4.3.2", "Service not available, closing the connection") \
	X(REPLY_TROUBLE,         421, "4.3.0", "Local trouble, closing the connection") \
	X(REPLY_TIMEOUT,         421, "4.4.2", "Waited too long, closing the connection") \
	X(REPLY_CHUNK_LENGTH,    421, "4.5.4", "Cannot tell the chunk's length, closing the connection") \
	X(REPLY_FOREIGN,         421, "4.7.0", "Not the protocol of this port, closing the connection") \
	X(REPLY_TOO_MANY_ERRORS, 421, "4.7.0", "Too many errors, closing the connection") \
	X(REPLY_GUESSED,         421, "4.7.0", "Too many wrong passwords, try again later") \
	X(REPLY_TOO_MANY_COMMANDS, 421, "4.7.0", "Too many commands without a message, closing the connection") \
	X(REPLY_TOO_MANY_MAILS,  421, "4.7.0", "Too many messages in one session, closing the connection") \
	X(REPLY_LOCAL_ERROR,     451, "4.3.0", "Local error, try again later") \
	X(REPLY_NO_MEMORY,       451, "4.3.0", "Out of memory, try again later") \
	X(REPLY_LATE,            451, "4.4.7", "No answer in time, try again later") \
	X(REPLY_MIXED,           451, "4.3.0", "Not all recipients could be served alike, try again") \
	X(REPLY_UNREPORTED,      451, "4.3.0", "Not all recipients were served, and no report of it was taken; try again") \
	X(REPLY_NEXT_HOP,        451, "4.4.1", "Next server cannot be reached, try again later") \
	X(REPLY_NEXT_HOP_LOST,   451, "4.4.2", "Next server closed the connection, try again later") \
	X(REPLY_OVER_LIMIT,      451, "4.7.1", "Over a limit, try again later") \
	X(REPLY_NOT_LET_IN,      451, "4.7.0", "Next server does not let us in, try again later") \
	X(REPLY_NO_SECURITY,     451, "4.7.5", "Next server cannot be reached securely, try again later") \
	X(REPLY_OFFERS_CHANGED,  451, "4.3.3", "Next server has changed what it supports, try again") \
	X(REPLY_STORAGE,         452, "4.3.1", "Insufficient storage, try again later") \
	X(REPLY_TOO_MANY_RCPTS,  452, "4.5.3", "Too many recipients") \
	X(REPLY_NO_TLS_NOW,      454, "4.7.0", "TLS not available due to a temporary reason") \
	X(REPLY_NO_AUTH_NOW,     454, "4.7.0", "Temporary authentication failure") \
	X(REPLY_UNKNOWN_VERB,    500, "5.5.2", "Command not recognized") \
	X(REPLY_WRONG_HELLO,     500, "5.5.1", "Not the greeting of this protocol") \
	X(REPLY_LINE_LONG,       500, "5.5.2", "Line too long") \
	X(REPLY_LINE_BAD,        500, "5.5.2", "Bare CR, bare LF or NUL in a command") \
	X(REPLY_AUTH_LONG,       500, "5.5.6", "Authentication exchange line is too long") \
	X(REPLY_BAD_ARGUMENT,    501, "5.5.4", "Syntax error in argument") \
	X(REPLY_NO_ARGUMENT,     501, "5.5.4", "Argument missing") \
	X(REPLY_SOME_ARGUMENT,   501, "5.5.4", "No argument allowed") \
	X(REPLY_BAD_PARAMETER,   501, "5.5.4", "Bad value of a parameter") \
	X(REPLY_BAD_SENDER,      501, "5.1.7", "Bad sender address syntax") \
	X(REPLY_BAD_RCPT,        501, "5.1.3", "Bad recipient address syntax") \
	X(REPLY_AUTH_CANCELLED,  501, "5.7.0", "Authentication cancelled") \
	X(REPLY_AUTH_BASE64,     501, "5.5.2", "Cannot decode base64") \
	X(REPLY_NOT_OFFERED,     502, "5.5.1", "Command not implemented") \
	X(REPLY_ORDER,           503, "5.5.1", "Bad sequence of commands") \
	X(REPLY_NO_MECHANISM,    504, "5.5.4", "Mechanism not supported") \
	X(REPLY_TLS_FIRST,       530, "5.7.0", "Must issue a STARTTLS command first") \
	X(REPLY_AUTH_FIRST,      530, "5.7.0", "Authentication required") \
	X(REPLY_AUTH_FAILED,     535, "5.7.8", "Authentication credentials invalid") \
	X(REPLY_AUTH_NEEDS_TLS,  538, "5.7.11", "Encryption required for authentication") \
	X(REPLY_NO_MAILBOX,      550, "5.1.1", "No such mailbox here") \
	X(REPLY_NO_RETURN_PATH,  550, "5.1.8", "No return path") \
	X(REPLY_NO_RIGHT,        550, "5.7.1", "Not allowed") \
	X(REPLY_SOLICITING,      550, "5.7.1", "No soliciting of this class") \
	X(REPLY_POLICY,          550, "5.7.0", "Refused by site policy") \
	X(REPLY_NON_ASCII,       550, "5.6.7", "Non-ASCII address, but SMTPUTF8 was not given or is not available") \
	X(REPLY_NO_REQUIRETLS,   550, "5.7.30", "Next server does not support REQUIRETLS") \
	X(REPLY_EXPIRED,         550, "5.4.7", "Not delivered within the time asked for") \
	X(REPLY_TOO_BIG,         552, "5.3.4", "Message too big") \
	X(REPLY_REFUSED,         554, "5.7.1", "Refused") \
	X(REPLY_NO_KEY,          554, "5.7.5", "There is no key to encrypt to this recipient") \
	X(REPLY_CERTIFICATE,     554, "5.7.0", "A client certificate is required") \
	X(REPLY_SENDER_UNQUALIFIED, 554, "5.1.8", "Sender's domain is not fully qualified") \
	X(REPLY_RCPT_UNQUALIFIED, 554, "5.1.2", "Recipient's domain is not fully qualified") \
	X(REPLY_CANCELLED,       554, "5.0.0", "Given up by an administrator of this server") \
	X(REPLY_NO_RCPTS,        554, "5.5.1", "No valid recipients") \
	X(REPLY_BARE,            554, "5.6.0", "Bare CR, bare LF or NUL in the message") \
	X(REPLY_TEXT_LONG,       554, "5.6.0", "Line too long in the message") \
	X(REPLY_BAD_MESSAGE,     554, "5.6.0", "Message is not valid") \
	X(REPLY_HEADER_ADDRESS,  554, "5.6.7", "Non-ASCII address in the header without SMTPUTF8") \
	X(REPLY_LOOP,            554, "5.4.6", "Too many Received fields, mail loop") \
	X(REPLY_NO_8BIT,         554, "5.6.3", "Next server does not take 8-bit data") \
	X(REPLY_NO_BINARY,       554, "5.6.3", "Next server does not take binary data") \
	X(REPLY_NOT_HONOURED,    554, "5.3.3", "Next server does not support a requested feature") \
	X(REPLY_BAD_DELIVERY,    554, "5.3.0", "Next server refused") \
	X(REPLY_UNKNOWN_PARAMETER, 555, "5.5.4", "Parameter not recognized or not implemented")

#define REPLY_SYMBOL(symbol, code, enhanced, text) symbol,
enum reply { REPLY_TABLE(REPLY_SYMBOL) REPLY_COUNT };
#undef REPLY_SYMBOL

int reply_code(enum reply r);
const char *reply_enhanced(enum reply r);
const char *reply_text(enum reply r);

/*
 * The reply to a message that could not be stored or read because of errno: REPLY_NO_MEMORY (ENOMEM), REPLY_STORAGE
 * (ENOSPC, EDQUOT, EFBIG), or REPLY_LOCAL_ERROR.
 */
enum reply reply_of_errno(int error);

/* Append r as one line, "250 2.0.0 Ok" CRLF, with its own text or another. Returns 0, or -1 with errno set (ENOMEM). */
int reply_add(struct buf *out, enum reply r);
int reply_addf(struct buf *out, enum reply r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Append r as the reply to command v: replies to EHLO, HELO and LHLO have no enhanced code (RFC 2034 4). */
int reply_add_to(struct buf *out, enum verb v, enum reply r);

/* A reply of a next hop or a script. Octets that are not allowed in a reply have become "?". */
struct reply_foreign {
	int code;      /* 200 to 599 */
	char enhanced[12]; /* "5.1.1", same class as code; "" if there was none */
	char *text;    /* owned; without codes; "\n" between lines; may be "", or NULL after ENOMEM */
};

enum { REPLY_TEXT_MAX = 4096 }; /* octets kept of such a text */

/*
 * Parse one line of a reply, without its line end: "250-text", "250 text" or "250". Returns true with *code, *last (not
 * a "-") and *text, which points into line; false: not a line of a reply.
 */
bool reply_line(const char *line, size_t len, int *code, bool *last, const char **text, size_t *textlen);

/*
 * Find a whole reply, its lines ended by LF or CRLF, at the start of p. Returns its length with *code set, or 0: not
 * complete yet, or -1: not a reply.
 */
ssize_t reply_whole(const char *p, size_t n, int *code);

/*
 * Add a line's text to r. The first line sets code. An enhanced code of the same class at the start of a line is cut
 * off; the first one is kept. Returns 0, or -1 with errno set (ENOMEM; EINVAL: the code differs from the first line's).
 */
int reply_take(struct reply_foreign *r, int code, const char *text, size_t textlen);

/*
 * Set *to, which is not freed before, to one of our replies, with its own text or another; or to a copy of from.
 * Returns 0, or -1 with errno set (ENOMEM): then *to is a valid reply without a text.
 */
int reply_set(struct reply_foreign *to, enum reply r, const char *text);
int reply_copy(struct reply_foreign *to, const struct reply_foreign *from);

/*
 * Append r as SMTP: a line for each line of the text, at most LINE_REPLY_MAX octets, each with the enhanced code
 * (class.0.0 if r has none). Returns 0, or -1 with errno set (ENOMEM).
 */
int reply_add_foreign(struct buf *out, const struct reply_foreign *r);

/* Write r as a line for the log, "250 2.0.0 text", with the first REPLY_SHOWN_TEXT octets of its text. Returns line. */
enum { REPLY_SHOWN_TEXT = 255, REPLY_SHOWN_MAX = REPLY_SHOWN_TEXT + 32 };
const char *reply_show(const struct reply_foreign *r, char line[REPLY_SHOWN_MAX]);

/*
 * Returns the length of the text of r. If the text is one of ours with the advice to try again at its end, the advice
 * does not count: it is for a client, not for a person.
 */
size_t reply_fact(const struct reply_foreign *r);

/*
 * Translate a next hop's reply for the client, chain(7) VERDICT: 421 and 3yz become 451; 521, 50z and 53z are about a
 * session that is not the client's and become 554 5.3.0, with the reply quoted.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int reply_translate(struct reply_foreign *r);

void reply_foreign_free(struct reply_foreign *r);

#endif
