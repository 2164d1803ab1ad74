/* ISC licence, see LICENSE. */
#include "ask/milter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/changes.h"
#include "base/file.h"
#include "unit.h"

static const char message[] = "A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n";

static const char *const results[] = {
	[MILTER_CONTINUE] = "continue", [MILTER_ACCEPT] = "accept", [MILTER_REFUSE] = "refuse", [MILTER_DISCARD] = "discard",
	[MILTER_SKIP] = "skip", [MILTER_CHANGE] = "change", [MILTER_FAILED] = "failed",
};

/* What comes of an answer to a step. */
static void
judge(const struct packet *p)
{
	struct milter m = { .agreed = { PACKET_VERSION, ACTION_ALL, STEP_SKIP } };
	struct reply_foreign reply = { 0 };
	enum milter_result r = milter_judge(&m, p, &reply);
	struct buf text = { 0 };

	printf("%s", results[r]);
	if (r == MILTER_REFUSE && reply_add_foreign(&text, &reply) == 0) {
		putchar(' ');
		unit_show(text.p, text.len);
	}
	if (r == MILTER_FAILED)
		printf(" %s", m.why);
	buf_free(&text);
	reply_foreign_free(&reply);
}

/* What comes of options; then whether macros named "i" and "{j}" are wanted at MAIL, where "i" is usual. */
static void
agree(struct packet *p)
{
	struct milter m = { .fd = -1 };
	enum milter_result r = milter_agree(&m, p);

	printf("%s", results[r]);
	if (r == MILTER_CONTINUE)
		printf(" %u %#x %#x i=%d {j}=%d", m.agreed.version, m.agreed.actions, m.agreed.steps,
		    milter_wants(&m, MILTER_AT_MAIL, "i", "i"), milter_wants(&m, MILTER_AT_MAIL, "{j}", "i"));
	else
		printf(" %s", m.why);
	milter_free(&m);
}

/* The message after one change, or more of them with "|" between. */
static void
change(char *s, size_t len)
{
	static const struct packet_agreed agreed = { PACKET_VERSION, ACTION_ALL, 0 };
	int fd = msgfile_of(message, strlen(message)), out;
	struct header h = { 0 };
	struct changes c = { .header = NULL };
	struct msgfile m = { 0 };
	char *end = s + len, *next, text[1024];
	size_t n;
	int r = header_read(&h, fd, HEADER_MAX) == HEADER_OK ? changes_begin(&c, &h, &agreed) : -1;

	for (; r == 0 && s < end; s = next + 1) {
		next = memchr(s, '|', (size_t)(end - s));
		if (!next)
			next = end;
		r = changes_take(&c, &(struct packet){ *s, s + 1, (size_t)(next - s) - 1 });
	}
	if (r == 0 && changes_write(&c, &m, fd, (long long)strlen(message)) == 0) {
		n = (size_t)m.size;
		out = msgfile_finish(&m);
		if (out >= 0 && n <= sizeof text && file_read(out, text, n, 0) == 0)
			unit_show(text, n);
		close(out);
	} else
		printf("failed %s", c.why ? c.why : strerror(errno));
	changes_free(&c);
	header_free(&h);
	close(fd);
}

/* "milter find", "judge", "agree" or "change": each line octets, or the letter of a packet and its data. */
int
unit_milter(int argc, char **argv)
{
	size_t len;
	char *raw, *s;

	if (argc < 2)
		return 1;
	while ((s = unit_line(&len, &raw))) {
		struct packet p = { *s, s + 1, len > 0 ? len - 1 : 0 };

		printf("%s => ", raw);
		if (strcmp(argv[1], "find") == 0) {
			ssize_t n = packet_find(&p, s, len);

			printf("%zd", n);
			if (n > 0)
				printf(" %c %zu", p.letter, p.len);
		} else if (strcmp(argv[1], "judge") == 0)
			judge(&p);
		else if (strcmp(argv[1], "agree") == 0)
			agree(&p);
		else
			change(s, len);
		printf("\n");
		free(raw);
		free(s);
	}
	return 0;
}
