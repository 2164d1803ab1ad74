/* ISC licence, see LICENSE. */
/* What the scripted peers of the tests share: octets as text, and a socket that a test finds. */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <stddef.h>

#include "msa/buf.h"

/* Print why and end with exit code 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Append octets. Without memory the program ends. */
void add(struct buf *b, const void *data, size_t n);

/* Append the octets that a text means: \r \n \t \\ \0 (and other octal numbers) and \xHH as in C. Any other text is
 * itself. */
void add_octets(struct buf *b, const char *text);

/* Append octets as Python writes bytes, without the quotes around them. */
void add_shown(struct buf *b, const char *data, size_t n);

/* Append what a descriptor, or a file, has to its end. Returns 0, or -1 with errno set. */
int add_all(struct buf *b, int fd);
int add_file(struct buf *b, const char *path);

/* Append octets to a file, which is made if it is missing. */
void append(const char *path, const void *data, size_t n);

/* Where the text stands first in the octets from an offset on, or NULL. */
char *find(const struct buf *b, size_t offset, const char *text);

/* Write all. Returns 0, or -1 with errno set. */
int send_all(int fd, const void *data, size_t n);

/* The part of a text up to a separator, which becomes NUL; *rest is behind it, or NULL at the end. */
char *part(char **rest, char separator);

/* Listen on the Unix socket path, or on a free port of 127.0.0.1 if path is NULL, and print the address. */
int listen_and_tell(const char *path);

/* The next connection. */
int next_connection(int listening);

/* Wait. */
void pause_for(double seconds);

#endif
