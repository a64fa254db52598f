# What people type. Everything is set up on the way: `make run` on a fresh machine, then `make test`.
#
#   make run                             set up, build, and find the outliers of the Nile series
#   make test                            set up, and pass all tests
#   make PYTHON=/path/to/python3.13 test the same against another CPython (3.9 to 3.13)
#   make help                            the other targets

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run native static test test-swift test-python storm asan tsan matrix instructions bench bench-picture profile soak fuzz lint format docs clean

# PYTHON chooses the CPython to link; otherwise it is the one that pkg-config names (PKG_CONFIG_PATH is honoured). Each has a
# build folder and a virtual environment of its own.
ifdef PYTHON
export PKG_CONFIG_PATH := $(shell '$(PYTHON)' -c 'import sysconfig; print(sysconfig.get_config_var("LIBPC"))')
# $(shell) does not see what is exported.
pkg_config = PKG_CONFIG_PATH='$(PKG_CONFIG_PATH)' pkg-config
LINKED := $(shell '$(PYTHON)' -c 'import sysconfig; print(sysconfig.get_python_version())')
ifeq ($(wildcard $(PKG_CONFIG_PATH)/python3-embed.pc),)
$(error PYTHON=$(PYTHON) is no CPython that can be embedded: it has no python3-embed.pc)
endif
BUILD := .build-$(LINKED)
VENV := $(BUILD)/.venv
else
pkg_config = pkg-config
BUILD := .build
VENV := .venv
endif

# The libpython is found at run time where it was found at link time.
libdir = $(shell $(pkg_config) --variable=libdir python3-embed)
SWIFT_FLAGS = --scratch-path $(BUILD) -Xlinker -rpath -Xlinker '$(libdir)'
PROGRAM := $(BUILD)/release/outliers
LIBRARY := $(BUILD)/release/libOutliersNative.so
# The environment for what is run: the right packages, and nothing of the user's own Python.
RUN = VIRTUAL_ENV="$$PWD/$(VENV)" PYTHONDONTWRITEBYTECODE=1

help:
	@printf '%s\n' 'run     set up, build, and find the outliers of a real series' \
	  'native  the program and the library that Python calls, in the release folder of the build' \
	  'static  the program with the Swift runtime in it, for a machine without Swift' \
	  'test    set up, and pass all tests (Swift, pytest, the program)' \
	  'lint    swift format, clang-format and ruff, strictly' \
	  'format  the same tools, mending' \
	  'storm   a million calls of all kinds from many threads, and 20 000 of workers that die (STORM_SEED=n repeats one)' \
	  'asan    the tests under AddressSanitizer, which finds leaks too' \
	  'tsan    the tests under ThreadSanitizer' \
	  'matrix  the tests against every CPython from 3.9 to 3.13 that is found' \
	  'instructions  those of one call of each kind, beside the stored ones (UPDATE=1 stores them)' \
	  'bench   calls and latencies beside plain C, detections on two threads, and Swift called from Python beside numpy' \
	  'bench-picture  the picture of all engines in the README, and the table for it' \
	  'profile where the memory of one detection goes, by engine, with a picture' \
	  'soak    one call over and over for a minute, and whether it leaks (SECONDS=3600 for an hour), with a picture' \
	  'fuzz    ten million array layouts, and files for the .npy reader, beside numpy (SECONDS=60 for less)' \
	  'docs    the documentation, without a warning' \
	  'clean   remove what was built'

# MARK: Setup

PACKAGES := libpython3-dev pkg-config python3-venv
LINT_TOOLS := ruff==0.14.4 clang-format==21.1.2

# The python of the libpython that is linked. Not the one on the PATH, which may be another version.
linked_python = $(shell $(pkg_config) --variable=prefix python3-embed)/bin/python$(shell $(pkg_config) --modversion python3-embed)

# CPython's development files, and a python that can make virtual environments. Debian's packages are installed by root; anyone
# else is shown the command.
define install_packages
@case "$$PWD" in *\"*|*\\*) echo 'make: SwiftPM cannot build in a directory with a double quote or a backslash in its path' >&2; exit 64;; esac
@command -v swift >/dev/null || { echo 'make: Swift is missing: install it from swift.org' >&2; exit 69; }
@if pkg-config --exists python3-embed 2>/dev/null && '$(linked_python)' -c 'import ensurepip, venv' 2>/dev/null; then :; \
elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PACKAGES); \
else \
  echo 'make: the files to embed CPython are missing: sudo apt-get install -y $(PACKAGES)' >&2; exit 69; \
fi
endef

setup: $(VENV)/ready-to-run

$(VENV)/ready-to-run: pyoutliers/pyproject.toml
	$(install_packages)
	$(MAKE) --no-print-directory $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'numpy>=1.26' 'matplotlib>=3.8'
	@touch $@

$(VENV)/bin/python:
	'$(linked_python)' -m venv $(VENV)

$(VENV)/ready-to-test: $(VENV)/ready-to-run Makefile
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check pytest scipy pyarrow polars
	@touch $@

$(VENV)/ready-to-lint: $(VENV)/ready-to-run Makefile
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(LINT_TOOLS)
	@touch $@

# MARK: Run and test

run: setup
	swift build $(SWIFT_FLAGS) -c release --product outliers
	@echo
	$(RUN) $(PROGRAM) detect Tests/Fixtures/nile.csv --column volume

test: test-swift test-python

# What Python calls: the program, and the library that has the Swift runtime in it and needs no libpython.
native: setup
	swift build $(SWIFT_FLAGS) -c release --product outliers
	swift build $(SWIFT_FLAGS) -c release --product OutliersNative

# The program for a machine without Swift, in a folder of its own. It is tried with nothing in its environment.
STATIC := $(BUILD)-static
static: setup
	swift build $(subst $(BUILD),$(STATIC),$(SWIFT_FLAGS)) -c release --static-swift-stdlib --product outliers
	! ldd $(STATIC)/release/outliers | grep -e libswift -e 'not found'
	env -i $(STATIC)/release/outliers detect Tests/Fixtures/nile.csv --column volume --engine native --indices

# Processes are held to their times, and what they hold is counted: those tests run one after the other, in a process of their own. What
# failed is told again at the end, where it is found.
TEST = $(RUN) OUTLIERS_PROGRAM=$(PROGRAM) swift test $(SWIFT_FLAGS) --skip-build --disable-xctest
test-swift: $(VENV)/ready-to-test native
	swift build $(SWIFT_FLAGS) --build-tests
	@set -o pipefail; { $(TEST) --skip PythonWorkersTests && $(TEST) --no-parallel --filter PythonWorkersTests; } 2>&1 | tee $(BUILD)/test.log || \
	  { echo; grep -h -A 3 -e 'recorded an issue' -e 'error:' $(BUILD)/test.log | grep -v -e '^. Test .* started' -e passed; exit 1; }

test-python: $(VENV)/ready-to-test native
	$(RUN) OUTLIERS_PROGRAM="$$PWD/$(PROGRAM)" OUTLIERS_NATIVE_LIBRARY="$$PWD/$(LIBRARY)" $(VENV)/bin/python -m pytest -q pyoutliers

# `make test` has them with a tenth of the calls.
storm: $(VENV)/ready-to-test
	swift build $(SWIFT_FLAGS) --build-tests
	$(RUN) STORM_CALLS=1000000 timeout 600 swift test $(SWIFT_FLAGS) --skip-build --disable-xctest --filter PythonBridgeTests.StormTests
	$(RUN) WORKER_STORM_CALLS=20000 timeout 900 swift test $(SWIFT_FLAGS) --skip-build --disable-xctest --filter WorkerStormTests

# The programs that the tests start are instrumented too. Left to `make test` are the file of ten million rows, the README's program
# and a second library, which are built without a sanitizer, and what forks: in the child LeakSanitizer misses the threads that hold memory, and
# ThreadSanitizer ends one that starts a thread. Under ThreadSanitizer the program too, and what loads polars, whose allocator starts a
# thread that it does not know and crashes on. So too a library with a Swift runtime of its own, what only compares numbers,
# what counts threads or holds its times to a quarter of a second, and millions of calls on one thread.
SANITIZED_TEST = swift test $(1) --disable-xctest --skip 'ten million' --skip ReadmeTests --skip TwoLibrariesTests --skip ForkTests

# Each process is searched for leaks at its end; not those where somebody else has started Python, which hides what it holds in arenas of
# its own, where CPython loses what a daemon thread had when it ends, and that end by exit() while they hold an error. Nor what measures
# the program's memory, of which AddressSanitizer keeps what was freed, or how much there is after a million calls; nor text, which is read
# without a pointer, and what `make fuzz` has; nor what starts the program over and over for its words. One test at a time, since a test's
# time limit does not know of the others.
asan: $(VENV)/ready-to-test
	$(RUN) ASAN_OPTIONS=detect_leaks=1:handle_sigbus=0 \
	  LSAN_OPTIONS="suppressions=$$PWD/Tests/Fixtures/lsan.supp:print_suppressions=0" \
	  $(call SANITIZED_TEST,$(subst $(BUILD),$(BUILD)-asan,$(SWIFT_FLAGS)) --sanitize=address --no-parallel) --skip AdoptionTests \
	  --skip 'daemon thread of the last one' --skip 'a stop that runs out of time' --skip SoakTests --skip ProfileTests \
	  --skip BenchTests --skip LargeInputTests --skip DelimitedTextTests --skip FormatTests --skip NumpyFileTests \
	  --skip PythonBridgeTests.MemoryTests --skip OutliersCommandTests.OutputTests --skip OutliersCommandTests.ProgressTests \
	  --skip OutliersCommandTests.EnvironmentTests --skip OutliersCommandTests.DemoTests

tsan: $(VENV)/ready-to-test
	$(RUN) TSAN_OPTIONS="handle_sigbus=0:suppressions=$$PWD/Tests/Fixtures/tsan.supp" \
	  $(call SANITIZED_TEST,$(subst $(BUILD),$(BUILD)-tsan,$(SWIFT_FLAGS)) --sanitize=thread --no-parallel) --skip OutliersCommandTests \
	  --skip InterchangeTests --skip AgreementTests --skip NativeLibraryTests --skip ScriptLeakTests --skip WorkerStormTests \
	  --skip PythonBridgeTests.MemoryTests

# One CPython of each minor version, if it is a shared library that can be embedded.
matrix:
	@found=; for minor in 9 10 11 12 13; do \
	  for python in "$$(command -v python3.$$minor)" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor.*/bin/python3.$$minor; do \
	    pc="$$("$$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBPC"))' 2>/dev/null)" || continue; \
	    [ -f "$$pc/python3-embed.pc" ] || continue; \
	    found="$$found $$python"; echo "== $$python"; \
	    $(MAKE) --no-print-directory PYTHON="$$python" test || exit 1; \
	    break; \
	  done; \
	done; \
	[ -n "$$found" ] || { echo 'make: no CPython from 3.9 to 3.13 was found that can be embedded' >&2; exit 69; }; \
	echo "passed with:$$found"

BENCHMARKS = --package-path Tests/Benchmarks --scratch-path $(BUILD)-bench -Xlinker -rpath -Xlinker '$(libdir)'

# What one call executes, which is the same on a busy machine: more than 3 % above Tests/Benchmarks/instructions.json is an error.
instructions: setup
	@command -v valgrind >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -q -y --no-install-recommends valgrind; } || \
	  { echo 'make: valgrind is missing: sudo apt-get install -y valgrind' >&2; exit 69; }
	swift build $(BENCHMARKS) -c release --product CallCosts
	$(VENV)/bin/python Tests/Benchmarks/instructions.py $(BUILD)-bench/release/CallCosts $(if $(UPDATE),--update)

# Ratios of times, each measured by turns in one run, beside those of the stored run: a quarter more is an error (exit code 2; 4, a
# quarter less, is none). UPDATE=1 stores this run.
bench: native
	$(RUN) OUTLIERS_NATIVE_LIBRARY="$$PWD/$(LIBRARY)" $(VENV)/bin/python -m Tests.Benchmarks.native
	$(RUN) PATH="$$PATH" swift package $(BENCHMARKS) --disable-sandbox $(if $(UPDATE),--allow-writing-to-package-directory) \
	  benchmark $(if $(UPDATE),baseline update stored,baseline check stored) --target Speed || [ $$? = 4 ]

# Some one minute, on a quiet machine.
bench-picture: native
	$(RUN) $(PROGRAM) bench --plot Tests/Benchmarks/bench.png

profile soak: setup
	swift build $(SWIFT_FLAGS) -c release --product outliers
	@echo
	$(RUN) $(PROGRAM) $@ $(if $(filter soak,$@),--trim --seconds $(or $(SECONDS),60)) --plot $(BUILD)/$@.svg
	@echo; echo 'The picture: $(BUILD)/$@.svg'

# Array layouts against numpy's answers, and the .npy reader, guided by libFuzzer, against numpy's reader. A run without SECONDS takes
# ten minutes or so; with it, that many seconds and no more. FUZZ_SEED=n repeats what a run did that printed it.
#
# Of all descriptors are compared: whether they are an array, its shape, strides, contiguity and offset, and up to a hundred
# elements. One in ten is passed to Python as well, shared, read-only and lent, and comes back; and for each fifty, numpy makes an
# array of its own for Swift to read.
#
# The reader is not fuzzed under AddressSanitizer: SwiftPM passes the two sanitizers in no fixed order, and in one of them swiftc
# leaves out the coverage that guides libFuzzer. What it reads is checked for bounds anyway.
FUZZ_SEED := $(or $(FUZZ_SEED),$(shell date +%s))
fuzz: setup
	swift build $(call FUZZER,,Layouts)
	swift build $(call FUZZER,-npy,NumpyFile) --sanitize=fuzzer
	$(RUN) FUZZ_SEED=$(FUZZ_SEED) $(BUILD)-fuzz/release/Layouts 10000000 $(if $(SECONDS),$$(($(SECONDS) / 2)),3600)
	rm -rf $(BUILD)-fuzz-npy/corpus
	$(RUN) $(VENV)/bin/python -m Tests.Fixtures.npy $(BUILD)-fuzz-npy/corpus
	@# Without Swift's own handler of signals, which would keep libFuzzer's from writing the file down.
	set -o pipefail; $(RUN) SWIFT_BACKTRACE=enable=no $(BUILD)-fuzz-npy/release/NumpyFile $(BUILD)-fuzz-npy/corpus -seed=$(FUZZ_SEED) \
	  -max_total_time=$(if $(SECONDS),$$(($(SECONDS) / 2)),180) -dict=Tests/Fixtures/npy.dict -max_len=12000 -timeout=10 \
	  -artifact_prefix=$(BUILD)-fuzz-npy/ -verbosity=0 -print_final_stats=1 2>&1 | \
	  sed '/^###### Recommended/,/^###### End/d'

FUZZER = $(subst $(BUILD),$(BUILD)-fuzz$(1),$(SWIFT_FLAGS)) --package-path Tests/Fuzzing -c release --product $(2)

# MARK: Care

SWIFT_SOURCES := Package.swift Sources Tests
# What the workers run is no package of its own.
WORKER_RULES := --line-length 120 --target-version py39
C_SOURCES := $(wildcard CShim/*.c CShim/*.h CShim/include/*.h Sources/CSearch/*.c Sources/CSearch/include/*.h)

lint: $(VENV)/ready-to-lint
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)
	$(VENV)/bin/clang-format --dry-run --Werror $(C_SOURCES)
	$(VENV)/bin/ruff check pyoutliers
	$(VENV)/bin/ruff format --check pyoutliers
	$(VENV)/bin/ruff check $(WORKER_RULES) --select E,F,I,UP,B,SIM,RUF Sources/PythonWorkers/worker.py
	$(VENV)/bin/ruff format --check $(WORKER_RULES) Sources/PythonWorkers/worker.py

format: $(VENV)/ready-to-lint
	swift format --in-place --recursive --parallel $(SWIFT_SOURCES)
	$(VENV)/bin/clang-format -i $(C_SOURCES)
	$(VENV)/bin/ruff check --fix pyoutliers
	$(VENV)/bin/ruff format pyoutliers
	$(VENV)/bin/ruff format $(WORKER_RULES) Sources/PythonWorkers/worker.py

docs: setup
	PYTHON_BRIDGE_DOCS=1 swift package --scratch-path $(BUILD)-docs --allow-writing-to-directory $(BUILD)-docs/html \
	  generate-documentation --target PythonBridge --target PythonWorkers --target Outliers --warnings-as-errors \
	  --enable-experimental-combined-documentation --output-path $(BUILD)-docs/html

clean:
	rm -rf .build* .venv
