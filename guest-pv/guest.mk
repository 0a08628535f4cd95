# The guest's part of the build: newlib once, then the PV kernel with its suites, the one with the
# store, and the one that hosts unmodified kernels. Included by the top Makefile.

# The image is linked into the top 2 GiB, so everything in it is -mcmodel=kernel. No red zone: the
# hypervisor bounces traps onto the stack we are running on.
GUEST_MACH   := -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie -fno-stack-protector \
                -fcf-protection=none -ffreestanding

# --- newlib -------------------------------------------------------------------------------------
NEWLIB       := $(BUILD)/newlib/x86_64-elf
NEWLIB_STAMP := $(BUILD)/newlib.stamp
NEWLIB_BUILD := $(BUILD)/newlib-build

$(NEWLIB_STAMP): | deps
	@rm -rf $(NEWLIB_BUILD) $(BUILD)/newlib && mkdir -p $(NEWLIB_BUILD)/obj
	@echo "  NEWLIB   $(BUILD)/newlib (once; log in $(NEWLIB_BUILD)/log)"
	@tar -xf /usr/src/newlib/*.tar.xz -C $(NEWLIB_BUILD) --strip-components=1
	@(cd $(NEWLIB_BUILD)/obj && \
	  unset MAKEFLAGS MFLAGS MAKELEVEL && \
	  ../configure --target=x86_64-elf --prefix=$(abspath $(BUILD)/newlib) \
	    --disable-newlib-supplied-syscalls --disable-libgloss --disable-multilib --disable-nls \
	    --enable-newlib-io-long-long \
	    --enable-newlib-io-c99-formats \
	    CC_FOR_TARGET=gcc AR_FOR_TARGET=ar RANLIB_FOR_TARGET=ranlib AS_FOR_TARGET=as LD_FOR_TARGET=ld \
	    NM_FOR_TARGET=nm STRIP_FOR_TARGET=strip CFLAGS_FOR_TARGET="-O2 -g0 $(GUEST_MACH)" && \
	  make -j2 MAKEINFO=true && make MAKEINFO=true install) > $(NEWLIB_BUILD)/log 2>&1 || \
	  { tail -n 20 $(NEWLIB_BUILD)/log; exit 1; }
	@touch $@

# --- the kernel ---------------------------------------------------------------------------------
GUEST_PV     := $(BUILD)/guest-pv/guest-pv
GUEST_CC     ?= gcc
# Three programs on the same base: the suites, the service domain that keeps the store, and the
# vmm.
GUEST_BASE   := $(sort $(wildcard guest-pv/*.S guest-pv/*.c))
GUEST_OBJ    := $(patsubst %,$(BUILD)/%.o,$(GUEST_BASE) \
                $(sort $(wildcard guest-pv/suites/*.S guest-pv/suites/*.c)) \
                $(sort $(wildcard guest-pv/bare/*.S guest-pv/bare/*.c)))
GUEST_STORE  := $(BUILD)/guest-pv/store
STORE_SRC    := $(sort $(wildcard guest-pv/store/*.c))
STORE_OBJ    := $(patsubst %,$(BUILD)/%.o,$(GUEST_BASE) guest-pv/suites/gnttab.c) \
                $(patsubst guest-pv/store/%,$(BUILD)/guest-pv/store-obj/%.o,$(STORE_SRC))

# The driver domain: disks for the other guests.
GUEST_DRIVER := $(BUILD)/guest-pv/driver
DRIVER_SRC   := $(sort $(wildcard guest-pv/driver/*.c))
DRIVER_OBJ   := $(patsubst %,$(BUILD)/%.o,$(GUEST_BASE) guest-pv/suites/gnttab.c) \
                $(patsubst guest-pv/driver/%,$(BUILD)/guest-pv/driver-obj/%.o,$(DRIVER_SRC))

# The vmm is plain C that the host tests build too: its includes are written from the root. Only the
# files that emulate SSE and x87 may use their registers: where a way runs the guest's code itself,
# they hold the guest's values. No frame pointers: most functions are short and end in a jump to the
# next. gcc does not see that raise_fault() returns false, and takes what was not set before such a
# return for used.
GUEST_VMM    := $(BUILD)/guest-pv/vmm
VMM_SRC_C    := $(sort $(wildcard guest-pv/vmm/*.c guest-pv/vmm/*/*.c)) common/elf.c \
                $(sort $(wildcard common/x86/*.c))
VMM_SRC_S    := $(sort $(wildcard guest-pv/vmm/*.S))
VMM_OBJ      := $(patsubst %,$(BUILD)/%.o,$(GUEST_BASE)) \
                $(patsubst %,$(BUILD)/guest-pv/vmm-obj/%.o,$(VMM_SRC_C) $(VMM_SRC_S))
VMM_WITH_SSE := guest-pv/vmm/core/sse% guest-pv/vmm/core/x87% guest-pv/vmm/emulate/ops_sse%
VMM_CFLAGS    = -I. -fomit-frame-pointer -Wno-maybe-uninitialized \
                $(if $(filter $(VMM_WITH_SSE),$<),,-mgeneral-regs-only)

# The compiler's own headers. It is asked at the first use: only then is it there for certain.
GUEST_CC_INCLUDE = $(eval GUEST_CC_INCLUDE := \
                   $(shell $(GUEST_CC) -print-file-name=include))$(GUEST_CC_INCLUDE)
GUEST_CFLAGS  = -std=gnu11 -O2 -g $(GUEST_MACH) -fno-asynchronous-unwind-tables \
                -fno-omit-frame-pointer -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
                -Wmissing-prototypes -MMD -MP \
                -D__XEN_INTERFACE_VERSION__=0x00040e00 -nostdinc \
                -isystem $(GUEST_CC_INCLUDE) -isystem $(NEWLIB)/include \
                -isystem $(BUILD)/abi -I$(BUILD) -Iguest-pv -Iguest-pv/suites

define GUEST_COMPILE
	@mkdir -p $(@D)
	@echo "  CC       $<"
	@$(GUEST_CC) $(GUEST_CFLAGS) $(if $(filter %.S,$<),-D__ASSEMBLY__) -c -o $@ $<
endef
$(BUILD)/guest-pv/%.o: guest-pv/% | $(NEWLIB_STAMP) $(ABI)
	$(GUEST_COMPILE)
$(BUILD)/guest-pv/suites/bench%: GUEST_CFLAGS += -I.
# Beside the program of that name.
$(BUILD)/guest-pv/store-obj/%.o: guest-pv/store/% | $(NEWLIB_STAMP) $(ABI)
	$(GUEST_COMPILE)

$(BUILD)/guest-pv/driver-obj/%.o: guest-pv/driver/% | $(NEWLIB_STAMP) $(ABI)
	$(GUEST_COMPILE)

$(BUILD)/guest-pv/vmm-obj/%.o: % | $(NEWLIB_STAMP) $(ABI)
	$(GUEST_COMPILE)
$(BUILD)/guest-pv/vmm-obj/%.o: GUEST_CFLAGS += $(VMM_CFLAGS)

# Its calls must leave the kernel's SSE registers alone.
$(BUILD)/guest-pv/bare/%.o: GUEST_CFLAGS += -mgeneral-regs-only

# The suites' kernel also starts without a hypervisor (bare/), so it has other segments.
$(BUILD)/guest-pv/plain.lds: LDS_DEFINES =
$(BUILD)/guest-pv/bare.lds: LDS_DEFINES = -DBARE
$(BUILD)/guest-pv/plain.lds $(BUILD)/guest-pv/bare.lds: guest-pv/guest.lds | deps
	@mkdir -p $(@D)
	@$(GUEST_CC) -E -P -x assembler-with-cpp $(LDS_DEFINES) -o $@ $<

$(GUEST_PV): $(GUEST_OBJ) $(BUILD)/guest-pv/bare.lds
$(GUEST_STORE) $(GUEST_DRIVER) $(GUEST_VMM): $(BUILD)/guest-pv/plain.lds
$(GUEST_STORE): $(STORE_OBJ)
$(GUEST_DRIVER): $(DRIVER_OBJ)
$(GUEST_VMM): $(VMM_OBJ)
$(GUEST_PV) $(GUEST_STORE) $(GUEST_DRIVER) $(GUEST_VMM):
	@echo "  LD       $@"
	@ld -m elf_x86_64 -static -nostdlib -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	    -T $(filter %.lds,$^) -o $@ $(filter %.o,$^) \
	    --start-group $(NEWLIB)/lib/libc.a $(NEWLIB)/lib/libm.a --end-group

-include $(GUEST_OBJ:.o=.d) $(STORE_OBJ:.o=.d) $(DRIVER_OBJ:.o=.d) $(VMM_OBJ:.o=.d)
