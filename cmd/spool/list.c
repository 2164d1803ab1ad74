/* ISC licence, see LICENSE. */
#include "list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chain/limits.h"
#include "spool/spoollist.h"

/*
 * Print a message: id, age, sender (of a report: the word report), waiting and all recipients, seconds until the next
 * attempt (of a report that was refused for good: held), and the last reply of the first waiting recipient with one.
 */
static void
print(const struct spoollist_item *i, const struct spoolrec *m, time_t now)
{
	const struct envelope_line *mail = &m->envelope.mail;
	const struct reply_foreign *reply = NULL;
	size_t left = 0, k;

	for (k = 0; k < m->envelope.nrcpt; k++)
		if (m->rcpt[k].state == SPOOLREC_WAITING) {
			left++;
			if (!reply && m->rcpt[k].reply.code)
				reply = &m->rcpt[k].reply;
		}
	printf("%s %lld ", i->id, (long long)(now - m->arrival));
	if (m->is_report)
		printf("report");
	else
		printf("<%.*s>", (int)mail->path_len, mail->path);
	printf(" %zu/%zu ", left, m->envelope.nrcpt);
	if (m->next == SPOOLREC_NEVER)
		printf("held");
	else
		printf("%lld", (long long)(m->next > now ? m->next - now : 0));
	if (reply)
		printf(" %d%s%s %.*s\n", reply->code, *reply->enhanced ? " " : "", reply->enhanced,
		    (int)strcspn(reply->text ? reply->text : "", "\n"), reply->text ? reply->text : "");
	else
		printf(" -\n");
}

/* Print all. Returns 0, or -1: a message that still exists cannot be read (fd 2 says which). */
static int
print_all(const struct spool *s, const struct spoollist *l)
{
	time_t now = time(NULL);
	int r = 0;
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct spoolrec m = { 0 };
		const char *why;

		if (spoollist_load(s, &l->v[i], &m, NULL, &why) == 0)
			print(&l->v[i], &m, now);
		else if (errno != ENOENT) {
			fprintf(stderr, "spool: %s: %s: %s\n", l->v[i].id, why, strerror(errno));
			r = -1;
		}
		spoolrec_free(&m);
	}
	return r;
}

int
list_print(const char *directory)
{
	struct spoollist l = { 0 };
	struct spool s;
	int r = spool_look(&s, directory);

	if (r == 0)
		r = spoollist_read(&l, &s);
	if (r < 0)
		fprintf(stderr, "spool: %s: %s\n", directory, strerror(errno));
	else {
		r = print_all(&s, &l);
		if (fflush(stdout) != 0)
			r = -1;
	}
	spoollist_free(&l);
	spool_close(&s);
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}
