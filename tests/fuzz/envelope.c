/* ISC licence, see LICENSE. */
#include "chain/envelope.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope e = { 0 };
	struct buf text = { 0 };
	const char *why, *value;
	size_t i, len;

	if (buf_add(&text, data, size) < 0)
		return 0;
	if (envelope_parse(&e, &text, &why) < 0) {
		MUST(why && !e.text.p && !e.rcpt && !text.p);
		return 0;
	}
	MUST(e.mail.path && memchr(e.mail.path - 1, '<', 1));
	for (i = 0; i < e.nrcpt + e.ncopy; i++) {
		const struct envelope_line *l = &e.rcpt[i];

		MUST((l->kind == ENVELOPE_COPY) == (i >= e.nrcpt));
		MUST((l->kind == ENVELOPE_REPLY) == (l->path == NULL));
		if (l->path)
			MUST(l->path[l->path_len] == '>' && l->path >= l->text && l->params <= l->text + strlen(l->text));
		envelope_param(l, "NOTIFY", &value, &len);
		envelope_param(l, "ORCPT", &value, &len);
	}
	envelope_param(&e.mail, "ENVID", &value, &len);
	envelope_free(&e);
	return 0;
}
