/* ISC licence, see LICENSE. */
#include "ask/milter.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/changes.h"
#include "base/file.h"
#include "fuzz.h"

static const char message[] = "A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n";

/* The new message is lines with CRLF, and its header is nothing but fields. */
static void
check_message(struct changes *c)
{
	int old = msgfile_of(message, strlen(message)), fd;
	struct msgfile m = { 0 };
	struct header h = { 0 };
	struct field f;
	size_t pos = 0, n = 0, i;
	char *text;
	int r;

	MUST(old >= 0 && changes_write(c, &m, old, (long long)strlen(message)) == 0);
	i = (size_t)m.size;
	fd = msgfile_finish(&m);
	MUST(fd >= 0 && (text = malloc(i + 1)) && file_read(fd, text, i, 0) == 0);
	MUST(i >= 2 && memcmp(text + i - 2, "\r\n", 2) == 0 && !memchr(text, '\0', i));
	for (; n < i; n++)
		MUST((text[n] == '\n') == (n > 0 && text[n - 1] == '\r'));
	MUST(header_read(&h, fd, HEADER_MAX + CHANGES_OCTETS_MAX) == HEADER_OK && !h.bare);
	for (n = 0; (r = header_next(h.text.p, h.text.len, &pos, &f)) > 0; n++)
		;
	MUST(r == 0);
	for (i = 0; i < c->n; i++)
		n -= !c->field[i].is_gone;
	MUST(n == 0);
	free(text);
	header_free(&h);
	close(fd);
	close(old);
}

/*
 * What a milter says, whatever it is: options, answers to a step, then changes. Each is found where it is, and what is
 * accepted leaves a message that is one, addresses that are some, and replies that are a client's.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct milter m = { .fd = -1, .agreed = { PACKET_VERSION, ACTION_ALL, size % 2 ? STEP_SKIP : STEP_LEADING_SPACE } };
	struct header h = { 0 };
	struct changes c = { .body_max = 4096 };
	struct reply_foreign r = { 0 };
	struct packet p, again;
	const char *s = (const char *)data;
	int fd = msgfile_of(message, strlen(message));
	bool ok = true;
	ssize_t n;
	size_t i;

	MUST(fd >= 0 && header_read(&h, fd, HEADER_MAX) == HEADER_OK && changes_begin(&c, &h, &m.agreed) == 0 && c.n == 3);
	close(fd);
	while (ok && (n = packet_find(&p, s, size)) > 0) {
		MUST((size_t)n <= size && p.len == (size_t)n - 5 && packet_find(&again, s, (size_t)n - 1) == 0);
		s += n;
		size -= (size_t)n;
		m.why = NULL;
		if (p.letter == PACKET_OPTIONS) {
			again = p;
			ok = milter_agree(&m, &again) == MILTER_CONTINUE;
			MUST(ok == !m.why && (!ok || (m.agreed.version <= PACKET_VERSION && m.agreed.actions <= ACTION_ALL)));
			milter_wants(&m, MILTER_AT_MAIL, "i", "i {auth_type}");
			continue;
		}
		if (milter_judge(&m, &p, &r) == MILTER_REFUSE)
			MUST(r.code >= 400 && r.code <= 599 && r.text && *r.enhanced - '0' == r.code / 100);
		ok = changes_take(&c, &p) == 0 || !c.why || strcmp(c.why, "a change that was not agreed on") == 0;
		MUST(ok || c.why);
	}
	for (i = 0; i < c.nadded; i++)
		MUST(c.added[i].len > 0 && c.added[i].has_domain && !strpbrk(c.added[i].text, "\r\n"));
	MUST(c.nadded <= CHANGES_RCPTS_MAX && c.n <= CHANGES_FIELDS_MAX && c.reason.len <= 200);
	if (ok)
		check_message(&c);
	reply_foreign_free(&r);
	changes_free(&c);
	milter_free(&m);
	header_free(&h);
	return 0;
}
