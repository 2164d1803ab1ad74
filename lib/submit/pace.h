/* ISC licence, see LICENSE. */
#ifndef MSA_SUBMIT_PACE_H
#define MSA_SUBMIT_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "net/lineio.h"

/*
 * The pace at which a client has to send the text of a message or a chunk: the next octet within CHAIN_DATA_WAIT_S
 * (RFC 5321 4.5.3.2.5), and CHAIN_DATA_RATE octets a second over the whole, so that a client that sends an octet a
 * minute cannot stay.
 */

/*
 * Wait for more input. since_ms: when the text began (clock_ms); done: octets of it so far; most: as lineio_fill_until.
 * Returns LINE_OK with c->in_buf[c->pos..c->len) not empty, or LINE_TIMEOUT, LINE_EOF or LINE_ERROR.
 */
enum line_result pace_fill(struct lineio *c, int64_t since_ms, long long done, size_t most);

/* Read and drop exactly size octets. Returns as pace_fill. */
enum line_result pace_skip(struct lineio *c, long long size);

#endif
