/* ISC licence, see LICENSE. */
#ifndef MSA_ASK_CONTACT_H
#define MSA_ASK_CONTACT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "deliver/starter.h"
#include "msa/stage.h"

/*
 * A server that a stage asks about a message: its address, and connections to it. Zero-initialised; contact_set comes
 * first. A contact does not move after contact_prepare, because the process that looks its name up has its address.
 */
struct contact {
	const char *text; /* the address as given, for the log; borrowed */
	struct nexthop hop;
	struct client_conf client;
	struct starter starter; /* of this process; see client.starter */
};

/*
 * Take the address: "host:port", "inet:host:port", "unix:/path" or "/path". text must outlive c. Returns 0, or -1: not
 * such an address; errno is not set.
 */
int contact_set(struct contact *c, const char *text);

/* For the functions of struct stage with these names. */
void contact_claim(const struct contact *c, struct claims *claims);
int contact_prepare(struct contact *c);

/* Returns a connected socket, non-blocking and close-on-exec, which the caller owns; or -1 with the reason in why. */
int contact_open(const struct contact *c, int64_t deadline_ms, char why[STARTER_WHY]);

/* Write n octets. Returns 0, or -1 with errno set (ETIMEDOUT at the deadline). */
int contact_write(int fd, const void *data, size_t n, int64_t deadline_ms);

/* Read at least one octet. Returns the number of octets, 0 at the end, or -1 with errno set (ETIMEDOUT). */
ssize_t contact_read(int fd, void *p, size_t n, int64_t deadline_ms);

#endif
