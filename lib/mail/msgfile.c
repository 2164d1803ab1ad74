/* ISC licence, see LICENSE. */
#include "msa/msgfile.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "chain/limits.h"

enum { PART = 65536 }; /* octets to collect before a write to the file */

static int
spill(struct msgfile *m)
{
	if (!m->spilled) {
		if (os_disk_file(&m->rd, &m->wr) < 0)
			return -1;
		m->spilled = 1;
	}
	if (file_write(m->wr, m->mem.p, m->mem.len) < 0)
		return -1;
	buf_clear(&m->mem);
	return 0;
}

int
msgfile_add(struct msgfile *m, const void *data, size_t n)
{
	if (m->size + (off_t)n > CHAIN_MEMORY_MESSAGE && m->mem.len + n >= PART) {
		if (spill(m) < 0 || file_write(m->wr, data, n) < 0)
			return -1;
	} else if (buf_add(&m->mem, data, n) < 0)
		return -1;
	m->size += (off_t)n;
	return 0;
}

int
msgfile_add_file(struct msgfile *m, int fd, off_t off, off_t n)
{
	if (m->size + n <= CHAIN_MEMORY_MESSAGE) {
		if (buf_room(&m->mem, (size_t)n) < 0 || file_read(fd, m->mem.p + m->mem.len, (size_t)n, off) < 0)
			return -1;
		m->mem.len += (size_t)n;
		m->size += n;
		return 0;
	}
	if (spill(m) < 0 || os_copy(m->wr, fd, off, n) < 0)
		return -1;
	m->size += n;
	return 0;
}

int
msgfile_finish(struct msgfile *m)
{
	int fd, e;

	if (m->spilled) {
		if (m->mem.len > 0 && spill(m) < 0)
			return -1;
		if (close(m->wr) < 0) { /* some file systems report only here that they are full */
			e = errno;
			close(m->rd);
			m->spilled = 0;
			msgfile_free(m);
			errno = e;
			return -1;
		}
		fd = m->rd;
		m->spilled = 0;
	} else {
		fd = os_memory_file("message");
		if (fd < 0)
			return -1;
		if (file_write_at(fd, m->mem.p, m->mem.len, 0) < 0 || os_seal(fd) < 0) {
			e = errno;
			close(fd);
			errno = e;
			return -1;
		}
	}
	msgfile_free(m);
	return fd;
}

int
msgfile_of(const char *p, size_t n)
{
	struct msgfile m = { 0 };
	int fd = msgfile_add(&m, p, n) < 0 ? -1 : msgfile_finish(&m), e = errno;

	msgfile_free(&m);
	errno = e;
	return fd;
}

void
msgfile_free(struct msgfile *m)
{
	buf_free(&m->mem);
	if (m->spilled) {
		close(m->rd);
		close(m->wr);
	}
	*m = (struct msgfile){ 0 };
}
