/* ISC licence, see LICENSE. */
#include "smtp/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/*
 * table: every row. foreign: reply lines in (with escapes), the reply as it goes out; translate: the same translated;
 * errno: what reply_of_errno makes of the errors that mean something, and of one that does not;
 * foreign N: text of the one line given N times over, only the lengths of the lines that go out.
 */
int
unit_reply(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "table";
	struct reply_foreign r = { 0 };
	struct buf out = { 0 };
	char *s, *p;
	size_t n, textlen, times = argc > 2 ? strtoul(argv[2], NULL, 10) : 1, i;
	const char *text;
	int code;
	bool last = false;

	if (strcmp(what, "table") == 0) {
		for (i = 0; i < REPLY_COUNT; i++) {
			printf("%d|%s|%s|", reply_code((enum reply)i), reply_enhanced((enum reply)i), reply_text((enum reply)i));
			if (reply_add(&out, (enum reply)i) < 0)
				return 111;
			unit_show(out.p, out.len);
			putchar('\n');
			buf_clear(&out);
		}
		buf_free(&out);
		return 0;
	}
	if (strcmp(what, "errno") == 0) {
		const int errors[] = { ENOSPC, EDQUOT, EFBIG, ENOMEM, EIO };

		for (i = 0; i < sizeof errors / sizeof *errors; i++)
			printf("%d %s\n", reply_code(reply_of_errno(errors[i])), reply_text(reply_of_errno(errors[i])));
		return 0;
	}
	while ((s = unit_line(&n, NULL))) {
		if (!reply_line(s, n, &code, &last, &text, &textlen))
			printf("no reply line\n");
		else
			for (i = 0; i < times; i++)
				if (reply_take(&r, code, text, textlen) < 0)
					printf("%s\n", errno == EINVAL ? "another code" : "no memory");
		free(s);
	}
	if (r.text && strlen(r.text) > REPLY_TEXT_MAX)
		printf("TOO MUCH IS KEPT\n");
	if (strcmp(what, "translate") == 0 && reply_translate(&r) < 0)
		return 111;
	if (r.text && reply_add_foreign(&out, &r) < 0)
		return 111;
	for (p = out.p; out.len > 0 && *p; p = s + 2) {
		s = strstr(p, "\r\n");
		if (s - p + 2 > 200)
			printf("%.12s... %d octets\n", p, (int)(s - p + 2));
		else {
			unit_show(p, (size_t)(s - p + 2));
			putchar('\n');
		}
	}
	buf_free(&out);
	reply_foreign_free(&r);
	return 0;
}
