# The reader of traces, an ordinary program. Included by the top Makefile, which has libelf-dev in
# DEPS.
PVTRACE     := $(BUILD)/pvtrace
PVTRACE_X86 := $(patsubst %,common/x86/%.c,decode opcodes map operands) \
               $(wildcard common/x86/format*.c)
PVTRACE_SRC := $(wildcard tools/pvtrace/*.c) common/abi_names.c $(PVTRACE_X86) $(GEN)/abi_layouts.c
PVTRACE_OBJ := $(PVTRACE_SRC:%.c=$(BUILD)/host/%.o)

PVTRACE_LIBS := -lelf

HOST_CC     ?= gcc
HOST_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 \
               -I. -I$(BUILD) -isystem $(BUILD)/abi

$(BUILD)/host/%.o: %.c tools/pvtrace/pvtrace.mk | $(ABI)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(PVTRACE): $(PVTRACE_OBJ)
	$(call say,LD,$@)
	$(Q)$(HOST_CC) -o $@ $^ $(PVTRACE_LIBS)

-include $(PVTRACE_OBJ:.o=.d)
