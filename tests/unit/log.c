/* ISC licence, see LICENSE. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* event KEY VALUE (with escapes) | error errno-number text | where. The rest is from the environment. */
int
unit_log(int argc, char **argv)
{
	struct log l;

	log_open(&l, "unit", 0);
	l.session = getenv("MSA_SESSION");
	l.message = getenv("MSA_MESSAGE");
	l.no_addresses = getenv("MSA_PRIVATE") != NULL;
	if (argc == 2 && strcmp(argv[1], "where") == 0)
		printf("%s\n", l.syslog ? "syslog" : "fd 2");
	else if (argc == 4 && strcmp(argv[1], "event") == 0) {
		unit_unescape(argv[3]);
		log_event(&l, "happened", argv[2], argv[3], "absent", NULL, "last", "1", (char *)NULL);
	} else if (argc == 4 && strcmp(argv[1], "error") == 0) {
		errno = atoi(argv[2]);
		if (argv[3][strlen(argv[3]) - 1] == ':') {
			argv[3][strlen(argv[3]) - 1] = '\0';
			log_error(&l, "failed", "%s:", argv[3]);
		} else
			log_error(&l, "failed", "%s", argv[3]);
	} else
		return 100;
	return 0;
}
