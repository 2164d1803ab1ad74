/* ISC licence, see LICENSE. */
#include "smtp/verb.h"

#include <string.h>

#include "fuzz.h"
#include "smtp/chunk.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), *arg;
	size_t arglen;
	enum verb v;
	struct chunk c;

	MUST(verb_of_start((const char *)data, size) < VERB_COUNT);
	MUST(chunk_parse(&c, (const char *)data, size) < 0 || (c.size >= 0 && size <= 23));
	memcpy(line, data, size);
	line[size] = '\0';
	v = verb_parse(line, size, &arg, &arglen);
	MUST(v == VERB_UNKNOWN || !verb_is_foreign((const char *)data, size));
	MUST(v < VERB_COUNT && arg >= line && arg + arglen <= line + size && arg[arglen] == '\0');
	MUST(v == VERB_UNKNOWN || strncasecmp(line, verb_name(v), strlen(verb_name(v))) == 0);
	free(line);
	return 0;
}
