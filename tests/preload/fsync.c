/* ISC licence, see LICENSE. */
/* For LD_PRELOAD: fsync() of a directory fails with the errno FSYNC_ERRNO; of anything else it does nothing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	errno = atoi(getenv("FSYNC_ERRNO"));
	return -1;
}
