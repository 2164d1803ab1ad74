/* ISC licence, see LICENSE. */
#include "mail/received.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* "OpenSSL's name of a cipher suite => IANA's name, or nothing" for each line. */
int
unit_received(int argc, char **argv)
{
	char *s, *raw;
	size_t n;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		const char *name = received_cipher(s);

		printf("%s => %s\n", raw, name ? name : "");
		free(s);
		free(raw);
	}
	return 0;
}
