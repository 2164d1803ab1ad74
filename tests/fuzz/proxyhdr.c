/* ISC licence, see LICENSE. */
#include "net/proxyhdr.h"

#include <string.h>

#include "fuzz.h"

/* In one piece and octet by octet the result is the same, and nothing behind the header is its own. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint client, local, client2, local2;
	struct proxyhdr_trust trust = { .n = 0 };
	enum proxyhdr_result whole, part = PROXYHDR_MORE;
	size_t used = 0, used2 = 0, n;
	char list[256];

	memset(&client, 0, sizeof client);
	memset(&client2, 0, sizeof client2);
	memset(&local, 0, sizeof local);
	memset(&local2, 0, sizeof local2);
	whole = proxyhdr_parse(data, size, &used, &client, &local);
	for (n = 0; n <= size && part == PROXYHDR_MORE; n++)
		part = proxyhdr_parse(data, n, &used2, &client2, &local2);
	MUST(part == whole);
	if (whole == PROXYHDR_PEER || whole == PROXYHDR_UNKNOWN)
		MUST(used <= size && used == used2 && used <= PROXYHDR_MAX + 16);
	if (whole == PROXYHDR_PEER) {
		MUST(memcmp(&client, &client2, sizeof client) == 0 && memcmp(&local, &local2, sizeof local) == 0);
		proxyhdr_trusted(&trust, &client);
	}
	n = size < sizeof list - 1 ? size : sizeof list - 1;
	memcpy(list, data, n);
	list[n] = '\0';
	if (proxyhdr_trust_add(&trust, list) == 0)
		MUST(trust.n > 0 && trust.n <= PROXYHDR_TRUST_MAX);
	return 0;
}
