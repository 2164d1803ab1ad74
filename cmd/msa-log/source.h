/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_SOURCE_H
#define MSA_LOG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/logwrap.h"

enum {
	SOURCE_BUFFER = 65536, /* octets; a longer line is read over */
	SOURCE_CURSOR = 511,   /* octets of a journal's cursor; systemd's have about 130 */
};

/* A log that is read line by line: a file, a pipe, or the output of journalctl -o export. Not initialised by hand. */
struct source {
	int fd;
	char *buf;         /* owned */
	size_t begin, end; /* what was read and not yet returned */
	off_t offset;      /* of begin in the file */
	struct logwrap wrap;
	bool begun;   /* something was read */
	bool over;    /* the end was seen, and it may move: source_next tries again */
	bool skipping; /* within a line that is too long */
	struct {           /* the entry of a journal that is being read */
		bool on;   /* the text has journalctl's form for export */
		uint64_t skip; /* octets of a binary field that are still to come */
		bool has_message, is_over;
		int64_t us;
		size_t n;
		char message[LOG_LINE_MAX + 1];
		char name[LOGLINE_STAGE + 1];
		char cursor[SOURCE_CURSOR + 1];
	} entry;
	unsigned long long lines, others, long_lines; /* of ours; of others, or not understood; too long, not in others */
};

enum source_result {
	SOURCE_LINE,  /* a line of ours, valid until the next call */
	SOURCE_OTHER, /* a line that is not */
	SOURCE_END,   /* nothing more now; what has no LF yet is kept */
	SOURCE_ERROR, /* errno */
};

/* Begin to read fd, which stands at offset. Returns 0, or -1 with errno set (ENOMEM). */
int source_open(struct source *s, int fd, off_t offset, int64_t now);

/* Take the next line. last: what comes after the last LF is a line too. */
enum source_result source_next(struct source *s, struct logline *l, bool last);

/* Free what the source has; fd is closed. */
void source_close(struct source *s);

#endif
