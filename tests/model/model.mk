# Every sequence of page-table calls and grants in a small world, on the real files of xen/ and the
# fake machine, without sanitizers. `make check-model` has the scopes that take three and a half
# minutes together, `make check-model-long` all of them.
MODEL := $(BUILD)/model
MODEL_CFLAGS := $(filter-out $(UNIT_SAN) -O1 -fno-omit-frame-pointer,$(UNIT_CFLAGS)) -O2 \
    -Itests/model
MODEL_SRC := $(ANY_ARCH_C) $(wildcard arch/host/*.c tests/model/*.c) \
    tests/unit/support.c tests/unit/tsan_calls.c
MODEL_OBJ := $(MODEL_SRC:%.c=$(MODEL)/%.o)
MODEL_SCOPES := two three four entries below deep return descriptors death grant grants \
    grants-v2 grants-both grant-end grants-end grant-ending preempted preempted-wide preempted-three
MODEL_SCOPES_LONG := three-deeper closed-below grants-deeper grants-both-deeper grants-end-deeper \
    grant-ending-deeper preempted-deeper

# A vCPU that would wait for the other in the middle of a call switches to it by preempt.c.
# What ptwr.c hands on is not the model's (run.c).
MODEL_LDFLAGS := -Wl,--wrap=vcpu_wait -Wl,--wrap=other_page_fault
# Points of cpus.c; what descriptors.c knows of.
MODEL_LDFLAGS += $(foreach f,host_step flush_since flush_foreign wait_for_flush \
    arch_map_gdt arch_clear_ldt arch_flush_all arch_load_root_and_flush,-Wl,--wrap=$f)

# A second program, with two CPUs: what changes page tables and the frame table is compiled so that
# each of its stores is such a point, too (stores.c).
MODEL_CPUS := $(MODEL)/cpus
MODEL_CPUS_SRC := $(addprefix xen/core/,alloc.c flush.c frame.c request.c) \
    $(addprefix xen/pv/,desc.c l1_entry.c linear.c memory.c mmu_update.c mmuext.c pagetype.c \
    ptwr.c grant.c grant_copy.c grant_map.c grant_maptrack.c grant_pin.c memory_exchange.c)
MODEL_CPUS_OBJ := $(filter-out $(MODEL_CPUS_SRC:%.c=$(MODEL)/%.o),$(MODEL_OBJ)) \
    $(MODEL_CPUS_SRC:%.c=$(MODEL_CPUS)/%.o)
MODEL_CPUS_CFLAGS := -fsanitize=thread --param tsan-instrument-func-entry-exit=0 -Wno-error
MODEL_CPUS_SCOPES := cpus cpus-below cpus-descriptors cpus-two cpus-preempted cpus-grant \
    cpus-grants cpus-foreign
MODEL_CPUS_SCOPES_LONG := cpus-descriptors-below cpus-two-deeper cpus-flat cpus-preempted-wide \
    cpus-grant-closed

# The allocator's static variables, which the model saves and restores.
MODEL_NAMES := zones zones_in_use nr_free
$(MODEL)/common/string.o $(MODEL)/common/printf.o: \
    MODEL_CFLAGS += $(foreach f,$(LIBC_NAMES),-D$(f)=hv_$(f)) -fno-builtin

$(MODEL)/%.o: %.c tests/model/model.mk | deps-test $(ABI)
	$(call say,MODEL-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(MODEL_CFLAGS) $(DEPFLAGS) -c $< -o $@
	$(Q)$(if $(filter xen/core/alloc.c,$<),objcopy $(MODEL_NAMES:%=--globalize-symbol=%) $@)

$(MODEL_CPUS)/%.o: %.c tests/model/model.mk | deps-test $(ABI)
	$(call say,MODEL-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(MODEL_CFLAGS) $(MODEL_CPUS_CFLAGS) $(DEPFLAGS) -c $< -o $@
	$(Q)$(if $(filter xen/core/alloc.c,$<),objcopy $(MODEL_NAMES:%=--globalize-symbol=%) $@)

$(MODEL)/model: $(MODEL_OBJ)
	$(call say,MODEL-LD,$@)
	$(Q)$(UNIT_CC) $(MODEL_LDFLAGS) -o $@ $^

$(MODEL)/model-cpus: $(MODEL_CPUS_OBJ)
	$(call say,MODEL-LD,$@)
	$(Q)$(UNIT_CC) $(MODEL_LDFLAGS) -o $@ $^

.PHONY: check-model check-model-long check-planted
check-model: $(MODEL)/model $(MODEL)/model-cpus
	@$< $(MODEL_SCOPES)
	@$(MODEL)/model-cpus $(MODEL_CPUS_SCOPES)
check-model-long: $(MODEL)/model $(MODEL)/model-cpus
	@$< $(MODEL_SCOPES) $(MODEL_SCOPES_LONG)
	@$(MODEL)/model-cpus $(MODEL_CPUS_SCOPES) $(MODEL_CPUS_SCOPES_LONG)

# Checks that the model finds bugs: some are planted, one at a time.
check-planted: $(MODEL)/model $(MODEL)/model-cpus
	@python3 -B tests/model/planted.py $(MODEL) $(UNIT_CC) $(MODEL_CFLAGS) -- $(MODEL_LDFLAGS) -- \
	    $(MODEL_OBJ) -- $(MODEL_CPUS_CFLAGS) -- $(MODEL_CPUS_OBJ)

TESTS += check-model check-planted

-include $(shell find $(MODEL) -name '*.d' 2>/dev/null)
