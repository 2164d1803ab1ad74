/* ISC licence, see LICENSE. */
#include "stages.h"

int
main(int argc, char *argv[])
{
	return ready_main(stamp_ready, argc, argv);
}
