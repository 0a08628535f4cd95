# The hypervisor as an ordinary program: the same xen/*.c and common/*.c, linked against arch/host
# under the sanitizers. `make unit` runs tests/unit/test_*.c, one program each; `make fuzz` throws
# random hypercalls at it, a fixed number for each of some seeds (FUZZ_ITERATIONS, FUZZ_SEEDS),
# `make fuzz-long` a hundred million; `make fuzz-forever` lets libFuzzer choose them.
UNIT := $(BUILD)/unit
FUZZ_ITERATIONS ?= 500000
FUZZ_SEEDS ?= 1 2 3 4

UNIT_CC ?= gcc
UNIT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -DDEBUG $(UNIT_SAN) \
               $(WARN) -Wno-unknown-warning-option -Wno-format-truncation -D__XEN_TOOLS__ \
               -D__XEN_INTERFACE_VERSION__=0x00040e00 -I. -I$(BUILD) -Iarch/host/include \
               -Itests/unit -isystem $(BUILD)/abi

# The hypervisor's own libc functions have other names here, so that all other code calls those that
# the sanitizers check.
UNIT_SRC := $(ANY_ARCH_C) $(wildcard arch/host/*.c) tests/unit/support.c tests/unit/trace_reader.c
UNIT_OBJ := $(UNIT_SRC:%.c=$(UNIT)/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(UNIT)/%,$(wildcard tests/unit/test_*.c))
UNIT_ALL  := -Wl,--whole-archive $(UNIT)/libhv.a -Wl,--no-whole-archive
LIBC_NAMES := memcpy memmove memset memcmp strlen strcmp strncmp strchr snprintf vsnprintf
$(UNIT)/common/string.o $(UNIT)/common/printf.o: \
    UNIT_CFLAGS += $(foreach f,$(LIBC_NAMES),-D$(f)=hv_$(f)) -fno-builtin

$(UNIT)/%.o: %.c tests/unit/unit.mk | deps-test $(ABI)
	$(call say,UNIT-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) $(DEPFLAGS) -c $< -o $@

.SECONDARY: $(UNIT_TESTS:$(UNIT)/%=$(UNIT)/tests/unit/%.o)

$(UNIT)/libhv.a: $(UNIT_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

# Whole archive: every file of the hypervisor must link here, used by the test or not.
$(UNIT)/test_%: $(UNIT)/tests/unit/test_%.o $(UNIT)/libhv.a
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $< $(UNIT_ALL) -lcmocka

# The decoder against another one.
$(UNIT)/test_x86_zydis: $(UNIT)/tests/unit/test_x86_zydis.o $(UNIT)/libhv.a
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka -lZydis

# The store's core is no part of the hypervisor: an ordinary program with its test.
STORE_CORE := $(patsubst %,guest-pv/store/%.c,\
    tree transaction ops watch requests requests_nodes wire)
STORE_TESTS := $(filter $(UNIT)/test_store%,$(UNIT_TESTS))
$(STORE_TESTS): $(UNIT)/%: $(UNIT)/tests/unit/%.o $(STORE_CORE:%.c=$(UNIT)/%.o)
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

$(UNIT)/test_store_saved: $(UNIT)/guest-pv/store/saved.o

# So is the plain part of the driver domain.
DRIVER_CORE := $(patsubst %,guest-pv/driver/%.c,blk_ring ramdisk \
    net_tx net_rx net_again packet headers checksum gso switch \
    virtio virtio_parts virtio_blk virtio_net)
# What a device offers is the test's to say.
$(UNIT)/test_driver_virtio_net: UNIT_SAN += -Wl,--wrap=virtio_begin
DRIVER_TESTS := $(filter $(UNIT)/test_driver%,$(UNIT_TESTS))
$(DRIVER_TESTS): $(UNIT)/%: $(UNIT)/tests/unit/%.o $(DRIVER_CORE:%.c=$(UNIT)/%.o)
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

# So is the vmm, but for guest-pv/vmm/*.c, which joins it to the guest's kernel: a library, and an
# object of a test's own is linked before it.
VMM_SRC := $(wildcard guest-pv/vmm/*/*.c) \
           $(patsubst %,tests/unit/vmm_%.c,host one_block kernel mmu tables native cases \
             case_values undefined fx_cases fx_fixture translated lockstep next programs)
$(UNIT)/libvmm.a: $(VMM_SRC:%.c=$(UNIT)/%.o)
	$(Q)rm -f $@ && ar rcs $@ $^
$(UNIT)/test_vmm_%: $(UNIT)/tests/unit/test_vmm_%.o $(UNIT)/libvmm.a $(UNIT)/libhv.a
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

# So is what xen.efi's stub makes of text and numbers.
EFI_TEXT := $(patsubst %,arch/x86_64/efi/%.c,config command memory) common/string.c
$(UNIT)/test_efi: $(UNIT)/tests/unit/test_efi.o $(EFI_TEXT:%.c=$(UNIT)/%.o)
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

# So is how ACPI's tables are found and read.
ACPI_TEXT := $(patsubst %,arch/x86_64/%.c,acpi_tables madt) common/string.c
$(UNIT)/test_acpi: $(UNIT)/tests/unit/test_acpi.o $(ACPI_TEXT:%.c=$(UNIT)/%.o)
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

$(UNIT)/test_cpuid_words $(UNIT)/test_tsc_rate: $(UNIT)/test_%: $(UNIT)/tests/unit/test_%.o \
    $(UNIT)/arch/x86_64/%.o
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^ -lcmocka

# The worlds; main.c and libfuzzer.c run them.
FUZZ_SRC := $(filter-out %/main.c %/libfuzzer.c,$(wildcard tests/fuzz/*.c))
$(UNIT)/fuzz: $(FUZZ_SRC:%.c=$(UNIT)/%.o) $(UNIT)/tests/fuzz/main.o $(UNIT)/libhv.a
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $(filter %.o,$^) $(UNIT_ALL)

# A target each, so that several run at a time; all run, also if one fails.
UNIT_RUNS := $(UNIT_TESTS:%=%.run)
.PHONY: unit $(UNIT_RUNS) fuzz fuzz-long fuzz-forever
unit: $(UNIT_TESTS)
	@$(MAKE) --no-print-directory -k $(UNIT_RUNS)
$(UNIT_RUNS): %.run: %
	@$<

# Two seeds at a time; the first failure ends it, and its seed is on the screen.
fuzz: $(UNIT)/fuzz
	@printf '%s\n' $(FUZZ_SEEDS) | xargs -P2 -I{} sh -c '$(UNIT)/fuzz $(FUZZ_ITERATIONS) {} || \
	    { echo "failed: $(UNIT)/fuzz $(FUZZ_ITERATIONS) {}" >&2; exit 255; }'

# About half an hour on two cores.
fuzz-long:
	@$(MAKE) --no-print-directory fuzz FUZZ_ITERATIONS=2000000 FUZZ_SEEDS='$(shell seq 7001 7050)'

# Coverage-guided, in clang's own objects. Ends when told to, or at the first finding.
FUZZ_FOREVER := $(BUILD)/libfuzzer
FUZZ_FOREVER_OBJ = $(patsubst %.c,$(FUZZ_FOREVER)/obj/%.o,$(filter %.c,$^))
$(FUZZ_FOREVER)/fuzz: $(FUZZ_SRC) tests/fuzz/libfuzzer.c $(UNIT_SRC) | deps-test $(ABI)
	$(Q)mkdir -p $(@D)/corpus
	$(Q)$(MAKE) --no-print-directory UNIT=$(FUZZ_FOREVER)/obj UNIT_CC=clang \
	    UNIT_SAN='$(UNIT_SAN) -fsanitize=fuzzer-no-link' $(FUZZ_FOREVER_OBJ)
	$(Q)clang $(UNIT_SAN) -fsanitize=fuzzer -o $@ $(FUZZ_FOREVER_OBJ)
fuzz-forever: $(FUZZ_FOREVER)/fuzz
	@for i in 1 2 3 4 5 6 7 8; do head -c 4096 /dev/urandom > $(FUZZ_FOREVER)/corpus/random$$i; done
	$< -max_len=4096 -len_control=0 $(FUZZ_FLAGS) $(FUZZ_FOREVER)/corpus

TESTS += lint-layers unit fuzz

# Who may include whom (the table is in the script), and that each header compiles alone.
lint-layers: $(HV_OBJS) | deps-test $(ABI)
	$(call say,LAYERS,common xen arch tests)
	$(Q)python3 tests/lint/layers.py
	$(Q)python3 tests/lint/rooms.py $(HV)/xen
	$(Q)for h in $(wildcard common/*.h common/*/*.h xen/*.h xen/*/*.h arch/*.h); do \
	    gcc $(HV_CFLAGS) -Wno-unused-function -fsyntax-only -x c $$h || exit 1; done

-include $(shell find $(UNIT) -name '*.d' 2>/dev/null)
