/* ISC licence, see LICENSE. */
#include "tlsd/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* Show s, lines of one direction each: "C: " before the client's, "S: " before the server's; parts: octet by octet. */
static bool
passed(const char *s, size_t n, bool parts)
{
	struct proof p = { 0 };
	size_t step, i;
	bool server = false, start = true;

	for (; n > 0; s += step, n -= step) {
		const char *lf = memchr(s, '\n', n);

		step = lf ? (size_t)(lf - s) + 1 : n;
		if (start && step > 3 && s[1] == ':') {
			server = *s == 'S';
			s += 3;
			step -= 3;
			n -= 3;
		}
		start = lf != NULL;
		for (i = 0; i < step; i += parts ? 1 : step)
			(server ? proof_down : proof_up)(&p, s + i, parts ? 1 : step);
	}
	return p.given;
}

/* "input => given" or "not", for each line of input. */
int
unit_proof(int argc, char **argv)
{
	char *s, *raw;
	size_t n;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		bool given = passed(s, n, false);

		printf("%s => %s%s\n", raw, given ? "given" : "not", given == passed(s, n, true) ? "" : ", and else octet by octet");
		free(s);
		free(raw);
	}
	return 0;
}
