/* ISC licence, see LICENSE. */
#include "stages.h"

int
main(int argc, char *argv[])
{
	return ready_main(limit_ready, argc, argv);
}
