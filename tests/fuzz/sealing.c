/* ISC licence, see LICENSE. */
#include "../../cmd/encrypt/sealing.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../../cmd/encrypt/keyring.h"
#include "fuzz.h"
#include "msa/msgfile.h"

/* Nothing is encrypted here. */
int
keyring_encrypt(const char *home, struct job *j, const char *fingerprints, const struct keyring_text *text,
    job_take *take, void *to)
{
	(void)home;
	(void)j;
	(void)fingerprints;
	(void)text;
	(void)take;
	(void)to;
	abort();
}

static size_t
count(const struct buf *b, bool *moves)
{
	struct field f;
	size_t pos = 0, n = 0;

	while (b->len > 0 && header_next(b->p, b->len, &pos, &f) > 0) {
		*moves |= f.name_end - f.name > 8 && strncasecmp(b->p + f.name, "Content-", 8) == 0;
		n++;
	}
	return n;
}

/* Each field stands on one side, but for Bcc; what says that it is encrypted is a Content-Type that says so once. */
static void
check(const struct sealing *s, const struct header *h)
{
	bool outside = false, inside = false;
	size_t fields = 0, blind = 0, versions = 0, pos = 0;
	struct field f;

	while (header_next(h->text.p, h->text.len, &pos, &f) > 0) {
		fields++;
		blind += f.id == FIELD_BCC || f.id == FIELD_RESENT_BCC;
		versions += f.id == FIELD_MIME_VERSION;
	}
	MUST(count(&s->outer, &outside) + count(&s->inner, &inside) == fields - blind + (versions == 0));
	MUST(!outside);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header h = { .crlf = false };
	struct sealing s = { .eol = NULL };
	int fd = msgfile_of((const char *)data, size);

	MUST(fd >= 0);
	if (size > 0 && header_read(&h, fd, HEADER_MAX) == HEADER_OK)
		switch (sealing_begin(&s, &h, fd, "\r\n")) {
		case SEALING_OK:
			check(&s, &h);
			break;
		case SEALING_ALREADY:
			MUST(memchr(data, '/', size) && memchr(data, ';', size)); /* a type and its parameters */
			break;
		case SEALING_UNFIT:
			MUST(s.not_field > 0);
			break;
		case SEALING_ERROR:
			abort();
		}
	sealing_free(&s);
	header_free(&h);
	close(fd);
	return 0;
}
