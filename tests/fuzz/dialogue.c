/* ISC licence, see LICENSE. */
#include "../../cmd/authd/dialogue.h"

#include <cdb.h>
#include <string.h>
#include <unistd.h>

#include "auth/credential.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/os.h"
#include "smtp.h"

/*
 * A whole session with authd, what a client sends being the input; its first octet chooses the kind. The store has one
 * user, bob, whose password is pencil. Only a client that has said that password, or may go on without, gets through.
 * No reply and no log line holds the password; every reply is complete lines.
 */
static const char password[] = "pencil";
static bool through;     /* call_next was called */
static bool logged;      /* the event "authenticated" */

/* An address may be logged, whatever it is. */
static void
must_not_tell(const char *text)
{
	MUST(!text || strchr(text, '@') || !strstr(text, password));
}

void
log_event(const struct log *log, const char *event, ...)
{
	va_list ap;
	const char *name;

	(void)log;
	logged |= strcmp(event, "authenticated") == 0;
	va_start(ap, event);
	while ((name = va_arg(ap, const char *)))
		must_not_tell(va_arg(ap, const char *));
	va_end(ap);
}

void
log_error(const struct log *log, const char *event, const char *fmt, ...)
{
	(void)log;
	MUST(*event && *fmt);
}

bool
log_permit(const struct log *log)
{
	return log != NULL;
}

int
call_next(struct call *call)
{
	through = true;
	MUST(facts_get(&call->facts, "RELAYCLIENT") ||
	     (logged && strcmp(facts_get(&call->facts, "SMTPAUTHUSER"), "bob") == 0));
	return CHAIN_DONE;
}

/* The store, in a file in memory. Its hash is a cheap one, so that a run takes microseconds. */
static void
make_store(struct userdb *db)
{
	static const unsigned char salt[CREDENTIAL_SALT] = "0123456789abcde", secret[USERDB_SECRET] = "a secret";
	unsigned char hash[CREDENTIAL_HASH];
	struct buf format = { 0 }, value = { 0 };
	struct cdb_make make;
	const char *why;
	int fd = os_memory_file("store");

	MUST(fd >= 0 && credential_random_hash(hash, salt, sizeof salt, password, strlen(password)) == 0);
	MUST(buf_printf(&format, "1:%d:", CREDENTIAL_ITERATIONS_MIN) == 0 &&
	     base64_encode(&format, (const char *)secret, sizeof secret) == 0);
	MUST(buf_puts(&value, "main:SSHA256$") == 0 && base64_encode(&value, (const char *)salt, sizeof salt) == 0 &&
	     buf_puts(&value, "$") == 0 && base64_encode(&value, (const char *)hash, sizeof hash) == 0 &&
	     buf_puts(&value, "\n") == 0);
	MUST(cdb_make_start(&make, fd) == 0 && cdb_make_add(&make, "", 0, format.p, (unsigned)format.len) == 0 &&
	     cdb_make_add(&make, "bob", 3, value.p, (unsigned)value.len) == 0 && cdb_make_finish(&make) == 0);
	MUST(userdb_take(db, fd, &why) == 0);
	buf_free(&format);
	buf_free(&value);
}

/* All that was said is replies, each line as RFC 5321 4.2 has it. */
static void
check_replies(int fd)
{
	struct buf b = { 0 };
	size_t i, start = 0;

	MUST(file_slurp(fd, 1 << 26, &b) == 0);
	must_not_tell(b.p);
	for (i = 0; i < b.len; i++) {
		if (b.p[i] != '\n')
			continue;
		MUST(i - start >= 5 && b.p[i - 1] == '\r' && b.p[start] >= '2' && b.p[start] <= '5');
		MUST(b.p[start + 3] == ' ' || b.p[start + 3] == '-');
		start = i + 1;
	}
	MUST(start == b.len);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct userdb db;
	static struct authd conf;
	struct call call = { .kind = CALL_SESSION, .stop = -1, .log = { .stage = "authd" } };
	uint8_t kind = size > 0 ? *data : 0;
	const char *why;

	if (!conf.db) {
		make_store(&db);
		conf = (struct authd){ .store = "store", .db = &db, .attempts = 3, .wait_ms = 5000 };
		MUST(sasl_service_open(&conf.service, &(struct sasl_conf){ .db = &db }, &why) == 0);
	}
	conf.clear = kind & 1;
	call.in = os_memory_file("in");
	call.out = os_memory_file("out");
	MUST(call.in >= 0 && call.out >= 0);
	MUST(size < 2 || write(call.in, data + 1, size - 1) == (ssize_t)size - 1);
	lseek(call.in, 0, SEEK_SET);
	MUST(facts_set(&call.facts, "MSA_HOST", "mx.test") == 0);
	if (kind & 2)
		MUST(facts_set(&call.facts, "MSA_LMTP", "") == 0);
	if (kind & 4)
		MUST(facts_set(&call.facts, "SSL_PROTOCOL", "TLSv1.3") == 0);
	through = logged = false;
	MUST(authd_serve(&call, &conf) == CHAIN_DONE);
	MUST(through == logged);
	check_replies(call.out);
	close(call.in);
	close(call.out);
	facts_free(&call.facts);
	return 0;
}
