/* ISC licence, see LICENSE. */
#ifndef MSA_BUF_H
#define MSA_BUF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * A growable array of octets. Zero-initialised it is empty and usable; buf_free makes it so again.
 * The buf owns p, and p moves when the buf grows: keep offsets, not pointers, across a call that adds.
 * After the first addition p[len] is a NUL that len does not count, so p is a string if nothing added contains a NUL.
 * The functions that return an int return 0, or -1 with errno set (ENOMEM) and the buf unchanged.
 */
struct buf {
	char *p;
	size_t len; /* octets in use */
	size_t cap; /* octets allocated */
};

int buf_room(struct buf *b, size_t n); /* reserve n octets after len */
int buf_add(struct buf *b, const void *data, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_clear(struct buf *b);           /* empty it, keep the storage */
void buf_consume(struct buf *b, size_t n); /* remove the first n octets, or all if there are fewer */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b); /* overwrite the storage, then buf_free: for secrets */

#endif
