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

demo:
	sh scripts/setup demo
	$(MAKE) all
	sh examples/quickstart/demo

check:
	sh scripts/setup check
	sh scripts/check

# What CI runs: check, and the same with clang and under ASan and UBSan.
check-all:
	sh scripts/setup check
	sh scripts/check --all

# Peers that cannot be installed or started here are left out aloud.
bench:
	sh scripts/setup demo
	sh scripts/setup bench || echo "bench: not every peer could be installed"
	$(MAKE) all check-bin
	sh tests/bench/run

# Runs the tests of the suite that it names too, unless they have run with this tree.
conformance:
	sh scripts/setup check
	$(MAKE) all check-bin
	tests/conformance/report/run --slow -o CONFORMANCE.md

# Kills workers and residents at random for minutes, then programs at each of their system calls and without descriptors
# and memory, and counts what became of every message.
soak:
	sh scripts/setup check
	$(MAKE) all check-bin
	sh tests/soak/all

# What mail readers make of From fields that rights passes: READERS of them, from SEED.
READERS = 10000
SEED = 1
readers:
	sh scripts/setup check
	$(MAKE) all
	dir=$$(mktemp -d) && PATH=$$PWD/bin:$$PATH sh tests/tools/readers/run $(READERS) $(SEED) $$dir && rm -rf $$dir

# What becomes of thousands of messages from the tests of other programs, and of those in the directories CORPUS.
CORPUS =
corpus:
	sh scripts/setup corpus
	$(MAKE) all
	sh tests/corpus/fetch bin/corpus
	PATH=$$PWD/bin:$$PATH tests/corpus/run -n 500 bin/corpus $(CORPUS)

lint:
	sh scripts/setup lint
	sh scripts/lint
	sh scripts/analyze

fuzz:
	sh scripts/setup fuzz
	sh tests/fuzz/run

# More than a thousand one-line faults, one at a time: which test notices each? Hours.
mutants:
	sh scripts/setup check
	python3 tests/mutants/run

# Programs that are installed know where the words of a chain are; those of the tree rely on PATH.
install:
	$(MAKE) all LIBEXEC='$(PREFIX)/libexec/ucspi-msa'
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install

uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh scripts/install --remove

dist:
	sh scripts/dist

deb:
	sh scripts/setup deb
	sh scripts/deb

# The packages in a fresh Debian 12 that systemd-nspawn boots: installed, used, upgraded under load, purged. As root.
deb-check:
	sh scripts/setup deb-check
	sh scripts/deb-check

clean:
	rm -rf libmsa.a lib/base/program_impl.h lib/*/*.[od] cmd/*/*.[od] tests/*/*.[od] tests/tools/lib/*.[od] bin/*

.PHONY: all check-bin demo check check-all bench conformance soak readers corpus lint fuzz mutants install \
	uninstall dist deb deb-check clean
