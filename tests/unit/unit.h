/* ISC licence, see LICENSE. */
#ifndef UNIT_H
#define UNIT_H

#include <stddef.h>

/*
 * bin/test-unit NAME [arg ...]: a module's functions, driven by lines of standard input, so that a test is a table in
 * shell. One program for all modules; each tests/unit/NAME.c has the function below that main calls.
 */

/*
 * The next line of standard input without its LF, the escapes \r \n \t \0 \\ \xHH undone. Owned by the caller, *len
 * octets and a NUL in storage of exactly that size, so that a sanitizer sees each octet read too many. NULL at the end.
 * raw, where not NULL, gets the line as it stood (owned by the caller).
 */
char *unit_line(size_t *len, char **raw);

/* Undo the escapes of s in place; the length. */
size_t unit_unescape(char *s);

/* n octets on standard output, with escapes for what is not graphic ASCII or a space. */
void unit_show(const void *data, size_t n);

int unit_addr(int argc, char **argv);
int unit_admission(int argc, char **argv);
int unit_base64(int argc, char **argv);
int unit_buf(int argc, char **argv);
int unit_clock(int argc, char **argv);
int unit_lineio(int argc, char **argv);
int unit_smtpdata(int argc, char **argv);
int unit_datetime(int argc, char **argv);
int unit_downgrade(int argc, char **argv);
int unit_ehlo(int argc, char **argv);
int unit_envelope(int argc, char **argv);
int unit_facts(int argc, char **argv);
int unit_file(int argc, char **argv);
int unit_header(int argc, char **argv);
int unit_id(int argc, char **argv);
int unit_log(int argc, char **argv);
int unit_logline(int argc, char **argv);
int unit_logtime(int argc, char **argv);
int unit_merge(int argc, char **argv);
int unit_milter(int argc, char **argv);
int unit_msgfile(int argc, char **argv);
int unit_net(int argc, char **argv);
int unit_number(int argc, char **argv);
int unit_oauth(int argc, char **argv);
int unit_offerfile(int argc, char **argv);
int unit_os(int argc, char **argv);
int unit_param(int argc, char **argv);
int unit_passcache(int argc, char **argv);
int unit_peer(int argc, char **argv);
int unit_penalty(int argc, char **argv);
int unit_policy(int argc, char **argv);
int unit_proof(int argc, char **argv);
int unit_readdress(int argc, char **argv);
int unit_recode(int argc, char **argv);
int unit_received(int argc, char **argv);
int unit_relaxed(int argc, char **argv);
int unit_reply(int argc, char **argv);
int unit_resent(int argc, char **argv);
int unit_saslprep(int argc, char **argv);
int unit_stage(int argc, char **argv);
int unit_standby(int argc, char **argv);
int unit_strictlist(int argc, char **argv);
int unit_table(int argc, char **argv);
int unit_veil(int argc, char **argv);
int unit_verb(int argc, char **argv);
int unit_verdict(int argc, char **argv);

#endif
