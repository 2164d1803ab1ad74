/* ISC licence, see LICENSE. */
#include "stage/stages.h"

/* The main of every stage: scripts/link says which one STAGE is. */
int
main(int argc, char *argv[])
{
	return ready_main(STAGE, argc, argv);
}
