# ucspi-msa. Targets: all demo check bench conformance soak lint fuzz install clean. CFLAGS and LDFLAGS are yours.
.POSIX:
.SUFFIXES:
.SUFFIXES: .c .o

PREFIX = /usr/local
CC = cc
CFLAGS = -O2 -g
WARN = -Wall -Wextra -Wshadow -Wpedantic -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings \
	-Wundef -Wformat=2 -Wvla
CPP_MSA = -std=c11 -D_DEFAULT_SOURCE -Iinclude

# Only tlsd and tlsc link libtls, only authd and saslc libsasl2: tests/links_test.sh looks.
LIBS_tlsd = -ltls -lcrypto
LIBS_tlsc = -ltls
LIBS_saslc = -lsasl2
LIBS_authd = -lsasl2 -lcdb -lcrypto -lcrypt
LIBS_passwd = -lcdb -lcrypto -lcrypt
LIBS_cdb = -lcdb
LIBS_unit = -lcdb

# Bound at start and then read-only: safer, and a page that a resident's workers share and do not each make their own.
LINK = -Wl,-z,relro,-z,now

LIB = lib/addr.o lib/base64.o lib/buf.o lib/child.o lib/cleartext.o lib/client.o lib/clientauth.o lib/clock.o \
	lib/conn.o lib/data.o lib/delivery.o lib/domains.o lib/dsn.o lib/edit.o lib/ehlo.o lib/envelope.o \
	lib/events.o lib/exchange.o lib/external.o lib/facts.o lib/handover.o lib/header.o lib/helper.o lib/id.o \
	lib/injector.o lib/intake.o lib/joined.o lib/listener.o lib/log.o lib/mailaddr.o lib/maildir.o \
	lib/mailing.o lib/message.o lib/msgtext.o lib/next.o lib/nexthop.o lib/options.o lib/os.o lib/param.o \
	lib/peer.o lib/pool.o lib/proxyhdr.o lib/quota.o lib/ready.o lib/received.o lib/refusals.o lib/relay.o \
	lib/reply.o lib/report.o lib/rules.o lib/sasl.o lib/side.o lib/spool.o lib/spooled.o lib/stage.o \
	lib/starter.o lib/submission.o lib/table.o lib/tail.o lib/tlsconf.o lib/tlslink.o lib/tlspump.o \
	lib/tlsserver.o lib/tlsstate.o lib/tlsstep.o lib/tlsworker.o lib/transaction.o lib/userdb.o lib/usertable.o \
	lib/verb.o lib/verdict.o

BIN = bin/authd bin/bounce bin/call bin/envelope bin/filter bin/inline bin/limit bin/lmtp-inject \
	bin/maildir-inject bin/msa-passwd bin/qualify bin/resume bin/rewind bin/rights bin/route bin/saslc \
	bin/smtp-inject bin/spool bin/spoold bin/stamp bin/submitd bin/tlsc bin/tlsd bin/trace

OBJ = cmd/authd/authd.o cmd/authd/dialogue.o cmd/bounce/bounce.o cmd/bounce/main.o cmd/call/call.o \
	cmd/envelope/envelope.o cmd/filter/filter.o cmd/inline/inline.o cmd/limit/counts.o cmd/limit/limit.o \
	cmd/limit/main.o cmd/lmtp-inject/lmtp-inject.o cmd/lmtp-inject/main.o cmd/maildir-inject/maildir-inject.o cmd/maildir-inject/main.o \
	cmd/msa-passwd/msa-passwd.o cmd/qualify/complete.o cmd/qualify/main.o cmd/qualify/qualify.o \
	cmd/resume/resume.o cmd/resume/session.o cmd/rewind/rewind.o cmd/rights/main.o cmd/rights/rights.o \
	cmd/rights/senders.o cmd/route/route.o cmd/saslc/saslc.o cmd/smtp-inject/main.o \
	cmd/smtp-inject/smtp-inject.o cmd/spool/list.o cmd/spool/main.o cmd/spool/spool.o \
	cmd/spoold/agenda.o cmd/spoold/round.o cmd/spoold/spoold.o cmd/stamp/main.o cmd/stamp/stamp.o \
	cmd/submitd/main.o cmd/submitd/submitd.o cmd/tlsc/pump.o cmd/tlsc/tlsc.o cmd/tlsd/tlsd.o cmd/trace/main.o \
	cmd/trace/trace.o

# The stages that inline has in it.
INLINE = cmd/bounce/bounce.o cmd/limit/counts.o cmd/limit/limit.o cmd/lmtp-inject/lmtp-inject.o \
	cmd/maildir-inject/maildir-inject.o cmd/qualify/complete.o cmd/qualify/qualify.o cmd/rights/rights.o cmd/rights/senders.o \
	cmd/smtp-inject/smtp-inject.o cmd/spool/list.o cmd/spool/spool.o \
	cmd/stamp/stamp.o cmd/submitd/submitd.o cmd/trace/trace.o

# Only for the tests: bin/test-unit has a driver for each module, tests/unit/NAME.c.
CHECK_BIN = bin/test-unit bin/killat bin/lmtp-keep bin/pumps bin/test-data bin/test-header bin/test-table
UNIT = tests/unit/addr.o tests/unit/buf.o tests/unit/clock.o tests/unit/conn.o tests/unit/ehlo.o \
	tests/unit/envelope.o tests/unit/facts.o tests/unit/id.o tests/unit/log.o tests/unit/main.o \
	tests/unit/message.o tests/unit/os.o tests/unit/param.o tests/unit/peer.o tests/unit/reply.o \
	tests/unit/stage.o tests/unit/verb.o tests/unit/verdict.o
TOOL = tests/tools/killat.o tests/tools/lmtp-keep.o tests/tools/pumps.o tests/tools/test-data.o tests/tools/test-header.o \
	tests/tools/test-table.o

# The tools of the benchmark, which the tests use too.
BENCH_BIN = bin/bench-floor bin/bench-keep bin/bench-load bin/bench-sink bin/bench-stage

all: $(BIN)

.c.o:
	$(CC) $(CPP_MSA) $(WARN) $(CFLAGS) -c -o $@ $<

$(LIB) $(OBJ) $(UNIT) $(TOOL): include/*.h cmd/authd/dialogue.h cmd/limit/counts.h cmd/qualify/complete.h cmd/resume/session.h \
	cmd/rights/senders.h cmd/spool/list.h cmd/spoold/agenda.h cmd/spoold/round.h cmd/tlsc/pump.h tests/unit/unit.h

libmsa.a: $(LIB)
	rm -f $@
	ar rc $@ $(LIB)

bin/authd: cmd/authd/authd.o cmd/authd/dialogue.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/authd/authd.o cmd/authd/dialogue.o libmsa.a $(LIBS_authd)
bin/bounce: cmd/bounce/bounce.o cmd/bounce/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/bounce/bounce.o cmd/bounce/main.o libmsa.a
bin/call: cmd/call/call.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/call/call.o libmsa.a
bin/envelope: cmd/envelope/envelope.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/envelope/envelope.o libmsa.a
bin/filter: cmd/filter/filter.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/filter/filter.o libmsa.a
bin/inline: cmd/inline/inline.o $(INLINE) libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/inline/inline.o $(INLINE) libmsa.a $(LIBS_cdb)
bin/limit: cmd/limit/limit.o cmd/limit/counts.o cmd/limit/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/limit/limit.o cmd/limit/counts.o cmd/limit/main.o libmsa.a $(LIBS_cdb)
bin/lmtp-inject: cmd/lmtp-inject/lmtp-inject.o cmd/lmtp-inject/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/lmtp-inject/lmtp-inject.o cmd/lmtp-inject/main.o libmsa.a
bin/maildir-inject: cmd/maildir-inject/maildir-inject.o cmd/maildir-inject/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/maildir-inject/maildir-inject.o cmd/maildir-inject/main.o libmsa.a
bin/msa-passwd: cmd/msa-passwd/msa-passwd.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/msa-passwd/msa-passwd.o libmsa.a $(LIBS_passwd)
bin/qualify: cmd/qualify/complete.o cmd/qualify/qualify.o cmd/qualify/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/qualify/complete.o cmd/qualify/qualify.o cmd/qualify/main.o libmsa.a $(LIBS_cdb)
bin/resume: cmd/resume/resume.o cmd/resume/session.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/resume/resume.o cmd/resume/session.o libmsa.a
bin/rewind: cmd/rewind/rewind.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/rewind/rewind.o libmsa.a
bin/rights: cmd/rights/rights.o cmd/rights/senders.o cmd/rights/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/rights/rights.o cmd/rights/senders.o cmd/rights/main.o libmsa.a $(LIBS_cdb)
bin/route: cmd/route/route.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/route/route.o libmsa.a $(LIBS_cdb)
bin/saslc: cmd/saslc/saslc.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/saslc/saslc.o libmsa.a $(LIBS_saslc)
bin/smtp-inject: cmd/smtp-inject/smtp-inject.o cmd/smtp-inject/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/smtp-inject/smtp-inject.o cmd/smtp-inject/main.o libmsa.a
bin/spool: cmd/spool/list.o cmd/spool/spool.o cmd/spool/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/spool/list.o cmd/spool/spool.o cmd/spool/main.o libmsa.a
bin/spoold: cmd/spoold/agenda.o cmd/spoold/round.o cmd/spoold/spoold.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/spoold/agenda.o cmd/spoold/round.o cmd/spoold/spoold.o libmsa.a
bin/stamp: cmd/stamp/stamp.o cmd/stamp/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/stamp/stamp.o cmd/stamp/main.o libmsa.a
bin/submitd: cmd/submitd/submitd.o cmd/submitd/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/submitd/submitd.o cmd/submitd/main.o libmsa.a $(LIBS_cdb)
bin/tlsc: cmd/tlsc/tlsc.o cmd/tlsc/pump.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/tlsc/tlsc.o cmd/tlsc/pump.o libmsa.a $(LIBS_tlsc)
bin/tlsd: cmd/tlsd/tlsd.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/tlsd/tlsd.o libmsa.a $(LIBS_tlsd) $(LIBS_cdb)
bin/trace: cmd/trace/trace.o cmd/trace/main.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ cmd/trace/trace.o cmd/trace/main.o libmsa.a

check-bin: $(CHECK_BIN) $(BENCH_BIN)

bin/test-unit: $(UNIT) libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $(UNIT) libmsa.a $(LIBS_unit)
bin/killat: tests/tools/killat.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/killat.o
bin/lmtp-keep: tests/tools/lmtp-keep.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/lmtp-keep.o libmsa.a
bin/pumps: tests/tools/pumps.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/pumps.o libmsa.a $(LIBS_tlsd)
bin/test-data: tests/tools/test-data.o lib/data.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/test-data.o lib/data.o
bin/test-header: tests/tools/test-header.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/test-header.o libmsa.a
bin/test-table: tests/tools/test-table.o libmsa.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/tools/test-table.o libmsa.a $(LIBS_cdb)
bin/bench-floor: tests/bench/floor.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/bench/floor.o $(LIBS_tlsd)
bin/bench-keep: tests/bench/keep.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/bench/keep.o
bin/bench-load: tests/bench/load.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/bench/load.o -lssl -lcrypto
bin/bench-sink: tests/bench/sink.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/bench/sink.o
bin/bench-stage: tests/bench/stage.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ tests/bench/stage.o libmsa.a

demo:
	sh scripts/setup demo
	$(MAKE) all
	sh examples/quickstart/demo

check:
	sh scripts/setup check
	sh scripts/check

# Peers that cannot be installed or started here are left out aloud.
bench:
	sh scripts/setup demo
	sh scripts/setup bench || echo "bench: not every peer could be installed"
	$(MAKE) all check-bin
	sh tests/bench/run

conformance:
	sh scripts/setup demo
	sh scripts/setup conformance || echo "conformance: Postfix could not be installed"
	$(MAKE) all
	tests/conformance/report/run --slow -o CONFORMANCE.md

# Kills workers and residents at random for minutes, then programs at each of their system calls and without descriptors
# and memory, and counts what became of every message.
soak:
	sh scripts/setup check
	$(MAKE) all check-bin
	tests/soak/run
	tests/soak/run -i
	tests/soak/spool
	tests/soak/faults kill
	tests/soak/faults files
	tests/soak/faults memory

lint:
	sh scripts/lint

fuzz:
	sh tests/fuzz/run

install: all
	install -d -m 755 $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 cmd/*/*.8 $(DESTDIR)$(PREFIX)/share/man/man8

clean:
	rm -rf libmsa.a lib/*.o cmd/*/*.o tests/unit/*.o tests/tools/*.o tests/bench/*.o bin/*

.PHONY: all check-bin demo check bench conformance soak lint fuzz install clean
