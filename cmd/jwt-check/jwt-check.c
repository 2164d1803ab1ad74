/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/os.h"
#include "base/process.h"
#include "base/program.h"
#include "chain/limits.h"
#include "token.h"

enum {
	FD_SECRET = 3,         /* where the user, the token and the time are read */
	ASKED_MAX = 16384,     /* octets of them; authd sends at most 9504 */
	KEYS_MAX = 1024 * 1024, /* octets of a file of keys */
	SECRET_MAX = 4096,
	LEEWAY_S = 60,
	LEEWAY_MAX_S = 3600,
	EXIT_WRONG = 1,        /* of a checkpassword program */
};

/* How the process ends that looks at the token: with an enum token_verdict, or so. */
enum {
	END_MISUSE = TOKEN_VERDICTS, /* what is asked is not as it must be */
	END_UNREAD,                  /* it cannot be read */
	END_UNCONFINED,              /* there is no sandbox */
	END_KILLED,                  /* it was ended */
};

struct conf {
	struct token_rules rules;
	const char *keys_path, *secret_path; /* one of them */
	char *const *next;                   /* what to become if the token is right; NULL: nothing */
	struct buf keys, secret, asked;
	struct log log;
};

/* What the usage says after the name. */
static const char usage_words[] =
    "[-A algorithms] [-l seconds] [-n claim] [-r realm] [-S scope] -i issuer -a audience ... -k keys | -s secret "
    "[prog [arg ...]]";

static int
usage(void)
{
	fprintf(stderr, "usage: jwt-check %s\n", usage_words);
	return CHAIN_MISUSE;
}

/* Take the list of -A. Returns 0, or -1. */
static int
take_algorithms(struct token_rules *rules, const char *list)
{
	size_t n;

	rules->algorithms = 0;
	for (; *list; list += n + (list[n] == ' ')) {
		unsigned bit;

		n = strcspn(list, " ");
		bit = token_algorithm(list, n);
		if (n > 0 && bit == 0)
			return -1;
		rules->algorithms |= bit;
	}
	return rules->algorithms ? 0 : -1;
}

/* Take the options. Returns 0, or -1: misuse. */
static int
take_options(struct conf *conf, int argc, char *argv[])
{
	struct token_rules *rules = &conf->rules;
	int c;

	*rules = (struct token_rules){ .claim = "email", .leeway = LEEWAY_S };
	while ((c = getopt(argc, argv, "+A:a:i:k:l:n:r:S:s:")) != -1)
		switch (c) {
		case 'A':
			if (take_algorithms(rules, optarg) < 0)
				return -1;
			break;
		case 'a':
			if (rules->naudience == TOKEN_AUDIENCES)
				return -1;
			rules->audience[rules->naudience++] = optarg;
			break;
		case 'i':
			rules->issuer = optarg;
			break;
		case 'k':
			conf->keys_path = optarg;
			break;
		case 'l':
			if (number_parse(optarg, 0, LEEWAY_MAX_S, &rules->leeway) < 0)
				return -1;
			break;
		case 'n':
			rules->claim = optarg;
			break;
		case 'r':
			rules->realm = optarg;
			break;
		case 'S':
			rules->scope = optarg;
			break;
		case 's':
			conf->secret_path = optarg;
			break;
		default:
			return -1;
		}
	conf->next = optind < argc ? argv + optind : NULL;
	if (!rules->algorithms)
		rules->algorithms = conf->secret_path ? TOKEN_HS256 : TOKEN_USUAL;
	/* A public key as the secret of HS256 would let everybody sign: keys and algorithms are of one kind. */
	if (rules->algorithms & (conf->secret_path ? TOKEN_ASYMMETRIC : TOKEN_SYMMETRIC))
		return -1;
	return rules->issuer && rules->naudience > 0 && !conf->keys_path != !conf->secret_path ? 0 : -1;
}

/* Read the keys, or the secret without the end of its line. Returns 0, or an exit code. */
static int
read_keys(struct conf *conf)
{
	const char *path = conf->keys_path ? conf->keys_path : conf->secret_path, *why = NULL;
	struct buf *b = conf->keys_path ? &conf->keys : &conf->secret;
	int fd = conf->keys_path ? file_open_trusted(path, &why) : file_open_secret(path, &why), e;

	if (fd < 0 || file_slurp(fd, conf->keys_path ? KEYS_MAX : SECRET_MAX, b) < 0) {
		e = errno;
		log_error(&conf->log, "failed", "%s: %s", path, fd < 0 ? why : strerror(e));
		return e == EPERM ? CHAIN_MISUSE : CHAIN_LATER;
	}
	close(fd);
	if (conf->keys_path) {
		conf->rules.keys = b;
		return 0;
	}
	if (b->len > 0 && b->p[b->len - 1] == '\n')
		b->len--;
	conf->rules.secret = b;
	if (b->len >= TOKEN_SECRET_MIN)
		return 0;
	log_error(&conf->log, "misuse", "%s: shorter than %d octets", path, TOKEN_SECRET_MIN);
	return CHAIN_MISUSE;
}

static void
wipe(struct conf *conf)
{
	buf_wipe(&conf->keys);
	buf_wipe(&conf->secret);
	buf_wipe(&conf->asked);
}

/* Read what is asked: "user\0token\0timestamp\0". Returns 0, or an end of the process that looks at it. */
static int
read_asked(struct buf *b, const char **user, const char **token)
{
	const char *end;
	ssize_t n = 1;

	if (buf_room(b, ASKED_MAX) < 0)
		return TOKEN_TROUBLE;
	while (n > 0 && b->len < ASKED_MAX) {
		n = read(FD_SECRET, b->p + b->len, ASKED_MAX - b->len);
		if (n > 0)
			b->len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0 && errno != EBADF)
		return END_UNREAD;
	*user = b->p;
	end = b->p + b->len;
	*token = b->len > 0 && b->len < ASKED_MAX && end[-1] == '\0' ? *user + strlen(*user) + 1 : end;
	return *token < end && *token + strlen(*token) + 1 < end ? 0 : END_MISUSE;
}

/*
 * Look at the token, in a process that can open nothing and reach nobody: what a hole in a library would give to a
 * stranger. Returns how the process ends.
 */
static int
look(struct conf *conf)
{
	struct confine nothing = { 0 };
	const char *why, *user, *token;
	int end;

	if (confine_now(&nothing, &why) < 0) {
		log_error(&conf->log, "misuse", "%s", why);
		return END_UNCONFINED;
	}
	end = read_asked(&conf->asked, &user, &token);
	return end == 0 ? (int)token_check(&conf->rules, user, token) : end;
}

/* Have the token looked at by a child: this process starts the next program, and so has no sandbox. Returns its end. */
static int
check(struct conf *conf)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return TOKEN_TROUBLE;
	if (pid == 0) {
		int end = look(conf);

		wipe(conf);
		_exit(end);
	}
	close(FD_SECRET);
	status = process_reap(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : END_KILLED;
}

static int
run(struct conf *conf)
{
	int code = read_keys(conf), end;

	if (code != 0)
		return code;
	conf->rules.now = (long long)time(NULL);
	end = check(conf);
	switch (end) {
	case TOKEN_RIGHT:
		break;
	case TOKEN_BAD_KEYS:
		log_error(&conf->log, "misuse", "%s: %s", conf->keys_path ? conf->keys_path : conf->secret_path,
		    token_reason(TOKEN_BAD_KEYS));
		return CHAIN_MISUSE;
	case END_MISUSE:
		log_error(&conf->log, "misuse", "descriptor %d: not what authd -o writes", FD_SECRET);
		return CHAIN_MISUSE;
	case END_UNCONFINED: /* it was logged */
		return CHAIN_MISUSE;
	case TOKEN_TROUBLE:
		log_error(&conf->log, "failed", "%s", token_reason(TOKEN_TROUBLE));
		return CHAIN_LATER;
	default:
		if (end >= TOKEN_VERDICTS) {
			log_error(&conf->log, "failed", end == END_UNREAD ? "descriptor %d cannot be read" :
			    "the process that looks at descriptor %d was ended", FD_SECRET);
			return CHAIN_LATER;
		}
		log_event(&conf->log, "refused", "reason", token_reason((enum token_verdict)end), (char *)NULL);
		return EXIT_WRONG;
	}
	if (!conf->next)
		return 0;
	wipe(conf);
	program_exec(conf->next);
	log_error(&conf->log, "failed", "next program %s:", *conf->next);
	return CHAIN_LATER;
}

int
main(int argc, char *argv[])
{
	struct conf conf = { 0 };
	int code;

	if (program_answers("jwt-check", usage_words, argc, argv))
		return 0;
	log_open(&conf.log, "jwt-check", -1);
	conf.log.session = getenv("MSA_SESSION");
	if (take_options(&conf, argc, argv) < 0)
		return usage();
	if (getuid() == 0 || geteuid() == 0) {
		log_error(&conf.log, "misuse", "not run as root");
		return CHAIN_MISUSE;
	}
	os_undumpable();
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	code = run(&conf);
	wipe(&conf);
	return code;
}
