/* ISC licence, see LICENSE. */
#include "mail/mime.h"

#include <unistd.h>

#include "fuzz.h"
#include "mail/recode.h"
#include "msa/msgfile.h"

/* The parts cover the message without gaps and overlaps. */
static void
walk(int fd, bool lf)
{
	struct mime m;
	struct mime_item item;
	enum mime_event event;
	off_t done = 0;

	MUST(mime_begin(&m, fd, lf) == 0);
	while ((event = mime_next(&m, &item)) != MIME_END) {
		MUST(event != MIME_ERROR);
		MUST(item.begin == done && item.body >= item.begin && item.end >= item.body);
		MUST(item.end > done || event != MIME_FRAME);
		MUST(event != MIME_HEAD || item.end == item.body);
		MUST(m.depth <= MIME_DEPTH_MAX);
		done = item.end;
	}
	MUST(done == m.size);
	mime_free(&m);
}

/* What was made fit is fit. */
static void
try(int fd, const struct recode_hop *hop)
{
	const struct recode_hop again = { .takes_8bit = hop->takes_8bit, .takes_utf8 = hop->takes_utf8, .lf = hop->lf };
	struct recode r;
	struct mime m;
	struct mime_survey all;
	int out = -1, none = -1;

	switch (recode(&r, hop, fd, &out)) {
	case RECODE_REFUSED:
		MUST(*r.why);
		break;
	case RECODE_ERROR:
		abort();
	case RECODE_SAME:
		MUST(out < 0);
		break;
	case RECODE_CHANGED:
		MUST(out >= 0 && r.quoted + r.base64 + r.labels > 0);
		MUST(mime_begin(&m, out, hop->lf) == 0 && mime_look(&m, &all) == 0);
		MUST(hop->takes_8bit || !all.is_8bit);
		MUST(!all.is_binary);
		MUST(all.is_8bit == r.is_8bit);
		mime_free(&m);
		MUST(recode(&r, &again, out, &none) == RECODE_SAME);
		close(out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how;
	int fd;

	if (size == 0)
		return 0;
	fd = msgfile_of((const char *)data + 1, size - 1);
	MUST(fd >= 0);
	walk(fd, *data & 1);
	for (how = 0; how < 4; how++)
		try(fd, &(const struct recode_hop){ .takes_8bit = how & 1, .takes_utf8 = how & 2, .was_binary = *data & 2,
		            .lf = *data & 1 });
	close(fd);
	return 0;
}
