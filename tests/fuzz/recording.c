/* ISC licence, see LICENSE. */
#include "smtp/recording.h"
#include "smtp/watch.h"

#include <string.h>

#include "fuzz.h"

/* What a recording says of either side: octets, also those that were left out. Every line of it can be read. */
static void
count(const struct buf *b, long long octets[2])
{
	const char *p = b->len > 0 ? b->p : "", *end = p + b->len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct recording_line l;
		struct recording_part part;
		const char *s;

		MUST(lf && recording_parse(&l, p, (size_t)(lf - p)) == 1);
		octets[l.by_client] += l.is_whole ? 2 : 0;
		for (s = l.text; recording_next(&s, l.text + l.len, &part) > 0;)
			octets[l.by_client] += part.what == RECORDING_OCTET ? 1 : part.left;
		p = lf + 1;
	}
}

/* Any line is read without harm; and a session of any octets, in parts of any size, becomes a recording of as many. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct watch w;
	long long said[2] = { 0 }, recorded[2] = { 0 };
	struct recording_line l;
	bool open = true;

	recording_parse(&l, (const char *)data, size);
	if (size == 0)
		return 0;
	w = (struct watch){ .keeps = data[0] & 1, .is_lmtp = data[0] & 2 };
	for (data++, size--; size > 0;) {
		bool by_client = *data & 1;
		size_t n = *data >> 1;

		data++;
		size--;
		n = n < size ? n : size;
		(by_client ? watch_client : watch_server)(&w, (const char *)data, n);
		if (w.state == WATCH_CIPHER)
			open = false; /* from some octet on, nothing is recorded */
		said[by_client] += (long long)n;
		data += n;
		size -= n;
	}
	watch_end(&w);
	MUST(!w.failed);
	count(&w.out, recorded);
	MUST(recorded[0] <= said[0] && recorded[1] <= said[1]);
	MUST(!open || (recorded[0] == said[0] && recorded[1] == said[1]));
	buf_free(&w.out);
	return 0;
}
