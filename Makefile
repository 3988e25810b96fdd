# Wrapper around Meson and Ninja. scripts/deps installs what they need.
#
#   make run [DATA=file]        load real records into ./run-data, query them, serve them
#   make test [OPTIONS=...]     build and run the tests; OPTIONS as in "meson test --help"
#   make                        build the library and the command
#   make bench [OPTIONS=...]    run the benchmarks; OPTIONS as in "holt bench --help"
#   make compare [OPTIONS=...]  benchmark against other engines; OPTIONS as in "bench/compare --help"
#   make python                 install the Python package for PYTHON (the system's; needs no `make install`)
#   make install                install into PREFIX (/usr/local), below DESTDIR
#   make uninstall              remove what was installed
#   make nightly                run everything that CI does, for longer
#   make format                 format the code (clang-format)
#   make clean                  remove the builds

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
OPTIONS ?=
# The system's Python, if there is one.
PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
# The tests have their own build, with assertions and with warnings as errors.
TESTED  = $(BUILD)-test
# So does the comparison, with the other engines that scripts/deps could install.
COMPARED = $(BUILD)-bench
HOLT    = $(BUILD)/src/cli/holt
# Absolute, or empty.
ROOT    = $(if $(DESTDIR),$(abspath $(DESTDIR)))

# Debian's library directory, which Meson only knows where dpkg-dev is installed.
MULTIARCH = $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIR    = $(if $(MULTIARCH),$(patsubst /usr/%,%,$(wildcard /usr/lib/$(MULTIARCH))))
SETUP     = meson setup --prefix '$(PREFIX)' $(if $(LIBDIR),--libdir $(LIBDIR))

build: $(BUILD)/build.ninja
	@out=$$(ninja -C $(BUILD) --quiet 2>&1) || { printf '%s\n' "$$out"; exit 1; }

run: build
	@HOLT=$(HOLT) scripts/run $(if $(DATA),"$(DATA)")

test: $(TESTED)/build.ninja
	@scripts/test $(TESTED) $(OPTIONS)

bench: build
	$(HOLT) bench $(OPTIONS)

compare: $(COMPARED)/build.ninja
	@ninja -C $(COMPARED) --quiet bench/compare
	$(COMPARED)/bench/compare $(OPTIONS)

# Root installs into /usr/local, where Debian keeps what its packages do not own; others into their home.
# Without the variable, pip refuses to do either (PEP 668).
python: | deps-python
	PIP_BREAK_SYSTEM_PACKAGES=1 $(PYTHON) -m pip install --quiet --no-build-isolation --no-index --no-deps \
		--force-reinstall --root-user-action=ignore ./bindings/python

install: build
	@grep -qx 'prefix=$(PREFIX)' $(BUILD)/meson-private/holt.pc || meson configure $(BUILD) --prefix '$(PREFIX)'
	meson install -C $(BUILD) --quiet --destdir '$(ROOT)'
	@[ -n '$(ROOT)' ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall:
	scripts/uninstall $(BUILD) '$(ROOT)'

nightly:
	.ci/run nightly

format:
	clang-format -i $$(git ls-files '*.c')

clean:
	rm -rf $(BUILD) $(TESTED) $(COMPARED)

help:
	@sed -n 's/^#   //p' Makefile

# An interrupted setup leaves files that make Meson believe it has finished.
$(BUILD)/build.ninja: | deps-build
	@rm -rf $(BUILD)/meson-private
	$(SETUP) --buildtype=release -Dtests=disabled $(BUILD)

$(TESTED)/build.ninja: | deps-test
	@rm -rf $(TESTED)/meson-private
	$(SETUP) --werror -Dtests=enabled $(TESTED)

$(COMPARED)/build.ninja: | deps-build
	@scripts/deps bench || echo "make: comparing with the engines that are installed" >&2
	@rm -rf $(COMPARED)/meson-private
	$(SETUP) --buildtype=release -Dtests=disabled -Dbench=true $(COMPARED)

deps-build deps-test deps-python:
	@scripts/deps $(@:deps-%=%)

.PHONY: build run test bench compare python install uninstall nightly format clean help deps-build deps-test
