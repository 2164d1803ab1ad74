/* ISC licence, see LICENSE. */
#include "submit/pace.h"

#include "base/clock.h"
#include "chain/limits.h"
#include "smtp/chunk.h"

enum line_result
pace_fill(struct lineio *c, int64_t since_ms, long long done, size_t most)
{
	int64_t until_ms = since_ms + (int64_t)CHAIN_DATA_WAIT_S * 1000 + done * 1000 / CHAIN_DATA_RATE;

	return lineio_fill_until(c, CHAIN_DATA_WAIT_S * 1000, until_ms, most);
}

enum line_result
pace_skip(struct lineio *c, long long size)
{
	int64_t since_ms = clock_ms();
	long long left = size;

	while (left > 0) {
		enum line_result r = pace_fill(c, since_ms, size - left, left < LINEIO_IN_MAX ? (size_t)left : LINEIO_IN_MAX);

		if (r != LINE_OK)
			return r;
		c->pos += chunk_take(&left, c->len - c->pos);
	}
	return LINE_OK;
}
