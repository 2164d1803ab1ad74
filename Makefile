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

LIB = lib/addr.o lib/buf.o lib/clock.o lib/conn.o lib/data.o lib/delivery.o lib/ehlo.o lib/envelope.o lib/facts.o \
	lib/id.o lib/lmtp.o lib/log.o lib/maildir.o lib/message.o lib/os.o lib/param.o lib/peer.o lib/reply.o lib/stage.o lib/submission.o lib/transaction.o \
	lib/verb.o lib/verdict.o

BIN = bin/lmtp-inject bin/maildir-inject bin/submitd

all: $(BIN)

.c.o:
	$(CC) $(CPP_MSA) $(WARN) $(CFLAGS) -c -o $@ $<

$(LIB) cmd/lmtp-inject/lmtp-inject.o cmd/maildir-inject/maildir-inject.o: include/*.h

libmsa.a: $(LIB)
	rm -f $@
	ar rc $@ $(LIB)

bin/lmtp-inject: cmd/lmtp-inject/lmtp-inject.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ cmd/lmtp-inject/lmtp-inject.o libmsa.a

bin/maildir-inject: cmd/maildir-inject/maildir-inject.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ cmd/maildir-inject/maildir-inject.o libmsa.a

bin/submitd: cmd/submitd/submitd.o libmsa.a
	$(CC) $(LDFLAGS) -o $@ cmd/submitd/submitd.o libmsa.a

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
	rm -f libmsa.a lib/*.o cmd/*/*.o bin/*

.PHONY: all demo check lint install clean
