/* ISC licence, see LICENSE. */
#include "stages.h"

int
main(int argc, char *argv[])
{
	return ready_main(lmtp_inject_ready, argc, argv);
}
