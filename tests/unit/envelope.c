/* ISC licence, see LICENSE. */
#include "chain/envelope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

static void
show_line(const struct envelope_line *l)
{
	static const char *const kinds[] = { "rcpt", "reply", "copy" };

	printf("%s ", kinds[l->kind]);
	if (l->kind == ENVELOPE_REPLY) {
		unit_show(l->text, strlen(l->text));
		printf("%s\n", l->path || l->params ? " INCONSISTENT" : "");
		return;
	}
	unit_show(l->path, l->path_len);
	printf(" params=");
	unit_show(l->params, strlen(l->params));
	putchar('\n');
}

static void
show_param(const struct envelope_line *l, const char *keyword)
{
	const char *value;
	size_t len;

	printf("%s ", keyword);
	if (!envelope_param(l, keyword, &value, &len))
		printf("not there\n");
	else if (!value)
		printf("without value\n");
	else
		printf("%.*s\n", (int)len, value);
}

/* The envelope on fd 0; then ENVID, RET and SMTPUTF8 of MAIL and NOTIFY of each recipient. */
int
unit_envelope(int argc, char **argv)
{
	struct envelope e = { 0 };
	const char *why;
	size_t i;

	(void)argc;
	(void)argv;
	if (envelope_read(&e, 0, &why) < 0) {
		printf("%s (%s)\n", why, errno == EINVAL ? "EINVAL" : strerror(errno));
		return 1;
	}
	printf("%zu recipients, %zu copies\nmail ", e.nrcpt, e.ncopy);
	unit_show(e.mail.path, e.mail.path_len);
	printf(" params=");
	unit_show(e.mail.params, strlen(e.mail.params));
	putchar('\n');
	if (*e.mail.params) {
		show_param(&e.mail, "ENVID");
		show_param(&e.mail, "RET");
		show_param(&e.mail, "SMTPUTF8");
	}
	for (i = 0; i < e.nrcpt + e.ncopy; i++) {
		show_line(&e.rcpt[i]);
		if (e.rcpt[i].params && *e.rcpt[i].params)
			show_param(&e.rcpt[i], "NOTIFY");
	}
	envelope_free(&e);
	return 0;
}
