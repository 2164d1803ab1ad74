/* ISC licence, see LICENSE. */
#include "request.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "smtp/addr.h"
#include "smtp/param.h"

static const char default_chain[] = "/etc/msa/sendmail";

const char request_usage[] = "[-itv] [-b mode] [-C chain] [-D domain] [-F name] [-f sender] [-N notify] [-o option] "
	"[-R return] [-V envid] [recipient ...]";

static int
wrong(FILE *errors, const char *word, const char *what)
{
	fprintf(errors, "msa-sendmail: %s: %s\n", word, what);
	return EX_USAGE;
}

static int
usage(FILE *errors)
{
	fprintf(errors, "usage: msa-sendmail %s\n", request_usage);
	return EX_USAGE;
}

static int
read_mode(struct request *q, const char *mode, FILE *errors)
{
	if (mode[0] == '\0' || mode[1] != '\0' || !strchr("mspi", *mode))
		return wrong(errors, mode, "a mode of -b that is not one of m, s, p and i");
	q->mode = *mode == 'm' ? REQUEST_SEND : *mode == 's' ? REQUEST_SESSION : *mode == 'p' ? REQUEST_LIST : REQUEST_NOTHING;
	return 0;
}

static int
check_parameter(enum param p, const char *value, const char *option, FILE *errors)
{
	if (!value || param_check(p, value, strlen(value)) == 0)
		return 0;
	fprintf(errors, "msa-sendmail: %s %s: not a value of %s (RFC 3461)\n", option, value, param_keyword(p));
	return EX_USAGE;
}

/* Some programs choose what sendmail does by its name. */
static enum request_mode
mode_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	return strcmp(name, "mailq") == 0 ? REQUEST_LIST : strcmp(name, "newaliases") == 0 ? REQUEST_NOTHING : REQUEST_SEND;
}

int
request_read(struct request *q, int argc, char *argv[], FILE *errors)
{
	int c, r = 0;

	*q = (struct request){ .mode = mode_of(argc > 0 ? argv[0] : ""), .chain = default_chain };
	opterr = errors == stderr;
	/* Those that have no case here are accepted and change nothing: the page lists them. */
	while (r == 0 && (c = getopt(argc, argv, "+A:B:b:C:D:d::e:F:f:Gh:IiL:mN:nO:o:p:q::R:r:tUV:vX:x")) != -1)
		switch (c) {
		case 'b':
			r = read_mode(q, optarg, errors);
			break;
		case 'C':
			q->chain = optarg;
			break;
		case 'D':
			q->domain = optarg;
			break;
		case 'F':
			q->full_name = optarg;
			break;
		case 'f':
		case 'r':
			q->sender = optarg;
			break;
		case 'I':
		case 'q':
			q->mode = REQUEST_NOTHING;
			break;
		case 'i':
			q->dot_is_text = true;
			break;
		case 'N':
			q->notify = optarg;
			break;
		case 'o':
			q->dot_is_text |= strcmp(optarg, "i") == 0;
			break;
		case 'R':
			q->ret = optarg;
			break;
		case 't':
			q->by_header = true;
			break;
		case 'V':
			q->envid = optarg;
			break;
		case 'v':
			q->is_verbose = true;
			break;
		case '?':
			r = usage(errors);
			break;
		default:
			break;
		}
	q->rcpts = argv + optind;
	if (r == 0 && !strchr(q->chain, '/'))
		r = wrong(errors, q->chain, "the file of -C, without a directory");
	if (r == 0 && q->full_name && !addr_is_utf8(q->full_name, strlen(q->full_name)))
		r = wrong(errors, "-F", "not UTF-8");
	if (r == 0)
		r = check_parameter(PARAM_NOTIFY, q->notify, "-N", errors);
	if (r == 0)
		r = check_parameter(PARAM_RET, q->ret, "-R", errors);
	return r == 0 ? check_parameter(PARAM_ENVID, q->envid, "-V", errors) : r;
}
