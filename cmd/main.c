/* ISC licence, see LICENSE. */
#include "msa/stage.h"

/* The main of every stage: scripts/link says which one STAGE is, and cmd/NAME/NAME.c describes it. */
extern const struct stage STAGE;

int
main(int argc, char *argv[])
{
	return stage_main(&STAGE, argc, argv);
}
