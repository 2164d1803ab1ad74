# ucspi-msa. Targets: all demo check lint install clean. CFLAGS and LDFLAGS are yours.
.POSIX:
.SUFFIXES:
.SUFFIXES: .c .o

PREFIX = /usr/local
CC = cc
CFLAGS = -O2 -g
WARN = -Wall -Wextra -Wshadow -Wpedantic -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings \
	-Wundef -Wformat=2 -Wvla
CPP_MSA = -std=c11 -D_DEFAULT_SOURCE -Iinclude

# Only tlsd links libtls, only authd libsasl2: tests/links_test.sh looks.
LIBS_tlsd = -ltls
LIBS_authd = -lsasl2 -lcdb -lcrypto -lcrypt
LIBS_passwd = -lcdb -lcrypto -lcrypt
LIBS_cdb = -lcdb

LIB = lib/addr.o lib/buf.o lib/clock.o lib/conn.o lib/data.o lib/edit.o lib/ehlo.o lib/envelope.o lib/facts.o \
	lib/header.o lib/id.o lib/log.o lib/mailaddr.o lib/message.o lib/os.o lib/param.o lib/peer.o lib/reply.o \
	lib/stage.o lib/submission.o lib/table.o lib/transaction.o lib/verb.o lib/verdict.o

BIN = bin/submitd bin/qualify

# A command's own objects.
QUALIFY = cmd/qualify/qualify.o cmd/qualify/complete.o

# What only the tests run.
CHECK_BIN = bin/test-header bin/test-table

all: $(BIN)

check-bin: $(CHECK_BIN)

.c.o:
	$(CC) $(CPP_MSA) $(WARN) $(CFLAGS) -c -o $@ $<

$(LIB) $(QUALIFY): include/*.h

libmsa.a: $(LIB)
	rm -f $@
	ar rc $@ $(LIB)

bin/submitd: cmd/submitd/submitd.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ cmd/submitd/submitd.o libmsa.a

bin/qualify: $(QUALIFY) libmsa.a
	$(CC) $(LDFLAGS) -o $@ $(QUALIFY) libmsa.a $(LIBS_cdb)

$(QUALIFY): cmd/qualify/complete.h

bin/test-header: tests/tools/test-header.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ tests/tools/test-header.o libmsa.a

bin/test-table: tests/tools/test-table.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ tests/tools/test-table.o libmsa.a $(LIBS_cdb)

tests/tools/test-header.o tests/tools/test-table.o: include/*.h

demo:
	sh scripts/setup demo
	$(MAKE) all
	sh examples/quickstart/demo

check:
	sh scripts/setup check
	sh scripts/check

lint:
	sh scripts/lint

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8
	cp $(BIN) $(DESTDIR)$(PREFIX)/bin
	cp man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	cp cmd/*/*.8 $(DESTDIR)$(PREFIX)/share/man/man8

clean:
	rm -f libmsa.a lib/*.o cmd/*/*.o tests/tools/*.o bin/*

.PHONY: all check-bin demo check lint install clean
