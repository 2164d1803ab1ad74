/* ISC licence, see LICENSE. */
#include "smtp/verb.h"

#include <string.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), *arg;
	size_t arglen;
	enum verb v;

	memcpy(line, data, size);
	line[size] = '\0';
	v = verb_parse(line, size, &arg, &arglen);
	MUST(v < VERB_COUNT && arg >= line && arg + arglen <= line + size && arg[arglen] == '\0');
	MUST(v == VERB_UNKNOWN || strncasecmp(line, verb_name(v), strlen(verb_name(v))) == 0);
	free(line);
	return 0;
}
