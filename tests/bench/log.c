/* ISC licence, see LICENSE. */
/*
 * The log of a busy hour, for msa-log: so many messages of 500 users, with what goes wrong in such an hour.
 * usage: bench-log [-t | -s | -i] messages
 * -t: with the labels of multilog; -s: as a file of syslog; -i: as rsyslog writes today; else without times.
 * The same words give the same log.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BEGIN = 1796004000, HOUR_S = 3600, USERS = 500 };

struct log {
	char wrap;
	uint64_t random;
	int64_t us;
	time_t second; /* that of the text */
	char text[64];
};

static unsigned
draw(struct log *w, unsigned below)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->random >> 33) % below;
}

static void
put_id(char id[15], struct log *w)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t second = (uint64_t)(w->us / 1000000);
	int i;

	for (i = 6; i >= 0; i--, second /= 32)
		id[i] = digits[second % 32];
	for (i = 7; i < 14; i++)
		id[i] = digits[draw(w, 32)];
	id[14] = '\0';
}

/* What stands before a line, some milliseconds later than before the last one. */
static void
begin(struct log *w, const char *stage)
{
	time_t now;

	w->us += 1 + draw(w, 3000);
	now = (time_t)(w->us / 1000000);
	if (w->wrap == 't')
		printf("@%016llx%08x %s: ", (unsigned long long)now + 10 + (UINT64_C(1) << 62),
		    (unsigned)(w->us % 1000000 * 1000), stage);
	else if (w->wrap) {
		if (now != w->second) {
			struct tm tm;

			w->second = now;
			gmtime_r(&now, &tm);
			strftime(w->text, sizeof w->text, w->wrap == 's' ? "%b %e %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
		}
		if (w->wrap == 's')
			printf("%s mail %s[812]: ", w->text, stage);
		else
			printf("%s.%06d+00:00 mail %s[812]: ", w->text, (int)(w->us % 1000000), stage);
	} else
		printf("%s: ", stage);
}

static void
message(struct log *w, const char *session, unsigned user)
{
	unsigned hop = draw(w, 3), fate = draw(w, 200), far = draw(w, 3000), ms = 8 + draw(w, 40), size = 800 + draw(w, 90000);
	char id[15], client[160];

	if (draw(w, 50) == 0)
		ms += draw(w, 4000);
	snprintf(client, sizeof client, "user=user%u@example.net mech=PLAIN ip=192.0.2.%u tls=TLSv1.3 "
	    "cipher=TLS_AES_256_GCM_SHA384 rcpts=1 size=%u", user, user % 250, size);
	put_id(id, w);
	begin(w, "rights");
	printf("%s/%s done user=user%u@example.net\n", session, id, user);
	begin(w, "limit");
	if (fate == 0) {
		printf("%s/%s refused who=user%u@example.net why=\"Too many recipients, try again later\"\n", session, id, user);
		begin(w, "submitd");
		printf("%s/%s refused %s code=450 ms=2 from=user%u@example.net "
		    "reason=\"4.7.1 Too many recipients, try again later\"\n", session, id, client, user);
		return;
	}
	printf("%s/%s done who=user%u@example.net rcpts=1\n", session, id, user);
	begin(w, "qualify");
	printf("%s/%s done user=user%u@example.net added=Date ms=0 msgid=<%s@client.example.net>\n", session, id, user, id);
	begin(w, "stamp");
	printf("%s/%s done with=ESMTPSA ms=0\n", session, id);
	begin(w, "smtp-inject");
	if (fate == 1)
		printf("%s/%s refused rcpt=nobody%u@example.org reply=\"550 5.1.1 <nobody%u@example.org>: User unknown\"\n",
		    session, id, far, far);
	else
		printf("%s/%s reached rcpt=friend%u@example.org reply=\"250 2.0.0 Ok: queued as %08X\"\n", session, id, far,
		    draw(w, 1u << 31));
	begin(w, "smtp-inject");
	printf("%s/%s done to=relay%u.example.org:25 rcpts=1 accepted=%d ms=%u code=%d\n", session, id, hop, fate != 1, ms,
	    fate == 1 ? 550 : 250);
	begin(w, "submitd");
	printf("%s/%s %s %s code=%d ms=%u from=user%u@example.net%s\n", session, id, fate == 1 ? "refused" : "accepted",
	    client, fate == 1 ? 550 : 250, ms + 4, user, fate == 1 ? " reason=\"5.1.1 User unknown\"" : "");
}

static void
session(struct log *w)
{
	unsigned user = draw(w, USERS), visit = draw(w, 40);
	char id[15];

	put_id(id, w);
	begin(w, "authd");
	if (visit == 0)
		printf("%s refused user=user%u@example.net mech=PLAIN reason=\"wrong password\" ip=203.0.113.%u "
		    "tls=TLSv1.2\n", id, user, draw(w, 200));
	else {
		printf("%s authenticated user=user%u@example.net mech=PLAIN label=main ip=192.0.2.%u tls=TLSv1.3\n", id, user,
		    user % 250);
		message(w, id, user);
	}
	begin(w, "tlsd");
	printf("%s done tls=TLSv1.%d cipher=TLS_AES_256_GCM_SHA384 in=4022 out=360 ms=149 peer=192.0.2.%u\n", id,
	    visit ? 3 : 2, user % 250);
}

int
main(int argc, char **argv)
{
	struct log w = { .random = 1, .us = (int64_t)BEGIN * 1000000 };
	long messages, i;
	int c;

	while ((c = getopt(argc, argv, "ist")) != -1)
		if (c == '?')
			return 100;
		else
			w.wrap = (char)c;
	messages = optind == argc - 1 ? atol(argv[optind]) : 0;
	if (messages <= 0) {
		fputs("usage: bench-log [-i | -s | -t] messages\n", stderr);
		return 100;
	}
	for (i = 0; i < messages; i++) {
		int64_t at = (int64_t)BEGIN * 1000000 + (int64_t)HOUR_S * 1000000 / messages * i;

		if (w.us < at)
			w.us = at;
		session(&w);
	}
	return fflush(stdout) == 0 ? 0 : 111;
}
