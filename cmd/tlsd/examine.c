/* ISC licence, see LICENSE. */
#include "examine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tls.h>
#include <unistd.h>

#include "base/file.h"
#include "base/user.h"
#include "net/listen.h"
#include "stage/handover.h"
#include "tlsd/openssl.h"
#include "tlsd/tcprules.h"

enum {
	DAY_S = 86400,
	WARN_DAYS = 14, /* before a certificate ends: more than the week in which programs that renew it try again */
};

static void
look_at_times(const struct finding *asked, const char *path)
{
	time_t now = time(NULL), begins, ends;
	char date[16];
	struct tm tm;

	if (openssl_validity(path, &begins, &ends) < 0)
		return; /* the module that loads the certificate has said why */
	strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(begins > now ? &begins : &ends, &tm));
	if (begins > now)
		finding_error(asked, path, "wait, or set the clock", "is not valid before %s", date);
	else if (ends <= now)
		finding_error(asked, path, "renew it", "ended on %s", date);
	else if (ends - now < WARN_DAYS * (time_t)DAY_S)
		finding_warning(asked, path, "renew it", "ends on %s", date);
}

/* Load the pairs as in earnest, and look when their certificates end. */
static void
look_at_keys(const struct tlsconf *keys, const struct finding *asked)
{
	struct authority authority = { .judges = false };
	struct buf why = { 0 };
	struct tls *tls;
	size_t i;

	openssl_start(keys->ca);
	tls = tlsconf_server(keys, &authority, &why);
	if (!tls)
		finding_error(asked, "", NULL, "%s", why.p ? why.p : strerror(errno));
	tls_free(tls);
	authority_free(&authority);
	buf_free(&why);
	for (i = 0; i < keys->n; i++)
		look_at_times(asked, keys->pair[i].cert);
	if (keys->ca)
		look_at_times(asked, keys->ca);
}

static void
look_at_penalties(const char *directory, const struct finding *asked)
{
	const char *why;
	int fd = directory ? file_open_directory(directory, false, &why) : -1;

	if (fd >= 0)
		close(fd);
	else if (directory)
		finding_error(asked, directory, NULL, "%s", why);
}

static void
look_at_server(const struct tlsserver_conf *conf, const struct finding *asked)
{
	struct tcprules rules;

	finding_fact("listen", conf->address);
	finding_number("connections", conf->limits.total);
	finding_number("early", conf->limits.early);
	if (strcmp(conf->address, "0") != 0 && !listener_is_address(conf->address))
		finding_error(asked, conf->address, "write 0:587, 192.0.2.1:587 or [::]:587", "not an address and a port");
	if (!conf->rules)
		return;
	if (tcprules_open(&rules, conf->rules) < 0)
		finding_error(asked, conf->rules, NULL, "%s", table_why(errno));
	else
		tcprules_close(&rules);
}

void
examine(const struct tlsserver_conf *conf, const struct finding *asked)
{
	struct user user;

	finding_stage("tlsd", "session");
	if (conf->next.how == NEXT_CALL)
		finding_fact("ends", "");
	look_at_keys(&conf->keys, asked);
	look_at_penalties(conf->guard.directory, asked);
	if (conf->address)
		look_at_server(conf, asked);
	if (conf->user && user_find(&user, conf->user) < 0)
		finding_error(asked, conf->user, NULL, "%s", errno == ENOENT ? "no such user" : strerror(errno));
	else if (conf->user) {
		if (conf->address)
			finding_fact("user", conf->user);
		/* The workers of a server take the uid before they call; an exec'd tlsd does not change that of the next stage. */
		if (conf->address && geteuid() == 0 && user_take(&user) < 0)
			finding_error(asked, conf->user, NULL, "%s", strerror(errno));
		user_free(&user);
	}
	if (conf->next.how == NEXT_CALL)
		finding_calls(conf->next.path, handover_probe(conf->next.path));
}
