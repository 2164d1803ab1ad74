/* ISC licence, see LICENSE. */
/*
 * What qualify's work on the header of one message costs: read the header of a usual message from its file, look at
 * each octet for what mail without SMTPUTF8 cannot carry, and complete the header. Nothing is wrong with this header,
 * as with most. Prints the least of many rounds, in microseconds of CPU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../cmd/qualify/complete.h"
#include "mail/downgrade.h"
#include "msa/msgfile.h"

enum { ROUNDS = 400, MESSAGES = 50 };

static const char message[] =
    "Message-ID: <5f0c2a31-7c1f-4e52-9a37-9d4c1b8f0a55@example.net>\r\n"
    "Date: Sun, 29 Nov 2026 12:34:56 +0100\r\n"
    "MIME-Version: 1.0\r\n"
    "User-Agent: Mozilla Thunderbird\r\n"
    "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_und_der_Bericht_vom_November?=\r\n"
    "Content-Language: en-GB\r\n"
    "To: Bob Brown <bob@example.org>, \"Carol C. Clark\" <carol@example.com>\r\n"
    "Cc: sales@example.net,\r\n"
    " Dave <dave@partner.example>\r\n"
    "References: <a1b2c3d4@example.org> <e5f60718@example.com>\r\n"
    "In-Reply-To: <e5f60718@example.com>\r\n"
    "From: Alice Adams <alice@example.net>\r\n"
    "Content-Type: text/plain; charset=UTF-8; format=flowed\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Hello\r\n";

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Do the work once. The program ends if the header is not as it should be. */
static void
examine(int fd, const struct rules *rules, const struct facts *facts)
{
	struct header h = { 0 };
	struct downgrade d = { .eol = "\r\n" };
	struct completion c = { .is_ascii = true };

	if (header_read(&h, fd, HEADER_MAX) != HEADER_OK || downgrade(&d, h.text.p, h.text.len) != DOWNGRADE_SAME ||
	    complete(&c, rules, &h, facts, "\r\n") != COMPLETE_OK || c.edits.n > 0) {
		fputs("bench-header: the header was changed or refused\n", stderr);
		_exit(111);
	}
	completion_free(&c);
	downgrade_free(&d);
	header_free(&h);
}

int
main(void)
{
	struct rules rules = { .domain = "example.net" };
	struct facts facts = { 0 };
	int fd = msgfile_of(message, sizeof message - 1), i, j;
	double least = 1e9;

	if (fd < 0 || facts_set(&facts, "SMTPAUTHUSER", "alice@example.net") < 0 ||
	    facts_set(&facts, "MSA_MESSAGE", "m") < 0 || facts_set(&facts, "MSA_HOST", "mail.example.net") < 0)
		return 111;
	for (i = 0; i < ROUNDS; i++) {
		double start = cpu_us(), us;

		for (j = 0; j < MESSAGES; j++)
			examine(fd, &rules, &facts);
		us = (cpu_us() - start) / MESSAGES;
		if (us < least)
			least = us;
	}
	printf("header_us=%.2f\n", least);
	facts_free(&facts);
	close(fd);
	return 0;
}
