/* ISC licence, see LICENSE. */
#include "mail/readdress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* The domain old.example becomes new.example, a@ b@, an address in bad.example is an error. */
static int
change(void *arg, const struct addr *from, struct addr *to)
{
	char text[2 * ADDR_MAILBOX_MAX];
	const char *domain = addr_domain(from), *local = from->local_len == 1 && *from->text == 'a' ? "b" : from->text;

	(void)arg;
	if (strcmp(domain, "bad.example") == 0) {
		errno = EPROTO;
		return -1;
	}
	snprintf(text, sizeof text, "%.*s@%s", (int)from->local_len, local,
	    strcmp(domain, "old.example") == 0 ? "new.example" : domain);
	return addr_mailbox(text, strlen(text), to) == 0 && strcmp(text, from->text) != 0;
}

static void
show(const struct edits *e, const char *text, size_t n)
{
	size_t done = 0, i;

	for (i = 0; i < e->n; i++) {
		unit_show(text + done, e->v[i].off - done);
		unit_show(e->text.p + e->v[i].text, e->v[i].len);
		done = e->v[i].off + e->v[i].del;
	}
	unit_show(text + done, n - done);
}

/* Each line is a field without its line end. Prints the line, then the new field, "same", or a reason in brackets. */
int
unit_readdress(int argc, char **argv)
{
	static const char *const reasons[] = {
		[READDRESS_SAME] = "same", [READDRESS_BAD] = "(bad)", [READDRESS_LONG] = "(long)", [READDRESS_ERROR] = "(error)",
	};
	enum readdress_result r;
	struct field f;
	char *line, *raw;
	size_t len;

	(void)argc;
	(void)argv;
	while ((line = unit_line(&len, &raw))) {
		struct edits e = { 0 };
		size_t pos = 0;

		printf("%s => ", raw);
		if (header_next(line, len, &pos, &f) != 1)
			return 111;
		r = readdress_field(&e, line, &f, change, NULL);
		if (r == READDRESS_CHANGED)
			show(&e, line, len);
		printf("%s\n", r == READDRESS_CHANGED ? "" : reasons[r]);
		edits_free(&e);
		free(line);
		free(raw);
	}
	return 0;
}
