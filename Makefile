# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
CC ?= gcc
HOSTCC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
LDFLAGS ?=
DESTDIR ?=
PREFIX ?= /usr/local

BUILD ?= build
PROGRAM ?= kvmexit
MULTIARCH := $(shell $(CC) -print-multiarch)
ON_ARM64 := $(filter aarch64-%,$(MULTIARCH))
GUEST := src/selftest/guest_$(if $(ON_ARM64),arm64,x86).c
# The one place of the version, and what it was built from; kept where git cannot tell
VERSION := $(shell sed -n 's/^\#define KVMEXIT_VERSION "\(.*\)"/\1/p' src/lib/version.h)
ifndef COMMIT
COMMIT := $(shell GIT_OPTIONAL_LOCKS=0 git describe --always --dirty=+ --abbrev=12 --exclude='*' 2>/dev/null)
endif
COMMIT_H := \#define KVMEXIT_COMMIT "$(or $(COMMIT),unknown)"
$(shell mkdir -p $(BUILD); [ -z '$(COMMIT)' ] && [ -e $(BUILD)/commit.h ] || \
	echo '$(COMMIT_H)' | cmp -s - $(BUILD)/commit.h || echo '$(COMMIT_H)' >$(BUILD)/commit.h)
LIBS := libbpf libelf zlib jansson
SRCS := kvmexit.c $(filter-out src/%/guest_x86.c src/%/guest_arm64.c src/selftest/guest_x86.c src/selftest/guest_arm64.c %.bpf.c,$(wildcard src/*.c src/*/*.c)) $(GUEST)
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
SKEL := $(addprefix $(BUILD)/,kvmexit.skel.h kvmexit.gz.h plain.gz.h kvm_state.skel.h)

# No path of the build's in what it makes
MAP := -ffile-prefix-map=$(CURDIR)=.
override CFLAGS += $(MAP) -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$(BUILD) -I. -Isrc -Itests/lib $(shell $(PKG_CONFIG) --cflags $(LIBS))
# What an exploit has to get past; tests/system/test_hardening.sh looks for it in the
# binary. No -fcf-protection: Debian's static libraries are built without, so the
# linker takes it off the whole.
HARDEN ?= -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
comma := ,
# dynamic: with the system's libraries, as distributions want it
LINKAGE ?= static
# Packed relocations: 90 kB less. Not where the system's libc may be too old for them,
# nor on arm64, where the linker of Debian 12 does not know them.
PACKED := $(if $(ON_ARM64),,-Wl$(comma)-z$(comma)pack-relative-relocs)
LINK ?= $(if $(filter dynamic,$(LINKAGE)),-pie,-static-pie $(PACKED)) \
	-Wl,-z,relro,-z,now,-z,noexecstack
LINK_LIBS = $$($(PKG_CONFIG) $(if $(filter static,$(LINKAGE)),--static) --libs $(LIBS))
override CFLAGS += $(HARDEN)
# kvm_exit has other arguments on arm64
BPF_TARGET := $(if $(ON_ARM64),-D__TARGET_ARCH_arm64,-D__TARGET_ARCH_x86)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror $(BPF_TARGET) $(MAP) \
	-I. -Isrc -I/usr/include/$(MULTIARCH)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

all: $(PROGRAM)

$(PROGRAM): $(OBJS)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $(OBJS) \
		-Wl,--start-group $(LINK_LIBS) -Wl,--end-group

$(BUILD)/%.o: %.c | $(SKEL)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# For Arm hosts, on an amd64 Debian: kvmexit-arm64 and the tests' guest
arm64:
	$(Q)scripts/install-deps build arm64
	$(Q)PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig $(MAKE) --no-print-directory \
		CC=aarch64-linux-gnu-gcc BUILD=$(BUILD)/arm64 PROGRAM=kvmexit-arm64 all $(BUILD)/arm64/guest

# plain: for kernels and users whom the kfunc is denied
$(BUILD)/plain.bpf.o: BPF_CFLAGS += -DWITHOUT_KFUNC
$(BUILD)/kvmexit.bpf.o $(BUILD)/plain.bpf.o: kvmexit.bpf.c
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# What --explain reads of VMs
$(BUILD)/kvm_state.bpf.o: src/bpf/kvm_state.bpf.c
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# Linking leaves the debugging information out, half of the object; BTF stays
$(BUILD)/%.linked.o: $(BUILD)/%.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $<

# Without the object's bytes, which src/probe/load.c has compressed
$(BUILD)/kvmexit.skel.h: WITHOUT := /"\\$$/,/";$$/{s/"\\$$/"";/;t;d}
$(BUILD)/%.skel.h: $(BUILD)/%.linked.o Makefile
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.tmp
	$(Q)sed '$(WITHOUT)' $@.tmp >$@

$(BUILD)/%.gz.h: $(BUILD)/%.linked.o
	$(Q)gzip -9n <$< >$@.tmp
	$(Q)od -An -v -tx1 $@.tmp | sed 's/ \(..\)/0x\1,/g' >$@

# Tests, fuzzing, measuring, lint
include tests/tests.mk

# The manual page made of explain.def and reasons.def, by a program for this machine
man: $(BUILD)/kvmexit-reasons.7

MAN_SRCS := man/kvmexit-reasons.c src/explain/texts.c src/names/reasons.c src/lib/util.c

$(BUILD)/kvmexit-reasons.7: $(MAN_SRCS) src/explain/texts.h src/names/reasons.h src/lib/version.h explain.def reasons.def
	$(say) MAN $@
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -D_GNU_SOURCE -I. -Isrc -o $(@:.7=) $(MAN_SRCS)
	$(Q)$(@:.7=) >$@.tmp
	$(Q)mv $@.tmp $@

# Shows the tool on real exits, on a machine with nothing prepared: a table; until q is pressed
demo live:
	$(Q)scripts/install-deps build $(if $(filter demo,$@),test)
	$(Q)$(MAKE) --no-print-directory all $(BUILD)/guest
	$(Q)scripts/demo $(filter live,$@)

# Units are installed, not enabled
UNITDIR ?= $(PREFIX)/lib/systemd/system
STRIP ?= strip
UNITS := kvmexit.service kvmexit-snapshot.service kvmexit-snapshot.timer

install: $(PROGRAM) man
	install -D -m 755 -s --strip-program=$(STRIP) $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/kvmexit
	install -D -m 644 man/kvmexit.8 $(DESTDIR)$(PREFIX)/share/man/man8/kvmexit.8
	install -D -m 644 $(BUILD)/kvmexit-reasons.7 \
		$(DESTDIR)$(PREFIX)/share/man/man7/kvmexit-reasons.7
	install -D -m 644 scripts/kvmexit.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvmexit
	install -D -m 644 tests/kvmexit.schema.json \
		$(DESTDIR)$(PREFIX)/share/kvmexit/kvmexit.schema.json
	set -e; install -d $(DESTDIR)$(UNITDIR); for unit in $(UNITS); do \
		sed 's|/usr/local/sbin/|$(PREFIX)/sbin/|' scripts/ship/$$unit >$(DESTDIR)$(UNITDIR)/$$unit; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$unit; \
	done

# Into dist/: a static program with all that make install has, packages for Debian and
# for RPM, for this machine's architecture and, on amd64, for arm64
dist deb rpm:
	$(Q)scripts/package $@

clean:
	rm -rf $(BUILD) dist kvmexit kvmexit-arm64

.PHONY: all arm64 bench bench-programs check check-hosts check-sanitized clean deb demo dist fuzz \
	install lint live man rpm soak test
.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/%.linked.o
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
