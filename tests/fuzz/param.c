/* ISC licence, see LICENSE. */
#include "smtp/param.h"

#include <string.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size, *key, *value, *was = s;
	size_t keylen, valuelen;
	int p;

	while (param_next(&s, end, &key, &keylen, &value, &valuelen) > 0) {
		MUST(s > was && s <= end && keylen > 0 && key + keylen <= end && (!value || value + valuelen <= end));
		was = s;
		param_find(key, keylen, PARAM_OF_MAIL | PARAM_OF_RCPT);
		for (p = PARAM_UNKNOWN; p < PARAM_COUNT; p++)
			param_check((enum param)p, value, valuelen);
	}
	for (p = PARAM_UNKNOWN; p < PARAM_COUNT; p++)
		if (param_check((enum param)p, (const char *)data, size) == 0 && p != PARAM_UNKNOWN)
			MUST(!memchr(data, '\0', size) && !memchr(data, ' ', size) && !memchr(data, '\n', size));
	return 0;
}
