# Laws of data: z3 proves what the formulas of tests/laws/*.smt2 say of all 64-bit values, and
# millions of values are tried to see that the C code computes the same as the formulas. `make
# check-laws` takes half a minute. See tests/laws/README.
LAWS := $(BUILD)/laws
LAWS_SMT := $(sort $(wildcard tests/laws/*.smt2))
LAWS_CALLS := $(patsubst %,$(LAWS)/tests/laws/%.o,pages frames cpu segments lists times hooks)
LAWS_FAST := $(LAWS)/tests/laws/tie.o $(LAWS)/models.o

# Static functions, which are made global in the objects that are linked here.
LAWS_STATIC := pagetype:table_refused pagetype:is_hole_slot mmu_update:mod_table_entry \
    mmu_update:update_one ptwr:store_to_l1 upcall:bounce emulate:write_cr emulate:xcr0_ok \
    debugreg:set_dr7 vcpu_init:set_registers desc:gdt_nr_frames segments:gate_target_ok elf:inside \
    grant_copy:within grant_map:maptrack_by_handle console_ring:nr_waiting \
    evtchn_fifo:link_to_tail time:inverse
LAWS_FILES := $(foreach s,$(LAWS_STATIC),$(filter %/$(firstword $(subst :, ,$s)).c,$(UNIT_SRC)))
LAWS_OPENED := $(sort $(LAWS_FILES:%.c=$(LAWS)/%.o))
# Functions that hooks.c replaces.
WRAPPED := mfn_to_virt arch_copy_from_guest arch_copy_to_guest put_guest_words domain_crash \
    arch_load_root arch_paddr_bits arch_has_nx arch_tsc_hz arch_cr4_host arch_cr4_guest_mask \
    arch_xcr0_mask arch_load_cr4 arch_load_user_gs

static_in = $(patsubst $(1):%,%,$(filter $(1):%,$(LAWS_STATIC)))
$(LAWS_OPENED) $(LAWS_CALLS): $(LAWS)/%.o: %.c tests/laws/laws.mk | deps-test $(ABI)
	$(call say,LAWS-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) -Itests/laws -fkeep-static-functions $(DEPFLAGS) -c $< -o $@
	$(Q)objcopy $(addprefix --globalize-symbol=,$(call static_in,$(basename $(notdir $<)))) $@

LAWS_CFLAGS := $(filter-out $(UNIT_SAN) -O1 -fno-omit-frame-pointer,$(UNIT_CFLAGS)) -O2 -Itests/laws
$(LAWS)/models.c: tests/laws/laws.py tests/laws/smt.py $(LAWS_SMT)
	@mkdir -p $(@D)
	$(Q)python3 -B tests/laws/laws.py translate $(LAWS_SMT) > $@
$(LAWS)/models.o: $(LAWS)/models.c tests/laws/bv.h tests/laws/tie.h | deps-test
	$(call say,LAWS-CC,$<)
	$(Q)$(UNIT_CC) $(LAWS_CFLAGS) -Wno-unused-function -Wno-unused-parameter -c $< -o $@
$(LAWS)/tests/laws/tie.o: tests/laws/tie.c tests/laws/laws.mk | deps-test $(ABI)
	$(call say,LAWS-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(LAWS_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(LAWS)/tie: $(LAWS_FAST) $(LAWS_CALLS) $(LAWS_OPENED) $(UNIT)/libhv.a
	$(call say,LAWS-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $(sort $(filter %.o,$^)) $(UNIT)/libhv.a \
	    $(WRAPPED:%=-Wl,--wrap=%)

.PHONY: check-laws
check-laws: $(LAWS)/tie
	$(call say,TEST,$@)
	@python3 -B tests/laws/laws.py check $< tests/laws/README $(LAWS_SMT)

TESTS += check-laws

-include $(shell find $(LAWS) -name '*.d' 2>/dev/null)
