# The hypervisor on several fake CPUs in one thread: xen/ and common/ are compiled so that before
# each access to memory another CPU may go on (accesses.c), which one, a seed says. `make
# check-interleave` runs the scenarios of tests/interleave with many seeds each.
INTERLEAVE := $(BUILD)/interleave
INTERLEAVE_CFLAGS := $(filter-out $(UNIT_SAN),$(UNIT_CFLAGS)) -Wno-error \
    -Wno-maybe-uninitialized -Itests/interleave
INTERLEAVE_SWITCH := -fsanitize=thread --param tsan-instrument-func-entry-exit=0
# At the entry of the fake machine and of tests: see enter_host. Not of functions that only look at
# tables of their own.
INTERLEAVE_ONLY_LOOK := mfn_to_virt,virt_to_mfn,arch_tsc,guest_regs,host_on_stack
INTERLEAVE_ENTRY := -finstrument-functions \
    -finstrument-functions-exclude-function-list=$(INTERLEAVE_ONLY_LOOK)
INTERLEAVE_HV := $(ANY_ARCH_C:%.c=$(INTERLEAVE)/%.o)
INTERLEAVE_SRC := $(wildcard arch/host/*.c tests/interleave/*.c) \
    tests/unit/support.c tests/unit/tsan_calls.c
INTERLEAVE_OBJ := $(INTERLEAVE_HV) $(INTERLEAVE_SRC:%.c=$(INTERLEAVE)/%.o)
# Of common/, the libc functions have other names: xen/ calls libc's, which --wrap catches.
INTERLEAVE_LIBC := $(INTERLEAVE)/common/string.o $(INTERLEAVE)/common/printf.o
$(filter-out $(INTERLEAVE_LIBC),$(INTERLEAVE_HV)): INTERLEAVE_CFLAGS += $(INTERLEAVE_SWITCH)
INTERLEAVE_ACCESSES := $(INTERLEAVE)/tests/interleave/accesses.o \
    $(INTERLEAVE)/tests/unit/tsan_calls.o
$(filter-out $(INTERLEAVE_HV) $(INTERLEAVE_ACCESSES),$(INTERLEAVE_OBJ)): \
    INTERLEAVE_CFLAGS += $(INTERLEAVE_ENTRY)
# Most of the time is spent in these. The scenarios are left at -O1, or they would choose otherwise
# for a seed.
$(filter $(INTERLEAVE)/arch/host/%,$(INTERLEAVE_OBJ)) $(INTERLEAVE_ACCESSES): \
    INTERLEAVE_CFLAGS += -O2
$(INTERLEAVE)/common/string.o $(INTERLEAVE)/common/printf.o: \
    INTERLEAVE_CFLAGS += $(foreach f,$(LIBC_NAMES),-D$(f)=hv_$(f)) -fno-builtin

INTERLEAVE_LDFLAGS := -rdynamic $(LIBC_NAMES:%=-Wl,--wrap=%)
INTERLEAVE_WAIT := -Wl,--wrap=vcpu_wait
# Those whose CPUs schedule, which threads do not.
INTERLEAVE_SLEEPS := blocks polls timers downs periods writers tenants
INTERLEAVE_SCENARIOS := retype retype-audited hammer trees linear give-back give-back-two \
    grants last-puts ports ports-fifo ends to-fifo busy lines vcpus words descriptors death claims \
    claims-service slow-line timer-ends $(INTERLEAVE_SLEEPS)

$(INTERLEAVE)/%.o: %.c tests/interleave/interleave.mk | deps-test $(ABI)
	$(call say,ILEAVE-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(INTERLEAVE_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(INTERLEAVE)/interleave: $(INTERLEAVE_OBJ)
	$(call say,ILEAVE-LD,$@)
	$(Q)$(UNIT_CC) $(INTERLEAVE_LDFLAGS) $(INTERLEAVE_WAIT) -o $@ $^

# The fuzzer (tests/fuzz) with several CPUs, which schedule: `make fuzz-cpus`, each word of
# FUZZ_CPUS a seed and how many CPUs. `make fuzz-cpus-long` takes an hour of two cores.
FUZZ_CPUS ?= 1.2 2.3 3.4 4.3
FUZZ_CPUS_ITERATIONS ?= 10000
INTERLEAVE_FUZZ_SRC := $(FUZZ_SRC) tests/fuzz/main.c tests/unit/trace_reader.c
INTERLEAVE_FUZZ_OBJ := $(INTERLEAVE_FUZZ_SRC:%.c=$(INTERLEAVE)/%.o)
$(INTERLEAVE_FUZZ_OBJ): INTERLEAVE_CFLAGS += $(INTERLEAVE_ENTRY)
$(INTERLEAVE)/fuzz: $(filter-out $(INTERLEAVE)/tests/interleave/%,$(INTERLEAVE_OBJ)) \
    $(INTERLEAVE_ACCESSES) $(INTERLEAVE_FUZZ_OBJ)
	$(call say,ILEAVE-LD,$@)
	$(Q)$(UNIT_CC) $(INTERLEAVE_LDFLAGS) -o $@ $^

TESTS += fuzz-cpus
.PHONY: fuzz-cpus fuzz-cpus-long
fuzz-cpus: $(INTERLEAVE)/fuzz
	$(call say,TEST,$@)
	@printf '%s\n' $(FUZZ_CPUS) | tr . ' ' | xargs -P2 -I{} sh -c \
	    '$< $(FUZZ_CPUS_ITERATIONS) {} || exit 255'
fuzz-cpus-long:
	@$(MAKE) --no-print-directory fuzz-cpus FUZZ_CPUS_ITERATIONS=300000 \
	    FUZZ_CPUS='$(foreach s,$(shell seq 101 110),$s.2 $s.3 $s.4 $s.6)'

INTERLEAVE_SEEDS ?= 200
TESTS += check-interleave check-races
.PHONY: check-interleave check-races
check-interleave: $(INTERLEAVE)/interleave
	$(call say,TEST,$@)
	@printf '%s\n' $(INTERLEAVE_SCENARIOS) | xargs -P2 -I{} sh -c \
	    '$< {} 1 $(INTERLEAVE_SEEDS) || exit 255'

# Checks that it finds races: some are planted, one at a time.
check-races: $(INTERLEAVE)/interleave
	$(call say,TEST,$@)
	@python3 -B tests/interleave/plant.py $(INTERLEAVE) $(UNIT_CC) $(INTERLEAVE_CFLAGS) \
	    -- $(INTERLEAVE_ENTRY) -- $(INTERLEAVE_SWITCH) -- $(INTERLEAVE_OBJ) \
	    -- $(INTERLEAVE_LDFLAGS) $(INTERLEAVE_WAIT)

-include $(shell find $(INTERLEAVE) -name '*.d' 2>/dev/null)

# The same scenarios, each CPU a thread, under ThreadSanitizer. The fake machine is not checked: its
# MMU reads and writes page tables as CPUs do. Where addresses are random in more than 28 bits the
# library needs setarch -R.
THREADS := $(BUILD)/threads
THREADS_CFLAGS := $(INTERLEAVE_CFLAGS) -DHOST_THREADS
THREADS_OBJ := $(patsubst $(INTERLEAVE)/%,$(THREADS)/%,\
    $(filter-out $(INTERLEAVE_ACCESSES),$(INTERLEAVE_OBJ)))
# main.c takes locks of the hypervisor, which ThreadSanitizer has to see.
$(patsubst $(INTERLEAVE)/%,$(THREADS)/%,$(INTERLEAVE_HV)) $(THREADS)/tests/interleave/main.o: \
    THREADS_CFLAGS += -fsanitize=thread
$(INTERLEAVE_LIBC:$(INTERLEAVE)/%=$(THREADS)/%): \
    THREADS_CFLAGS += $(foreach f,$(LIBC_NAMES),-D$(f)=hv_$(f)) -fno-builtin

$(THREADS)/%.o: %.c tests/interleave/interleave.mk | deps-test $(ABI)
	$(call say,THREAD-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(THREADS_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(THREADS)/threads: $(THREADS_OBJ)
	$(call say,THREAD-LD,$@)
	$(Q)$(UNIT_CC) -fsanitize=thread -rdynamic $(INTERLEAVE_WAIT) -o $@ $^

# `make check-threads THREAD_SEEDS=1000` runs longer; a seed says what the guests choose, not in
# which order the threads run. Some races are planted, which ThreadSanitizer has to name.
THREAD_SEEDS ?= 25
TESTS += check-threads
.PHONY: check-threads
check-threads: $(THREADS)/threads
	$(call say,TEST,$@)
	@printf '%s\n' $(filter-out death claims-service slow-line timer-ends $(INTERLEAVE_SLEEPS), \
	    $(INTERLEAVE_SCENARIOS)) | xargs -P2 -I{} sh -c \
	    'timeout 60 setarch -R $< {} 1 $(THREAD_SEEDS) || exit 255'
	@python3 -B tests/interleave/plant.py --threads $(THREADS) $(UNIT_CC) $(THREADS_CFLAGS) \
	    -- -- -fsanitize=thread -- $(THREADS_OBJ) \
	    -- -fsanitize=thread -rdynamic $(INTERLEAVE_WAIT)

-include $(shell find $(THREADS) -name '*.d' 2>/dev/null)
