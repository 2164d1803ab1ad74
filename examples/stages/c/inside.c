/*
 * inside -d @domain [prog ...]: a message with the field "X-Internal: yes" goes to the recipients of domain only.
 * Build: cc inside.c -o inside $(pkg-config --cflags --libs msa). ISC licence.
 */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <msa/msgfile.h>
#include <msa/stage.h>

static int
option(void *conf, int letter, char *value, struct instance *i)
{
	*(const char **)conf = value;
	return letter == 'd' && *value == '@' ? 0 : stage_wrong(i, value, "not @domain");
}

static int
serve(struct call *call, void *conf)
{
	const char *domain = *(const char **)conf ? *(const char **)conf : "@";
	const struct envelope *e = call_kind(call) == CALL_MESSAGE ? call_envelope(call) : NULL;
	size_t i, n = strlen(domain);
	char top[65536] = ""; /* the field counts only here */
	struct buf text = { 0 };
	int r, envelope;

	if ((!e && call_kind(call) == CALL_MESSAGE) || pread(call_message(call), top, sizeof top - 1, 0) < 0)
		return call_failed(call, "message");
	if (!strstr(top, "X-Internal: yes"))
		return call_next(call);
	log_event(call_log(call), "internal", "domain", domain, (char *)NULL);
	if (!e) /* a filter has no recipients to refuse */
		return call_reply(call, 550, "5.7.1", "For the inside only");
	r = buf_printf(&text, "%s\n", e->mail.text);
	for (i = 0; r == 0 && i < e->nrcpt + e->ncopy; i++) {
		const struct envelope_line *l = &e->rcpt[i];
		bool inside = l->path_len > n && strncasecmp(l->path + l->path_len - n, domain, n) == 0;

		r = buf_printf(&text, "%s\n", inside || l->kind != ENVELOPE_RCPT ? l->text : "550 5.7.1 Not outside");
	}
	envelope = r < 0 ? -1 : msgfile_of(text.p, text.len);
	r = envelope < 0 ? call_failed(call, "envelope") : call_next_with(call, -1, envelope);
	buf_free(&text);
	return r;
}

int
main(int argc, char *argv[])
{
	static const struct stage inside = { .name = "inside", .kind = STAGE_MESSAGE, .next = STAGE_MAY_HAND_ON,
		.needs = STAGE_TEMPORARY, .options = "d:", .usage = "-d @domain " STAGE_USAGE " [prog [arg ...]]",
		.conf_size = sizeof(char *), .option = option, .serve = serve };

	return stage_main(&inside, argc, argv);
}
