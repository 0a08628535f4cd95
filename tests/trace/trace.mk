# The trace reader's tests. `make trace-test` is part of `make test`: the reader under the
# sanitizers, with what it shows of given traces (test_*.py) and with mutated traces (TRACE_FUZZ of
# them, TRACE_SEED). `make trace-speed` measures it with 10 million records; run it alone, or other
# programs are measured, too. `make trace-fuzz-forever` lets libFuzzer choose the bytes. Included
# after tools/pvtrace/pvtrace.mk and tools/linux/linux.mk.
TRACE_BUILD := $(BUILD)/trace
TRACE_FUZZ ?= 6000
TRACE_SEED ?= 1
TRACE_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
TRACE_CFLAGS := -std=gnu11 -g $(WARN) -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -I. \
                -I$(BUILD) -isystem $(BUILD)/abi
TRACE_OBJ := $(PVTRACE_SRC:%.c=$(TRACE_BUILD)/%.o)

$(TRACE_BUILD)/%.o: %.c tests/trace/trace.mk | deps-test $(ABI)
	$(call say,TRACE-CC,$<)
	@mkdir -p $(@D)
	$(Q)gcc $(TRACE_CFLAGS) -O1 -fno-omit-frame-pointer $(TRACE_SAN) -DFUZZ_DRIVER $(DEPFLAGS) \
	    -c $< -o $@

$(TRACE_BUILD)/pvtrace: $(TRACE_OBJ)
	$(call say,TRACE-LD,$@)
	$(Q)gcc $(TRACE_SAN) -o $@ $^ $(PVTRACE_LIBS)

# Everything but main() of the reader, with a main() of its own.
$(TRACE_BUILD)/fuzz: $(filter-out %/main.o,$(TRACE_OBJ)) $(TRACE_BUILD)/tests/trace/fuzz.o
	$(call say,TRACE-LD,$@)
	$(Q)gcc $(TRACE_SAN) -o $@ $^ $(PVTRACE_LIBS)

TRACE_SEEDS := $(addprefix $(TRACE_BUILD)/seeds/,\
                 each.trace work.trace cpus.trace long.trace many.trace each.ram kernel.elf)
$(TRACE_SEEDS) &: $(wildcard tests/trace/gen*.py) tests/trace/seeds.py
	@mkdir -p $(TRACE_BUILD)/seeds
	$(Q)python3 -B tests/trace/seeds.py $(TRACE_BUILD)/seeds

.PHONY: trace-test trace-habits trace-fuzz trace-fuzz-forever trace-speed
trace-test: trace-habits trace-fuzz

trace-habits: $(TRACE_BUILD)/pvtrace | deps-test
	$(call say,TEST,$@)
	$(Q)PVTRACE=$(abspath $<) python3 -B -m unittest -q tests/trace/test_*.py

trace-fuzz: $(TRACE_BUILD)/fuzz $(TRACE_SEEDS)
	@$(TRACE_BUILD)/fuzz $(TRACE_FUZZ) $(TRACE_SEED) $(TRACE_SEEDS)

$(TRACE_BUILD)/libfuzzer: $(PVTRACE_SRC) tests/trace/fuzz.c | deps-test $(ABI)
	$(call say,CLANG,$@)
	$(Q)clang $(TRACE_CFLAGS) -Wno-unknown-warning-option -O1 $(TRACE_SAN) -fsanitize=fuzzer -o $@ \
	    $(filter-out %/main.c,$(filter %.c,$^)) $(PVTRACE_LIBS)

trace-fuzz-forever: $(TRACE_BUILD)/libfuzzer $(TRACE_SEEDS)
	@mkdir -p $(TRACE_BUILD)/corpus
	$< -timeout=20 $(FUZZ_FLAGS) $(TRACE_BUILD)/corpus $(TRACE_BUILD)/seeds

trace-speed: $(PVTRACE)
	@python3 -B tests/trace/speed.py $(PVTRACE)

# --- Debian's reader of Xen's traces --------------------------------------------------------------
# Unpacked here, never installed; it needs nothing but the C library.
XENALYZE := $(TRACE_BUILD)/xenalyze/xenalyze
$(XENALYZE): | deps
	$(call fetch,$(@D),echo xen-utils-common)
	$(Q)dpkg-deb --fsys-tarfile $(@D)/*.deb | tar -xO ./usr/bin/xenalyze > $@
	$(Q)chmod +x $@

# `make trace-xenalyze XENALYZE_FILE=file`: both readers' counts of a trace.
XENALYZE_FILE ?= $(TRACE_BUILD)/seeds/work.trace
.PHONY: trace-xenalyze
trace-xenalyze: $(XENALYZE) $(TRACE_BUILD)/pvtrace $(TRACE_SEEDS)
	@python3 -B tests/trace/xenalyze.py $(XENALYZE) $(TRACE_BUILD)/pvtrace $(XENALYZE_FILE)

-include $(TRACE_OBJ:.o=.d) $(TRACE_BUILD)/tests/trace/fuzz.d
