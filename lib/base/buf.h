/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_BUF_H
#define MSA_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * The one growable type. Zero-initialised it is empty and usable; buf_free returns it there.
 * p is owned by the buf and moves when it grows: keep offsets, not pointers, across a buf_add.
 * Once anything was added, p[len] is NUL (not counted), so p serves as a string if no NUL was added.
 * Every function returns 0, or -1 with errno ENOMEM and the buf unchanged.
 */
struct buf {
	char *p;
	size_t len; /* octets in use */
	size_t cap; /* octets allocated */
};

int buf_room(struct buf *b, size_t n); /* make room for n more octets behind len */
int buf_add(struct buf *b, const void *data, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_clear(struct buf *b);           /* empty, storage kept */
void buf_consume(struct buf *b, size_t n); /* drop the first n octets */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b); /* buf_free, contents overwritten first: for what held a secret */

#endif
