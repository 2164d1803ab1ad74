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

LIB = lib/addr.o lib/buf.o lib/clock.o lib/conn.o lib/ehlo.o lib/envelope.o lib/facts.o lib/id.o lib/log.o \
	lib/message.o lib/os.o lib/param.o lib/peer.o lib/reply.o lib/stage.o lib/verb.o lib/verdict.o

BIN =

# Only for the tests: one driver for every module, tests/unit/NAME.c.
CHECK_BIN = bin/test-unit
UNIT = tests/unit/main.o tests/unit/addr.o tests/unit/buf.o tests/unit/clock.o tests/unit/conn.o tests/unit/ehlo.o \
	tests/unit/envelope.o tests/unit/facts.o tests/unit/id.o tests/unit/log.o tests/unit/message.o tests/unit/os.o \
	tests/unit/param.o tests/unit/peer.o tests/unit/reply.o tests/unit/stage.o tests/unit/verb.o tests/unit/verdict.o

all: $(BIN)

check-bin: $(CHECK_BIN)

.c.o:
	$(CC) $(CPP_MSA) $(WARN) $(CFLAGS) -c -o $@ $<

$(LIB): include/*.h

$(UNIT): include/*.h tests/unit/unit.h

libmsa.a: $(LIB)
	rm -f $@
	ar rc $@ $(LIB)

bin/test-unit: $(UNIT) libmsa.a
	mkdir -p bin
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(UNIT) libmsa.a

demo:
	sh scripts/setup demo
	$(MAKE) all
	sh examples/quickstart/demo

check:
	sh scripts/setup check
	sh tests/run

lint:
	sh scripts/lint

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8
	cp $(BIN) $(DESTDIR)$(PREFIX)/bin
	cp man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	cp cmd/*/*.8 $(DESTDIR)$(PREFIX)/share/man/man8

clean:
	rm -f libmsa.a lib/*.o cmd/*/*.o tests/unit/*.o bin/*

.PHONY: all check-bin demo check lint install clean
