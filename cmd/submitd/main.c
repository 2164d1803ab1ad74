/* ISC licence, see LICENSE. */
#include "stages.h"

int
main(int argc, char *argv[])
{
	return ready_main(submitd_ready, argc, argv);
}
