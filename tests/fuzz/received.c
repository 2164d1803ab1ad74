/* ISC licence, see LICENSE. */
#include "mail/received.h"

#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "mail/header.h"
#include "msa/msgfile.h"

/*
 * The input: NAME=value lines, facts as a foreign stage may set them. Whatever they contain, the result is one field of
 * printable ASCII.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct facts f = { 0 };
	struct buf text = { 0 }, field = { 0 }, copy = { 0 };
	struct msgfile m = { 0 };
	size_t i, pos = 0;
	struct field found;
	struct received_top top;
	int fd;

	MUST(buf_add(&copy, data, size) == 0);
	for (i = 0; i < copy.len; i++)
		if (copy.p[i] == '\n')
			copy.p[i] = '\0';
	MUST(buf_add(&copy, "", 1) == 0);
	if (facts_from_call(&f, copy.p, copy.len, 100) == 0) {
		MUST(received_add(&field, &f, NULL, 1700000000, size % 4, "\r\n") == 0);
		MUST(field.len > 12 && memcmp(field.p, "Received: ", 10) == 0);
		MUST(memcmp(field.p + field.len - 2, "\r\n", 2) == 0);
		for (i = 0; i < field.len; i++)
			MUST((field.p[i] >= ' ' && field.p[i] <= '~') || field.p[i] == '\t' || field.p[i] == '\r' ||
			    field.p[i] == '\n');
		MUST(header_next(field.p, field.len, &pos, &found) == 1 && pos == field.len);
		MUST(msgfile_add(&m, field.p, field.len) == 0);
		fd = msgfile_finish(&m);
		MUST(fd >= 0 && received_look(&top, fd) == HEADER_OK && top.count == 1 && !top.joins && top.crlf);
		close(fd);
	}
	facts_free(&f);
	buf_free(&text);
	buf_free(&field);
	buf_free(&copy);
	return 0;
}
