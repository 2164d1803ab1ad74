/* ISC licence, see LICENSE. */
#include "stages.h"

int
main(int argc, char *argv[])
{
	return ready_main(maildir_inject_ready, argc, argv);
}
