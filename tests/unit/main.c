/* ISC licence, see LICENSE. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} units[] = {
	{ "addr", unit_addr },
	{ "admission", unit_admission },
	{ "base64", unit_base64 },
	{ "buf", unit_buf },
	{ "clock", unit_clock },
	{ "lineio", unit_lineio },
	{ "smtpdata", unit_smtpdata },
	{ "datetime", unit_datetime },
	{ "downgrade", unit_downgrade },
	{ "ehlo", unit_ehlo },
	{ "envelope", unit_envelope },
	{ "facts", unit_facts },
	{ "file", unit_file },
	{ "header", unit_header },
	{ "id", unit_id },
	{ "log", unit_log },
	{ "logline", unit_logline },
	{ "logtime", unit_logtime },
	{ "merge", unit_merge },
	{ "milter", unit_milter },
	{ "msgfile", unit_msgfile },
	{ "net", unit_net },
	{ "number", unit_number },
	{ "oauth", unit_oauth },
	{ "offerfile", unit_offerfile },
	{ "os", unit_os },
	{ "param", unit_param },
	{ "passcache", unit_passcache },
	{ "peer", unit_peer },
	{ "penalty", unit_penalty },
	{ "policy", unit_policy },
	{ "proof", unit_proof },
	{ "readdress", unit_readdress },
	{ "recode", unit_recode },
	{ "received", unit_received },
	{ "relaxed", unit_relaxed },
	{ "reply", unit_reply },
	{ "resent", unit_resent },
	{ "saslprep", unit_saslprep },
	{ "stage", unit_stage },
	{ "standby", unit_standby },
	{ "strictlist", unit_strictlist },
	{ "table", unit_table },
	{ "veil", unit_veil },
	{ "verb", unit_verb },
	{ "verdict", unit_verdict },
};

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

size_t
unit_unescape(char *text)
{
	static const char names[] = "rnt0\\", values[] = "\r\n\t\0\\";
	const char *s = text, *p;
	size_t len = 0;

	while (*s) {
		if (*s == '\\' && s[1] == 'x' && hex(s[2]) >= 0 && hex(s[3]) >= 0) {
			text[len++] = (char)(hex(s[2]) * 16 + hex(s[3]));
			s += 4;
		} else if (*s == '\\' && s[1] && (p = strchr(names, s[1]))) {
			text[len++] = values[p - names];
			s += 2;
		} else
			text[len++] = *s++;
	}
	text[len] = '\0';
	return len;
}

char *
unit_line(size_t *len, char **raw)
{
	char *line = NULL, *exact;
	size_t cap = 0;
	ssize_t n = getline(&line, &cap, stdin);

	if (n < 0) {
		free(line);
		return NULL;
	}
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	if (raw)
		*raw = strdup(line);
	*len = unit_unescape(line);
	exact = malloc(*len + 1);
	if (exact)
		memcpy(exact, line, *len + 1);
	free(line);
	return exact;
}

void
unit_show(const void *data, size_t n)
{
	const unsigned char *s = data;

	for (; n > 0; s++, n--) {
		if (*s == '\r')
			fputs("\\r", stdout);
		else if (*s == '\n')
			fputs("\\n", stdout);
		else if (*s == '\\')
			fputs("\\\\", stdout);
		else if (*s < ' ' || *s > '~')
			printf("\\x%02x", *s);
		else
			putchar(*s);
	}
}

int
main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].name, argv[1]) == 0)
			return units[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: test-unit module [arg ...]\n");
	return 100;
}
