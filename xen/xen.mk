# The hypervisor: every C file of common/, xen/ and arch/x86_64, and the assembler of arch/x86_64,
# linked twice (for the table of symbols) and wrapped into a format that boot loaders accept.
# Included by the top Makefile.

# DEBUG=1      assertions, and all references recounted whenever a domain has ended; other objects
# NO_TRACE=1   without the trace's checks, to measure what these cost
# IRQSOFF=1    measures how long interrupts stay off, and prints it at the end
# -g3 puts macros into the ELF file: tools/gdb reads their values there.
HV       := $(BUILD)/hv$(if $(DEBUG),-debug)
OFFSETS  := $(BUILD)/asm-offsets.h
LDS      := arch/x86_64/xen.lds
LOAD_PA  := 0x200000

HV_CC    ?= gcc
CPPFLAGS := -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -I. -Iarch/x86_64/include \
            -I$(BUILD) -isystem $(BUILD)/abi
# The image lies below the top 2 GiB, out of reach of -mcmodel=kernel: position-independent code
# reaches its own data wherever it is linked, and the plain static link leaves nothing to relocate.
MACH     := -ffreestanding -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden \
            -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
            -fno-strict-aliasing
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wundef -Wvla
HV_CFLAGS := -std=gnu11 -O2 -g3 $(MACH) $(WARN) $(CPPFLAGS) $(if $(DEBUG),-DDEBUG) \
             $(if $(NO_TRACE),-DTRACE_NEVER) $(if $(IRQSOFF),-DIRQSOFF)
DEPFLAGS = -MMD -MP -MF $(basename $@).d

# What tools and guests alone need of common/: what every instruction is, its text, some arithmetic.
NOT_IN_HV := $(patsubst %,common/x86/%.c,map operands arith) $(wildcard common/x86/format*.c)
# What is the same on each architecture, arch/host of the tests included.
ANY_ARCH_C := $(wildcard common/*.c common/*/*.c xen/*.c xen/*/*.c) $(GEN)/abi_dispatch.c
HV_C     := $(filter-out $(NOT_IN_HV),$(ANY_ARCH_C)) \
            $(filter-out %/asm-offsets.c,$(wildcard arch/x86_64/*.c)) arch/x86_64/efi/memory.c
HV_S     := $(wildcard arch/x86_64/*.S)
# An .S and a .c of one name would collide, so assembler objects keep their whole name.
HV_OBJS  := $(HV_S:%.S=$(HV)/%.S.o) $(HV_C:%.c=$(HV)/%.o)
HV_DEPS  := $(HV_OBJS:.o=.d) $(BUILD)/asm-offsets.d

$(HV)/%.o: %.c xen/xen.mk | $(ABI)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(HV)/%.S.o: %.S $(OFFSETS) xen/xen.mk | $(ABI)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) -D__ASSEMBLY__ $(DEPFLAGS) -c $< -o $@

# Structure offsets for the assembler come from the compiler: each `->NAME value` becomes a #define.
$(OFFSETS): arch/x86_64/asm-offsets.c xen/xen.mk | $(ABI)
	$(call say,OFFSETS,$@)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) -MMD -MP -MT $@ -MF $(BUILD)/asm-offsets.d -S $< \
	    -o $(BUILD)/asm-offsets.s
	$(Q)sed -En 's/^\s*\.ascii\s*"->(\w+) [$$]*(-?[0-9]+)".*/#define \1 \2/p' \
	    $(BUILD)/asm-offsets.s > $@.tmp
	$(Q)[ -s $@.tmp ] || { echo "$<: no offsets came out of it" >&2; exit 1; }
	$(Q)mv $@.tmp $@

# Stack traces need names. The image is linked once without them and once with the table made from
# the first link; the table lies behind the text, so no text address may move, and that is checked.
LD_HV = ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
        --build-id=none -T $(LDS)

$(HV)/symbols0.o: tools/symbols.awk | deps
	@mkdir -p $(@D)
	$(Q)tools/symbols.awk < /dev/null > $(HV)/symbols0.S
	$(Q)$(HV_CC) -c $(HV)/symbols0.S -o $@

# Relinked when DEBUG changes, though no object of either kind is new.
$(BUILD)/debug.mode: FORCE
	@mkdir -p $(@D); echo '$(DEBUG)' | cmp -s - $@ || echo '$(DEBUG)' > $@

$(BUILD)/paragon.elf64: $(HV_OBJS) $(HV)/symbols0.o $(LDS) $(BUILD)/debug.mode tools/symbols.awk
	$(call say,LD,$@)
	$(Q)$(LD_HV) -o $(HV)/pass1.elf $(HV_OBJS) $(HV)/symbols0.o
	$(Q)nm -n $(HV)/pass1.elf | tools/symbols.awk > $(BUILD)/symbols.S
	$(Q)$(HV_CC) -Wa,--fatal-warnings -c $(BUILD)/symbols.S -o $(HV)/symbols.o
	$(Q)$(LD_HV) -o $@ $(HV_OBJS) $(HV)/symbols.o
	$(Q)nm -n $@ | tools/symbols.awk | cmp -s - $(BUILD)/symbols.S || \
	    { echo "$(LDS): .symtab_ro must follow the text: symbols moved between the two links" >&2; \
	      exit 1; }

# Multiboot 1 loaders accept 32-bit ELF only. The flat image becomes the only segment of an ELF32,
# at its physical address, with its bss, entered at start32; grub-file then checks that both headers
# are where they must be (multiboot 2's has to be aligned in the file).
sym = 0x$$(nm $(BUILD)/paragon.elf64 | awk '$$3 == "$(1)" { print $$1 }')

$(BUILD)/paragon: $(BUILD)/paragon.elf64
	$(call say,IMAGE,$@)
	$(Q)objcopy -O binary $< $(BUILD)/paragon.bin
	$(Q)printf '%s\n' '.text' '.balign 64' '.incbin "$(BUILD)/paragon.bin"' '.bss' \
	    ".skip $(call sym,_image_end_phys) - $(LOAD_PA) - $$(stat -c %s $(BUILD)/paragon.bin)" \
	    '.section .note.GNU-stack, "", @progbits' > $(HV)/wrapper.S
	$(Q)gcc -m32 -c $(HV)/wrapper.S -o $(HV)/wrapper.o
	$(Q)ld -m elf_i386 -N --no-warn-rwx-segments --build-id=none -Ttext=$(LOAD_PA) \
	    -e $(call sym,_start32_phys) $(HV)/wrapper.o -o $@
	$(Q)for kind in x86-multiboot x86-multiboot2; do grub-file --is-$$kind $@ || \
	    { echo "$@: no $$kind header in its first 8 KiB (32)" >&2; exit 1; }; done

-include $(HV_DEPS)
