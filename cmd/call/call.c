/* ISC licence, see LICENSE. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain/limits.h"
#include "stage/stage.h"

/* The stages do this themselves where the next program is "call"; this is for scripts and foreign ones. */
static int
serve(struct call *call, void *conf)
{
	return stage_next(call, conf);
}

int
main(int argc, char *argv[])
{
	struct stage stage = {
		.name = "call",
		.kind = getenv("MSA_MESSAGE") ? STAGE_MESSAGE : STAGE_SESSION,
		.owner = FACTS_NOBODY,
		.serve = serve,
	};
	struct stage_options options;
	char word[] = "call", *next[3] = { word, NULL, NULL };

	stage_options(&options);
	if (getopt(argc, argv, "+") != -1 || argc - optind != 1)
		return stage_misuse("usage: call path");
	next[1] = argv[optind];
	return stage_run(&stage, next, &options);
}
