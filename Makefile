# ucspi-msa. CFLAGS and LDFLAGS are yours. A new program is a folder cmd/NAME with a deps line (scripts/link), a new
# module a file lib/FOLDER/NAME.c with its header beside it (lib/README.md): nothing here has to change.
.POSIX:
.SUFFIXES:
.SUFFIXES: .c .o

PREFIX = /usr/local
CC = cc
CFLAGS = -O2 -g
WARN = -Wall -Wextra -Wshadow -Wpedantic -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wwrite-strings \
	-Wundef -Wformat=2 -Wvla
CPP_MSA = -std=c11 -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude -Ilib

LIB != ls lib/*/*.c | sed 's/c$$/o/'
OBJ != ls cmd/*/*.c | sed 's/c$$/o/'
SCRIPT != ls cmd/*/*.sh cmd/*/*.awk
BIN != ls -d cmd/*/ | sed 's|cmd/|bin/|; s|/$$||'
DEP != ls lib/*/*.d cmd/*/*.d 2>/dev/null || :

all: $(BIN)

.c.o:
	$(CC) $(CPP_MSA) $(WARN) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(DEP)

# The version and the directory of the words, for lib/base/program.c.
lib/base/program.o: lib/base/program_impl.h
lib/base/program_impl.h: FORCE
	sh scripts/installed '$(LIBEXEC)'
FORCE:

libmsa.a: $(LIB)
	rm -f $@
	ar rc $@ $(LIB)

$(BIN): libmsa.a $(OBJ) $(SCRIPT) scripts/link
	CC='$(CC)' CPP_MSA='$(CPP_MSA)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' sh scripts/link $(@F)

# The programs that only tests and benchmarks use.
check-bin: libmsa.a
	$(MAKE) -f tests/Makefile

# These install the packages that they need: scripts/target says what each does.
TARGET = demo check check-all lint bench conformance soak readers corpus fuzz mutants deb deb-check
$(TARGET):
	sh scripts/target $@

# Programs that are installed know where the words of a chain are; those of the tree rely on PATH.
install:
	$(MAKE) all LIBEXEC='$(PREFIX)/libexec/ucspi-msa'
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install

uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install --remove

dist:
	sh scripts/dist

clean:
	rm -rf libmsa.a lib/base/program_impl.h lib/*/*.[od] cmd/*/*.[od] tests/*/*.[od] tests/tools/lib/*.[od] bin/*

.PHONY: all check-bin $(TARGET) install uninstall dist clean
