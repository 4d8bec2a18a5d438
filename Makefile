# SPDX-License-Identifier: Apache-2.0
# Builds ./moonprobe and, under build/, everything else. `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:

V ?= 0
ifeq ($(V),0)
  Q := @
  say = @printf '  %-7s %s\n' $(1) $(2)
endif

PREFIX ?= /usr/local
CLANG  ?= clang
STRIP  ?= llvm-strip
CC     ?= gcc
BUILD  := build
ARCH   := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
TRIPLET := $(shell $(CC) -print-multiarch 2>/dev/null)

# Static where it saves start-up time and pins LuaJIT's bytecode; the rest is shared.
LUAJIT_CFLAGS = $(shell pkg-config --cflags luajit)
LIBS = -Wl,-Bstatic -lbpf -lluajit-5.1 -lzstd -ldw -Wl,-Bdynamic -lseccomp -lelf -lz -lm -ldl
WARN = -Wall -Wextra -Wmissing-prototypes -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
ENGINE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -fvisibility=hidden -fno-omit-frame-pointer $(WARN) \
	-Iengine -Ibpf/include -include linux/types.h $(LUAJIT_CFLAGS) -MMD -MP
ENGINE_LDFLAGS = -Wl,--wrap=btf__load_vmlinux_btf -Wl,--wrap=btf__free -Wl,--wrap=bpf_prog_load -Wl,--wrap=syscall -rdynamic -Wl,--exclude-libs,ALL -Wl,-z,now
BPF_CFLAGS = -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Ibpf/include -isystem /usr/include/$(TRIPLET) -MMD -MP

# Everything is found by its folder.
ENGINE_C := $(wildcard engine/*.c)
ENGINE_O := $(ENGINE_C:engine/%.c=$(BUILD)/engine/%.o)
PROBES   := $(patsubst bpf/%.bpf.c,$(BUILD)/%.bpf.o,$(wildcard bpf/*.bpf.c bpf/probes/*.bpf.c))
LUA      := $(filter-out %_test.lua,$(wildcard stdlib/*.lua stdlib/*/*.lua scripts/*.lua))
MADE_LUA := $(BUILD)/stdlib/syscalls.lua $(BUILD)/stdlib/vmdef.lua
TEMPLATES := $(wildcard templates/*)
SHARED   := bpf/include/record.h bpf/include/plan.h bpf/include/stack.h
# NAME=FILE: the name an asset has, and where its bytes are.
ASSETS   := $(foreach file,$(PROBES) $(MADE_LUA),$(file:$(BUILD)/%=%)=$(file)) \
	$(foreach file,$(LUA) $(TEMPLATES),$(file)=$(file)) \
	$(foreach file,$(SHARED),$(file:bpf/%=%)=$(file))

WORKLOAD_O := $(patsubst tests/%.c,$(BUILD)/%.o,$(wildcard tests/workload/*.c))

# What the tests are run with; `make asan` runs all of it again on another build.
BINARY    ?= moonprobe
PROVE     := prove $(PROVE_FLAGS)
UNIT      := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/engine/*_test.c))
# BPF objects as users bring them: tests and a lesson load them.
OBJECTS   := $(patsubst %.bpf.c,build/%.bpf.o,$(wildcard tests/objects/*.bpf.c))
# Programs and libraries that tests look into and trace.
TARGETS_AT := $(BUILD)/tests/targets
TARGETS := $(TARGETS_AT)/program $(TARGETS_AT)/program_fixed $(TARGETS_AT)/program_stripped \
	$(TARGETS_AT)/library_stripped.so $(TARGETS_AT)/chain $(TARGETS_AT)/arguments $(TARGETS_AT)/throws \
	$(addprefix $(TARGETS_AT)/types_,dwarf-5 dwarf-4 dwarf-2 z btf 0)
SANITIZE   = -fsanitize=address,undefined -fno-sanitize-recover=undefined

all: moonprobe ## build ./moonprobe

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

deps: ## install what building and testing need (Debian packages; asks nothing)
	@packaging/deps.sh build test

demo: ## two minutes' worth of Moonprobe in half a minute, on real events
	@packaging/deps.sh build
	@$(MAKE) moonprobe $(BUILD)/tests/workload
	@examples/demo.sh

install: moonprobe ## install under $(DESTDIR)$(PREFIX)
	install -D -m 755 moonprobe $(DESTDIR)$(PREFIX)/bin/moonprobe
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/moonprobe/LICENSE
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/moonprobe/README.md

test: ## build everything and pass every test of this machine's kernel
	@packaging/deps.sh build test
	@$(MAKE) test-units test-scripts test-live

test-units: $(UNIT) $(OBJECTS) ## the engine's modules, in C
	@CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) $(UNIT)

test-scripts: $(BINARY) $(BUILD)/tests/workload $(OBJECTS) build/tests/stages.so ## the stdlib, the command line, and what every probe and tool must keep to
	@MOONPROBE_PATH=tests:build $(PROVE) --exec '$(BINARY:%=./%) check --allow stdlib,ffi,debug,object' tests/stdlib/*_test.lua \
		tests/contracts/aggregates_test.lua
	@MOONPROBE=$(BINARY:%=./%) $(PROVE) --exec luajit tests/contracts/probes_test.lua \
		tests/contracts/tools_test.lua tests/cli/*_test.lua tests/differential/quick_test.lua
	@$(PROVE) --exec '$(BINARY:%=./%) test' scripts/*_test.lua examples/*_test.lua

recordings: moonprobe $(BUILD)/tests/workload ## what the tools' tests replay, made anew, as root; then test --update
	@tests/recordings/make.sh

PAIRS ?= 3000000
SEED  ?= 1
differential: moonprobe build/tests/stages.so ## random functions on random events, in LuaJIT and in the kernel; SEED=, PAIRS=
	@packaging/deps.sh build test
	@SEED=$(SEED) PAIRS=$(PAIRS) luajit tests/differential/run.lua

test-live: $(BINARY) $(BUILD)/tests/workload $(OBJECTS) $(TARGETS) ## real events with known counts, as root
	@MOONPROBE=$(BINARY:%=./%) $(PROVE) --timer --exec luajit tests/live/*_test.lua

test-kernels: ## the live tests on every kernel of the matrix, in qemu
	@packaging/deps.sh build test kernels
	@$(MAKE) live-files
	@tests/kernels/run.sh

live-files: $(BINARY) $(BUILD)/tests/workload $(OBJECTS) $(TARGETS) ## what live tests trace, for the machines of the matrix

test-files: live-files $(UNIT) build/tests/stages.so ## all that tests need, built; no test is run

ASAN = $(MAKE) BUILD=$(BUILD)/asan BINARY=$(BUILD)/asan/moonprobe CFLAGS='-O1 -g $(SANITIZE)'
asan: ## the tests again, with AddressSanitizer and UBSan
	@packaging/deps.sh build test
	@$(ASAN) test-units test-scripts test-live

asan-files: ## what that needs, built; no test is run
	@$(ASAN) test-files

FUZZ_SECONDS ?= 60
fuzz: ## libFuzzer on the reader of recordings; FUZZ_SECONDS=
	@packaging/deps.sh build
	@$(MAKE) $(BUILD)/fuzz/recording
	@mkdir -p $(BUILD)/fuzz/corpus
	@$(BUILD)/fuzz/recording -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -artifact_prefix=$(BUILD)/fuzz/ \
		-print_final_stats=1 $(BUILD)/fuzz/corpus

check: ## formatting, static analysis, docstrings
	@packaging/deps.sh build check
	@$(MAKE) $(BINARY)
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
		--suppress=missingIncludeSystem --suppress=ctuuninitvar \
		'-DDECLARE_LIBBPF_OPTS(type,name,...)=struct type name = {__VA_ARGS__}' \
		'-DLIBBPF_OPTS(type,name,...)=struct type name = {__VA_ARGS__}' \
		-Iengine -Ibpf/include -itests/bench/peers engine tests/engine tests/fuzz tests/bench tests/workload
	@luacheck --quiet stdlib scripts examples templates tests
	@$(BINARY:%=./%) types -o $(BUILD)/types # an error when a public function lacks a docstring that fits
	@luacheck --quiet --no-config --std luajit $(BUILD)/types
	@if command -v lua-language-server >/dev/null; then \
		lua-language-server --check $(BUILD)/types --checklevel Warning; fi

bench: ## figures beside bpftrace and libbpf-tools; writes build/bench.json
	@packaging/deps.sh build test bench
	@$(MAKE) moonprobe $(BUILD)/tests/workload
	@tests/bench/run.sh

$(BINARY): $(ENGINE_O) $(BUILD)/assets.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(ENGINE_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/engine/%.o: engine/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ENGINE_CFLAGS) -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@.tmp -MF $(@:.o=.d) -MT $@ $<
	$(Q)$(STRIP) -g $@.tmp -o $@ && rm $@.tmp

build/tests/objects/%.bpf.o: tests/objects/%.bpf.c Makefile
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@.tmp -MF $(@:.o=.d) -MT $@ $<
	$(Q)$(STRIP) -g $@.tmp -o $@ && rm $@.tmp

# Static: a dynamic loader would open, read and map files of its own.
$(BUILD)/tests/workload: $(WORKLOAD_O)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $^ -lpthread

$(BUILD)/workload/%.o: tests/workload/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE $(WARN) -MMD -MP -c -o $@ $<

# What the tests of binaries look into: position independent or not, with symbols or without.
TARGET_CFLAGS := -O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wl,-rpath,'$$ORIGIN'

$(TARGETS_AT)/library.so: tests/targets/library.c tests/targets/library.map
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_CFLAGS) -shared -fPIC -Wl,-soname,library.so -Wl,--version-script=tests/targets/library.map -o $@ $<

$(TARGETS_AT)/program: tests/targets/program.c $(TARGETS_AT)/library.so
	$(call say,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -pie -fPIE -o $@ $^

$(TARGETS_AT)/program_fixed: tests/targets/program.c $(TARGETS_AT)/library.so
	$(call say,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -no-pie -fno-pie -o $@ $^

$(TARGETS_AT)/arguments: tests/targets/arguments.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_CFLAGS) -o $@ $<

$(TARGETS_AT)/throws: tests/targets/throws.cc
	$(call say,CXX,$@)
	@mkdir -p $(@D)
	$(Q)$(CXX) -O1 -Wall -Wextra -o $@ $<

# With the debug information that -gNAME makes; of 0, none.
$(TARGETS_AT)/types_%: tests/targets/types.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -g,$(TARGET_CFLAGS)) $(if $(filter z,$*),-g) -g$* -o $@ $<

# With frame pointers: what the kernel walks a process's stack by.
$(TARGETS_AT)/chain: tests/targets/chain.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_CFLAGS) -fno-omit-frame-pointer -pie -fPIE -o $@ $<

# binutils' strip, as distributions use it: llvm-strip takes the notes of USDT away as well.
$(TARGETS_AT)/program_stripped: $(TARGETS_AT)/program
	$(Q)strip -o $@ $<

$(TARGETS_AT)/library_stripped.so: $(TARGETS_AT)/library.so
	$(Q)strip -o $@ $<

$(BUILD)/tests/engine/%: tests/engine/%.c $(ENGINE_O) $(BUILD)/assets.o | $(TARGETS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ENGINE_CFLAGS) -MF $@.d $(ENGINE_LDFLAGS) -o $@ $< \
		$(filter-out %/main.o,$(ENGINE_O)) $(BUILD)/assets.o $(LIBS) -lcmocka

FUZZED := engine/recording_reader.c engine/recording_writer.c engine/player.c engine/ring.c
$(BUILD)/fuzz/recording: tests/fuzz/recording_fuzz.c $(FUZZED)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -std=gnu11 -D_GNU_SOURCE \
		$(WARN) -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -DRECORDING_BLOCK_BYTES=8192 -Iengine -Ibpf/include -include linux/types.h -o $@ $^ -lzstd -lz

# How the host checks a worker's plan, for tests/differential.
build/tests/stages.so: engine/plan_file.c engine/stage_check.c engine/stage_flow.c engine/error.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g $(filter-out -fvisibility=hidden -MMD -MP,$(ENGINE_CFLAGS)) -shared -fPIC -o $@ $^ -lbpf

# Names of system calls by number, as this architecture has them.
$(BUILD)/stdlib/syscalls.lua:
	@mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/  [\2] = "\1",/p' | sort -t[ -k2n | \
		{ echo 'return {'; cat; echo '}'; } > $@

# The linked LuaJIT's instruction set, for stdlib/reads.lua.
$(BUILD)/stdlib/vmdef.lua:
	@mkdir -p $(@D)
	$(Q)cp "$$(ls /usr/share/luajit-2.1*/jit/vmdef.lua | head -n 1)" $@

$(BUILD)/assets.S: $(PROBES) $(LUA) $(TEMPLATES) $(MADE_LUA) $(SHARED) Makefile
	$(call say,ASSETS,$@)
	$(Q){ echo '.section .note.GNU-stack,"",%progbits'; n=0; \
	for asset in $(ASSETS); do n=$$((n + 1)); \
		printf '.section .rodata\nname%d: .asciz "%s"\n.balign 8\nbytes%d: .incbin "%s"\nend%d: .byte 0\n' \
			$$n "$${asset%%=*}" $$n "$${asset#*=}" $$n; \
	done; \
	echo '.section .data.rel.ro,"aw"'; echo '.globl assets'; echo '.hidden assets'; \
	echo '.balign 8'; echo 'assets:'; \
	for i in $$(seq $$n); do echo ".quad name$$i, bytes$$i, end$$i - bytes$$i"; done; \
	echo '.quad 0, 0, 0'; } > $@

$(BUILD)/assets.o: $(BUILD)/assets.S
	$(Q)$(CC) -c -o $@ $<

clean: ## remove what was built
	rm -rf $(BUILD) moonprobe

-include $(ENGINE_O:.o=.d) $(PROBES:.o=.d) $(WORKLOAD_O:.o=.d) $(OBJECTS:.o=.d) $(UNIT:=.d)
.PHONY: all asan asan-files bench check clean demo deps differential fuzz help install live-files recordings test test-files test-kernels \
	test-live test-scripts test-units
