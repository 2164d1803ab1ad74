/* ISC licence, see LICENSE. */
#ifndef FUZZ_SMTP_H
#define FUZZ_SMTP_H

#include <string.h>

#include "fuzz.h"

/*
 * For targets whose input is lines: a mutator that knows commands and replies. Half of the time it puts in, doubles,
 * drops or moves a whole line; else libFuzzer changes octets. A target that includes this has it.
 */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static const char *const fuzz_lines[] = {
	"EHLO client.example\r\n", "HELO client.example\r\n", "LHLO client.example\r\n", "STARTTLS\r\n", "NOOP\r\n",
	"RSET\r\n",
	"QUIT\r\n", "VRFY bob\r\n", "EXPN list\r\n", "HELP\r\n", "AUTH PLAIN\r\n", "AUTH LOGIN\r\n", "AUTH EXTERNAL =\r\n",
	"AUTH PLAIN AGJvYgBwZW5jaWw=\r\n", "AUTH SCRAM-SHA-256 biwsbj1ib2Iscj1hYmM=\r\n", "Ym9i\r\n", "cGVuY2ls\r\n", "*\r\n",
	"=\r\n", "MAIL FROM:<alice@example.net>\r\n", "MAIL FROM:<>\r\n", "MAIL FROM:<a@b.example> SIZE=9 BODY=8BITMIME\r\n",
	"MAIL FROM:<a@b.example> BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=x AUTH=<>\r\n", "RCPT TO:<bob@example.org>\r\n",
	"RCPT TO:<bob@example.org> NOTIFY=NEVER ORCPT=rfc822;a+40b.example\r\n", "DATA\r\n", "BDAT 7 LAST\r\nA: b\r\n\r\n",
	"BDAT 3\r\nxyz", "BDAT 0 LAST\r\n", "Subject: x\r\n", "\r\n", "..\r\n", ".\r\n", "GET / HTTP/1.1\r\n",
	"220 mx.example ESMTP\r\n", "250 2.0.0 Ok\r\n", "250-mx.example\r\n", "250-PIPELINING\r\n", "250-AUTH PLAIN LOGIN\r\n",
	"250-CHUNKING\r\n", "250-SIZE 1000\r\n", "250 STARTTLS\r\n", "235 2.7.0 Ok\r\n", "334 \r\n", "354 Go on\r\n",
	"421 4.3.2 Going\r\n", "450 4.2.0 Later\r\n", "550 5.1.1 No\r\n", "521 No mail\r\n",
};

static unsigned
fuzz_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

/* Returns where the line after a random place begins. */
static size_t
fuzz_line(const uint8_t *data, size_t size, unsigned *state)
{
	size_t from = size ? fuzz_random(state) % size : 0;
	const uint8_t *lf = size ? memchr(data + from, '\n', size - from) : NULL;

	return lf ? (size_t)(lf - data) + 1 : size;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	enum { LINE_MOST = 200 };
	unsigned state = seed;
	uint8_t line[LINE_MOST];
	size_t at = fuzz_line(data, size, &state), from = fuzz_line(data, size, &state), n = 0;
	const uint8_t *lf = from < size ? memchr(data + from, '\n', size - from) : NULL;
	const char *ours;

	switch (fuzz_random(&state) % 8) {
	case 0:
	case 1: /* a line of the list */
		ours = fuzz_lines[fuzz_random(&state) % (sizeof fuzz_lines / sizeof *fuzz_lines)];
		n = strlen(ours);
		memcpy(line, ours, n);
		break;
	case 2: /* one that is there, again */
		n = lf ? (size_t)(lf - (data + from)) + 1 : size - from;
		if (n > LINE_MOST)
			n = LINE_MOST;
		memcpy(line, data + from, n);
		break;
	case 3: /* one less */
		n = lf ? (size_t)(lf - (data + from)) + 1 : size - from;
		memmove(data + from, data + from + n, size - from - n);
		return size - n;
	default:
		return LLVMFuzzerMutate(data, size, max);
	}
	if (n == 0 || size + n > max)
		return LLVMFuzzerMutate(data, size, max);
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, line, n);
	return size + n;
}

#endif
