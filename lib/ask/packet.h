/* ISC licence, see LICENSE. */
#ifndef MSA_ASK_PACKET_H
#define MSA_ASK_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "msa/buf.h"

/*
 * The packets of the milter protocol: a length of four octets, most significant first, then that many octets: a letter
 * and its data. Here are the letters and numbers of version 6, as sendmail's libmilter has them.
 */
enum {
	PACKET_VERSION = 6,      /* of the protocol, that we speak */
	PACKET_VERSION_MIN = 2,  /* that we still accept */
	PACKET_DATA_MAX = 65535, /* octets of the data that we send; libmilter closes the connection after more */
	PACKET_MAX = 1048576,    /* octets of a packet that we accept */
};

/* What the server of mail says. */
enum packet_command {
	PACKET_ABORT = 'A',
	PACKET_BODY = 'B',
	PACKET_CONNECT = 'C',
	PACKET_MACROS = 'D',
	PACKET_END = 'E', /* of the body, and of the message */
	PACKET_HELO = 'H',
	PACKET_HEADER = 'L',
	PACKET_MAIL = 'M',
	PACKET_END_OF_HEADER = 'N',
	PACKET_OPTIONS = 'O', /* the milter's answer has this letter too */
	PACKET_QUIT = 'Q',
	PACKET_RCPT = 'R',
	PACKET_DATA = 'T',
};

/* What the milter answers. The first five end a step. */
enum packet_answer {
	ANSWER_ACCEPT = 'a',
	ANSWER_CONTINUE = 'c',
	ANSWER_DISCARD = 'd',
	ANSWER_REJECT = 'r',
	ANSWER_TEMPFAIL = 't',
	ANSWER_REPLYCODE = 'y',
	ANSWER_SKIP = 's',
	ANSWER_CONNECTION_FAILS = 'f',
	ANSWER_SHUTDOWN = '4',
	ANSWER_PROGRESS = 'p',
	ANSWER_ADD_HEADER = 'h',
	ANSWER_INSERT_HEADER = 'i',
	ANSWER_CHANGE_HEADER = 'm',
	ANSWER_CHANGE_FROM = 'e',
	ANSWER_ADD_RCPT = '+',
	ANSWER_ADD_RCPT_PARAMS = '2',
	ANSWER_DELETE_RCPT = '-',
	ANSWER_REPLACE_BODY = 'b',
	ANSWER_QUARANTINE = 'q',
};

/* What a milter may change. */
enum packet_action {
	ACTION_ADD_HEADERS = 0x01, /* insert, too */
	ACTION_BODY = 0x02,
	ACTION_ADD_RCPT = 0x04,
	ACTION_DELETE_RCPT = 0x08,
	ACTION_CHANGE_HEADERS = 0x10,
	ACTION_QUARANTINE = 0x20,
	ACTION_FROM = 0x40,
	ACTION_ADD_RCPT_PARAMS = 0x80,
	ACTION_MACROS = 0x100, /* it says which macros it wants */
	ACTION_ALL = 0x1ff,
};

/* What a milter does not want to hear, or will not answer. */
enum packet_step {
	STEP_NO_CONNECT = 0x01,
	STEP_NO_HELO = 0x02,
	STEP_NO_MAIL = 0x04,
	STEP_NO_RCPT = 0x08,
	STEP_NO_BODY = 0x10,
	STEP_NO_HEADER = 0x20,
	STEP_NO_END_OF_HEADER = 0x40,
	STEP_NR_HEADER = 0x80,
	STEP_NO_UNKNOWN = 0x100,
	STEP_NO_DATA = 0x200,
	STEP_SKIP = 0x400,
	STEP_RCPT_REJECTED = 0x800, /* not offered: the address of a refused recipient is not known any more */
	STEP_NR_CONNECT = 0x1000,
	STEP_NR_HELO = 0x2000,
	STEP_NR_MAIL = 0x4000,
	STEP_NR_RCPT = 0x8000,
	STEP_NR_DATA = 0x10000,
	STEP_NR_UNKNOWN = 0x20000,
	STEP_NR_END_OF_HEADER = 0x40000,
	STEP_NR_BODY = 0x80000,
	STEP_LEADING_SPACE = 0x100000, /* a header's value begins right after the colon */
	STEP_OFFERED = 0x1fffff & ~STEP_RCPT_REJECTED,
};

/* What both sides have agreed on. */
struct packet_agreed {
	uint32_t version, actions, steps;
};

/* Begin a packet at the end of out; then add its data, then end it. Each returns 0, or -1 with errno set (ENOMEM). */
int packet_begin(struct buf *out, enum packet_command command);
int packet_number(struct buf *out, uint32_t n);
int packet_string(struct buf *out, const char *s, size_t n); /* with its NUL; a NUL in s ends it */

/* Set the length of the packet that begins at offset start of out. */
void packet_end(struct buf *out, size_t start);

/* A packet that came. data is borrowed from the input, and has no NUL at its end unless the sender gave it one. */
struct packet {
	char letter;
	const char *data;
	size_t len;
};

/* Find a whole packet at the start of p. Returns its length with *packet set; 0: incomplete; -1: too long, or empty. */
ssize_t packet_find(struct packet *packet, const char *p, size_t n);

/* Take a number or a string off the data. Each returns 0, or -1 if the data has none; errno is not set. */
int packet_take_number(struct packet *p, uint32_t *n);
int packet_take_string(struct packet *p, const char **s); /* NUL-ended */

#endif
