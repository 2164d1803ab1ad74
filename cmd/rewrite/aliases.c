/* ISC licence, see LICENSE. */
#include "aliases.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "net/nexthop.h"

enum {
	TRY_MS = 2000, /* for one server */
	FAILED_MAX = 600, /* octets of the log's list */
};

#define DNS_PORT "53"

/* The answer to one question. */
struct answer {
	bool done;
	int status;
	char name[ADDR_DOMAIN_MAX + 1]; /* ARES_SUCCESS */
};

int
aliases_open(struct aliases *a, const char **why)
{
	/* without NOCHECKRESP a SERVFAIL would be the same as a resolver that does not run */
	struct ares_options o = { .flags = ARES_FLAG_USEVC | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
		.timeout = TRY_MS, .tries = 1, .lookups = (char[]){ "b" } };
	struct nexthop n;
	int r;

	*why = "not an IP address, or an address and a port";
	if (a->server && (nexthop_parse(&n, a->server, DNS_PORT) < 0 || !nexthop_is_numeric(&n)))
		return -1;
	a->port = a->server ? nexthop_port(&n) : (unsigned)atoi(DNS_PORT);
	*why = "c-ares cannot be used";
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -1;
	r = ares_init_options(&a->channel, &o,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
	if (r != ARES_SUCCESS) {
		a->channel = NULL;
		*why = ares_strerror(r);
		return -1;
	}
	*why = "not the address of a server";
	return !a->server || ares_set_servers_ports_csv(a->channel, a->server) == ARES_SUCCESS ? 0 : -1;
}

void
aliases_close(struct aliases *a)
{
	if (a->channel)
		ares_destroy(a->channel);
	ares_library_cleanup();
	a->channel = NULL;
}

/* Does the list have the domain? In U-labels it is not looked up, as in the table. */
static bool
is_listed(const struct aliases *a, const char *domain)
{
	size_t i, n = strlen(domain);

	for (i = 0; i < n; i++)
		if ((unsigned char)domain[i] > 127)
			return false;
	for (i = 0; i < a->nlisted; i++) {
		size_t len = strlen(a->listed[i]);

		if (*a->listed[i] == '.' ? n > len && strcasecmp(domain + n - len, a->listed[i]) == 0 :
		    strcasecmp(domain, a->listed[i]) == 0)
			return true;
	}
	return false;
}

/* Copy the name of an answer, in lower case and without a dot at its end. Returns ARES_SUCCESS, or another status. */
static int
take_name(char to[ADDR_DOMAIN_MAX + 1], const char *name)
{
	size_t n = name ? strlen(name) : 0, i;

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n > ADDR_DOMAIN_MAX)
		return ARES_EBADNAME;
	for (i = 0; i < n; i++)
		to[i] = (char)tolower((unsigned char)name[i]);
	to[n] = '\0';
	return strchr(to, '.') && addr_is_domain(to, n) ? ARES_SUCCESS : ARES_EBADNAME;
}

/* Takes the answer of the resolver. The library reads it as one about addresses, which has the name of an alias too. */
static void
take_answer(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct answer *a = arg;
	struct hostent *host = NULL;

	(void)timeouts;
	a->done = true;
	a->status = status;
	if (status != ARES_SUCCESS)
		return;
	a->status = ares_parse_a_reply(p, n, &host, NULL, NULL);
	if (a->status != ARES_SUCCESS)
		return;
	a->status = take_name(a->name, host->h_name);
	ares_free_hostent(host);
}

/* Wait for the resolver, at most until the deadline. */
static void
attend(ares_channel channel, struct answer *a, int64_t deadline_ms)
{
	ares_socket_t fd[ARES_GETSOCK_MAXNUM];
	struct pollfd p[ARES_GETSOCK_MAXNUM];
	int i, n, ready;

	while (!a->done && clock_left(deadline_ms) > 0) {
		struct timeval left = { .tv_sec = 0 }, *wait;
		int ms = clock_left(deadline_ms), bits = ares_getsock(channel, fd, ARES_GETSOCK_MAXNUM);

		for (n = 0; n < ARES_GETSOCK_MAXNUM; n++) {
			bool reads = ARES_GETSOCK_READABLE(bits, n), writes = ARES_GETSOCK_WRITABLE(bits, n);

			if (!reads && !writes)
				break;
			p[n] = (struct pollfd){ .fd = fd[n], .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)) };
		}
		wait = ares_timeout(channel, NULL, &left);
		if (wait && wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1 < ms)
			ms = (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1);
		ready = poll(p, (nfds_t)n, ms);
		for (i = 0; i < n && ready > 0; i++)
			ares_process_fd(channel, p[i].revents & (POLLIN | POLLERR | POLLHUP) ? p[i].fd : ARES_SOCKET_BAD,
			    p[i].revents & POLLOUT ? p[i].fd : ARES_SOCKET_BAD);
		if (ready <= 0)
			ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* it looks at its own deadlines */
	}
	if (!a->done)
		ares_cancel(channel); /* which gives the answer ARES_ECANCELLED */
}

int
aliases_note(struct aliases_asked *a, const char *domain, const char *why)
{
	if (a->failed.len + strlen(domain) + strlen(why) + 2 > FAILED_MAX)
		return 0;
	return buf_printf(&a->failed, "%s%s:%s", a->failed.len ? " " : "", domain, why);
}

static const char *
why_not(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "NXDOMAIN";
	case ARES_ESERVFAIL:
		return "SERVFAIL";
	case ARES_EREFUSED:
		return "REFUSED";
	case ARES_ECANCELLED:
	case ARES_ETIMEOUT:
		return "timeout";
	case ARES_ECONNREFUSED:
		return "no-answer";
	case ARES_EBADNAME:
		return "invalid-name";
	default:
		return "invalid-answer";
	}
}

/*
 * Follow the aliases of a domain to the end. Returns NULL with the last name in name, or why the domain stays; *status
 * is ARES_ENOMEM where there is no memory.
 */
static const char *
follow(const struct aliases_asked *a, char name[ADDR_DOMAIN_MAX + 1], int *status)
{
	ares_channel channel = a->aliases->channel;
	int i;

	for (i = 0; i <= ALIASES_HOPS_MAX; i++) {
		struct answer answer = { .done = false };

		if (clock_left(a->deadline_ms) == 0)
			return why_not(*status = ARES_ETIMEOUT);
		ares_query(channel, name, ns_c_in, ns_t_cname, take_answer, &answer);
		attend(channel, &answer, a->deadline_ms);
		*status = answer.status;
		if (answer.status == ARES_ENODATA) /* the name is there, and no alias */
			return NULL;
		if (answer.status != ARES_SUCCESS)
			return why_not(answer.status);
		memcpy(name, answer.name, sizeof answer.name);
	}
	return "loop";
}

/* Ask about a domain that is listed. Returns as aliases_find. */
static const char *
ask(struct aliases_asked *a, const char *domain)
{
	struct alias *grown, *alias;
	const char *why;
	int status = ARES_SUCCESS;

	if (a->n == ALIASES_ASKED_MAX)
		return aliases_note(a, domain, "too-many") < 0 ? NULL : domain;
	grown = realloc(a->v, (a->n + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	a->v = grown;
	alias = &a->v[a->n++];
	snprintf(alias->domain, sizeof alias->domain, "%s", domain);
	snprintf(alias->name, sizeof alias->name, "%s", domain);
	why = follow(a, alias->name, &status);
	if (!why)
		return alias->name;
	snprintf(alias->name, sizeof alias->name, "%s", domain);
	errno = ENOMEM;
	return status == ARES_ENOMEM || aliases_note(a, domain, why) < 0 ? NULL : alias->name;
}

const char *
aliases_find(struct aliases_asked *a, const char *domain)
{
	size_t i;

	if (!a->aliases || !a->aliases->channel || !is_listed(a->aliases, domain))
		return domain;
	for (i = 0; i < a->n; i++)
		if (strcasecmp(a->v[i].domain, domain) == 0)
			return a->v[i].name;
	return ask(a, domain);
}

void
aliases_forget(struct aliases_asked *a)
{
	free(a->v);
	buf_free(&a->failed);
	*a = (struct aliases_asked){ .aliases = NULL };
}
