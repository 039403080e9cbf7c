# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Included by the Makefile: how tests, guests, fuzzers and benchmarks are built, and run

# Unit tests: tests/unit/test_NAME.c, linked with everything but main
$(BUILD)/tests/test_%: tests/unit/test_%.c $(filter-out $(BUILD)/kvmexit.o,$(OBJS))
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) \
		$$($(PKG_CONFIG) --libs $(LIBS))

# For tests with too little memory: an allocator that fails, and kvmexit linked so
# that it can be preloaded
$(BUILD)/tests/test_memory: tests/lib/failing_malloc.c

$(BUILD)/failing_malloc.so: tests/lib/failing_malloc.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fPIC -shared -MMD -MP -o $@ $<

$(BUILD)/kvmexit-dynamic: $(OBJS)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $@ $(OBJS) $$($(PKG_CONFIG) --libs $(LIBS))

# Makes VM exits in known numbers; static, to run on any emulated host
$(BUILD)/guest: tests/guest/guest.c tests/guest/guest_slow.c src/selftest/guest.c $(GUEST) src/selftest/guest.h tests/guest/guest_slow.h \
		| $(addprefix $(BUILD)/,$(if $(ON_ARM64),off,kicked enemy))
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -static -pthread -o $@ $(filter %.c,$^)

# A vCPU whose halt signals interrupt and a guest with ever new details, of x86; one that is
# switched off, of arm64
$(BUILD)/kicked $(BUILD)/enemy $(BUILD)/off: $(BUILD)/%: tests/guest/%.c
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -static -pthread -o $@ $<

# What it costs, compared: tests/bench/run
BENCH := $(addprefix $(BUILD)/bench/,attach event hints readout startup \
	own.bpf.o peers.bpf.o plain.bpf.o)

bench:
	$(Q)scripts/install-deps build test host
	$(Q)$(MAKE) --no-print-directory bench-programs
	$(Q)tests/bench/run

bench-programs: all $(BUILD)/guest $(BENCH)

$(BUILD)/bench/%: tests/bench/%.c $(filter-out $(BUILD)/kvmexit.o,$(OBJS))
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static -pthread -MMD -MP -o $@ $(filter %.c %.o,$^) \
		-Wl,--start-group $$($(PKG_CONFIG) --static --libs $(LIBS)) -Wl,--end-group

$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# Without root, without a network, in a minute; T=test_json: this one test
test:
	$(Q)tests/run $(or $(T),quick)

# All of them; says how long that takes
check:
	$(Q)tests/run

# Every kernel series, vendor and probe: what docs/kernels.md shows; and the package
check-hosts:
	$(Q)tests/hosts/matrix
	$(Q)scripts/package deb
	$(Q)tests/hosts/live.py dist/kvmexit_$(VERSION)-*_amd64.deb

# libFuzzer on whatever is parsed, under ASan and UBSan, $(FUZZ_TIME) s a target
FUZZ_TIME ?= 20
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_CFLAGS := -g -O1 -fsanitize=fuzzer-no-link $(SANITIZE) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE \
	-I$(BUILD) -I. -Isrc -Itests/lib

$(BUILD)/fuzz/%.o: %.c | $(SKEL)
	$(say) FUZZ $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

# options.c is part of its target
$(FUZZ:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(SRCS:%.c=$(BUILD)/fuzz/%.o)
	$(say) FUZZ $@
	$(Q)$(CLANG) -fsanitize=fuzzer $(SANITIZE) -o $@ \
		$(filter-out %/fuzz/kvmexit.o $(if $(filter options,$*),%/src/app/options.o),$^) \
		$$($(PKG_CONFIG) --libs $(LIBS))

# What is found new stays in $(BUILD); a finding becomes a file there, and a test
fuzz: $(FUZZ:%=$(BUILD)/fuzz/%)
	$(Q)for name in $(FUZZ); do \
		mkdir -p $(BUILD)/fuzz/found/$$name; \
		echo "== $$name"; \
		ASAN_OPTIONS=detect_leaks=$$([ $$name = options ]; echo $$?) \
			$(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_TIME) -timeout=10 -print_final_stats=1 \
			-rss_limit_mb=4096 \
			-artifact_prefix=$(BUILD)/fuzz/found/$$name- -verbosity=0 \
			$(BUILD)/fuzz/found/$$name tests/fuzz/corpus/$$name >$(BUILD)/fuzz/$$name.log 2>&1; \
		status=$$?; \
		grep -E 'stat::(number_of|average)|ERROR: |runtime error|hold' $(BUILD)/fuzz/$$name.log; \
		[ $$status = 0 ] && grep -q 'stat::number_of' $(BUILD)/fuzz/$$name.log || exit 1; \
	done

# Unit and command line tests under ASan and UBSan, unit tests under valgrind
check-sanitized:
	$(Q)tests/system/sanitized

# An hour's worth of VMs starting and ending, and of guests with ever new details, in three
# minutes each
soak: all $(BUILD)/guest
	$(Q)KVMEXIT_SOAK=$${KVMEXIT_SOAK:-180} tests/hosts/run amd 6.12 direct "soak enemy apart"

C_FILES := $(wildcard *.[ch] src/*/*.[ch] man/*.[ch] tests/*/*.[ch])
SHELL_FILES := $(shell grep -ls '^\#!/bin/.*sh' scripts/* tests/run tests/cli/*.sh tests/system/* tests/hosts/* tests/bench/* \
	.ci/run) tests/lib/check.sh tests/cli/harness.sh tests/hosts/vms.sh \
	tests/hosts/faults.sh scripts/kvmexit.bash-completion

# What is measured is no test, but has to build
lint: $(SKEL) bench-programs man
	$(Q)scripts/install-deps lint
	clang-format --dry-run -Werror $(C_FILES)
	shellcheck -x $(SHELL_FILES)
	mandoc -Tlint -Wwarning man/kvmexit.8 $(BUILD)/kvmexit-reasons.7
	! for page in man/kvmexit.8 $(BUILD)/kvmexit-reasons.7; do \
		groff -t -man -ww -Tutf8 $$page 2>&1 >/dev/null; done | grep .
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
		-D__x86_64__ --suppress=missingIncludeSystem $(SRCS)
	set -e; for file in $(SRCS); do $(CC) $(CFLAGS) -fanalyzer -Werror -c -o /dev/null $$file; done
