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
LIBS = -Wl,-Bstatic -lbpf -lluajit-5.1 -Wl,-Bdynamic -lelf -lz -lm -ldl
WARN = -Wall -Wextra -Wmissing-prototypes -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
ENGINE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -fvisibility=hidden -fno-omit-frame-pointer $(WARN) \
	-Iengine -Ibpf/include -include linux/types.h $(LUAJIT_CFLAGS) -MMD -MP
ENGINE_LDFLAGS = -rdynamic -Wl,--exclude-libs,ALL -Wl,-z,now
BPF_CFLAGS = -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Ibpf/include -isystem /usr/include/$(TRIPLET) -MMD -MP

# Everything is found by its folder.
ENGINE_C := $(wildcard engine/*.c)
ENGINE_O := $(ENGINE_C:engine/%.c=$(BUILD)/engine/%.o)
PROBES   := $(patsubst bpf/%.bpf.c,$(BUILD)/%.bpf.o,$(wildcard bpf/*.bpf.c bpf/probes/*.bpf.c))
LUA      := $(wildcard stdlib/*.lua stdlib/*/*.lua scripts/*.lua)
MADE_LUA := $(BUILD)/stdlib/syscalls.lua $(BUILD)/stdlib/vmdef.lua
# NAME=FILE: the name an asset has, and where its bytes are.
ASSETS   := $(foreach file,$(PROBES) $(MADE_LUA),$(file:$(BUILD)/%=%)=$(file)) \
	$(foreach file,$(LUA),$(file)=$(file)) include/record.h=bpf/include/record.h

all: moonprobe ## build ./moonprobe

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

moonprobe: $(ENGINE_O) $(BUILD)/assets.o
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

$(BUILD)/assets.S: $(PROBES) $(LUA) $(MADE_LUA) bpf/include/record.h Makefile
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

-include $(ENGINE_O:.o=.d) $(PROBES:.o=.d)
.PHONY: all help clean
