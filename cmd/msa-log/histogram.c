/* ISC licence, see LICENSE. */
#include "histogram.h"

enum { HALF = HISTOGRAM_PARTS / 2 };

static size_t
counter_of(int64_t value)
{
	size_t doublings = 0;

	if (value < HISTOGRAM_PARTS)
		return value < 0 ? 0 : (size_t)value;
	for (; value >= HISTOGRAM_PARTS; value /= 2)
		doublings++;
	if (doublings * HALF + (size_t)value >= HISTOGRAM_SIZE)
		return HISTOGRAM_SIZE - 1;
	return doublings * HALF + (size_t)value;
}

int64_t
histogram_limit(size_t i)
{
	size_t doublings;

	if (i < HISTOGRAM_PARTS)
		return (int64_t)i;
	doublings = i / HALF - 1;
	if (i >= HISTOGRAM_SIZE - 1)
		return INT64_MAX;
	return ((int64_t)(i - doublings * HALF + 1) << doublings) - 1;
}

void
histogram_add(struct histogram *h, int64_t value)
{
	h->n++;
	h->sum += value;
	if (value > h->most)
		h->most = value;
	h->count[counter_of(value)]++;
}

int64_t
histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t seen = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_SIZE; i++) {
		seen += h->count[i];
		if (h->n > 0 && (double)seen * 100 >= (double)h->n * percent)
			return histogram_limit(i) < h->most ? histogram_limit(i) : h->most;
	}
	return 0;
}
