/* ISC licence, see LICENSE. */
#include "../../cmd/msa-log/source.h"

#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "fuzz.h"

/* Read the whole file from offset on. Returns where the source stands then. */
static off_t
read_all(int fd, off_t offset, bool last, unsigned long long *lines, unsigned long long *others)
{
	enum source_result r;
	struct logline l;
	struct source s;
	off_t end, was = offset;

	MUST(lseek(fd, offset, SEEK_SET) == offset && source_open(&s, dup(fd), offset, 1796006001) == 0);
	while ((r = source_next(&s, &l, last)) == SOURCE_LINE || r == SOURCE_OTHER) {
		MUST(s.offset >= was && s.begin <= s.end && s.end <= SOURCE_BUFFER);
		was = s.offset;
		if (r == SOURCE_LINE)
			MUST(l.stage.n > 0 && l.event.n > 0 && l.stage.p[0] >= 'a' && l.stage.p[0] <= 'z');
	}
	MUST(r == SOURCE_END);
	*lines += s.lines;
	*others += s.others + s.long_lines;
	end = s.offset;
	source_close(&s);
	return end;
}

/*
 * The input as a log: nothing is read twice, and what is read to the last LF and then from there on is what is read at
 * once.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned long long lines = 0, others = 0, more = 0, more_others = 0;
	int fd = os_memory_file("log");
	off_t end;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	end = read_all(fd, 0, true, &lines, &others);
	MUST(end == (off_t)size || (size >= 9 && memcmp(data, "__CURSOR=", 9) == 0));
	end = read_all(fd, 0, false, &more, &more_others);
	MUST(end <= (off_t)size && more <= lines && more_others <= others + 1);
	close(fd);
	return 0;
}
