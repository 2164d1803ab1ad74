/* ISC licence, see LICENSE. */
#include "message.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "os.h"

enum { PART = 65536 }; /* octets written to the file at once, at least */

int
message_write(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int
message_read(int fd, char *p, size_t n, off_t off)
{
	while (n > 0) {
		ssize_t r = pread(fd, p, n, off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

/* As message_write, where the offset has to stay at 0, for whoever gets the descriptor. */
static int
write_at_start(int fd, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pwrite(fd, p + done, n - done, (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		done += (size_t)r;
	}
	return 0;
}

static int
spill(struct message *m)
{
	if (!m->spilled) {
		if (os_disk_file(&m->rd, &m->wr) < 0)
			return -1;
		m->spilled = 1;
	}
	if (message_write(m->wr, m->mem.p, m->mem.len) < 0)
		return -1;
	buf_clear(&m->mem);
	return 0;
}

int
message_add(struct message *m, const void *data, size_t n)
{
	if (m->size + (off_t)n > CHAIN_MEMORY_MESSAGE && m->mem.len + n >= PART) {
		if (spill(m) < 0 || message_write(m->wr, data, n) < 0)
			return -1;
	} else if (buf_add(&m->mem, data, n) < 0)
		return -1;
	m->size += (off_t)n;
	return 0;
}

int
message_add_file(struct message *m, int fd, off_t off, off_t n)
{
	if (m->size + n <= CHAIN_MEMORY_MESSAGE) {
		if (buf_room(&m->mem, (size_t)n) < 0 || message_read(fd, m->mem.p + m->mem.len, (size_t)n, off) < 0)
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
message_finish(struct message *m)
{
	int fd, e;

	if (m->spilled) {
		if (m->mem.len > 0 && spill(m) < 0)
			return -1;
		if (close(m->wr) < 0) { /* where the file system tells late that it is full */
			e = errno;
			close(m->rd);
			m->spilled = 0;
			message_free(m);
			errno = e;
			return -1;
		}
		fd = m->rd;
		m->spilled = 0;
	} else {
		fd = os_memory_file("message");
		if (fd < 0)
			return -1;
		if (write_at_start(fd, m->mem.p, m->mem.len) < 0 || os_seal(fd) < 0) {
			e = errno;
			close(fd);
			errno = e;
			return -1;
		}
	}
	message_free(m);
	return fd;
}

int
message_file(const char *p, size_t n)
{
	struct message m = { 0 };
	int fd = message_add(&m, p, n) < 0 ? -1 : message_finish(&m), e = errno;

	message_free(&m);
	errno = e;
	return fd;
}

void
message_free(struct message *m)
{
	buf_free(&m->mem);
	if (m->spilled) {
		close(m->rd);
		close(m->wr);
	}
	*m = (struct message){ 0 };
}

off_t
message_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ESPIPE;
		return -1;
	}
	return st.st_size;
}

int
message_slurp(int fd, size_t max, struct buf *b)
{
	off_t size = message_size(fd);

	if (size < 0)
		return -1;
	if ((size_t)size > max) {
		errno = EFBIG;
		return -1;
	}
	if (buf_room(b, (size_t)size) < 0 || message_read(fd, b->p + b->len, (size_t)size, 0) < 0)
		return -1;
	b->len += (size_t)size;
	b->p[b->len] = '\0';
	return 0;
}
