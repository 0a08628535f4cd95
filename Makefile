# The whole build. `make help` lists the targets and the variables; everything made lands under build/.
# This file owns the packages, the hypervisor image, the ISO and booting it. guest-pv/guest.mk owns newlib and
# the guest kernel, tools/linux/linux.mk the Linux guest, tests/tests.mk the tests.

BUILD := build
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# --- What a user may set ----------------------------------------------------------------------------------
ACCEL    ?= auto
CPU      ?= max
MEM      ?= 512
FIRMWARE ?= bios
BOOT     ?= grub
TIMEOUT  ?=
SUITES   ?= all
GUEST    ?=
KERNEL   ?=
RAMDISK  ?=
INITRD   ?= $(RAMDISK)
WORDS    ?=
STORE    ?= yes
CMDLINE  ?=
APPEND   ?=
TRACE    ?= $(if $(filter trace,$(MAKECMDGOALS)),all)
VIEW     ?= -C
TRACE_FILE ?= $(BUILD)/trace.bin
RECORDING ?= $(BUILD)/recording
GDB_AT   ?= localhost:1234
# GUEST=path is a kernel taken as it is, KERNEL=path one that is unpacked first; the ramdisk has two names.
WITH_LINUX   := $(filter linux,$(GUEST))
USER_GUEST   := $(if $(WITH_LINUX),,$(GUEST))
USER_RAMDISK := $(INITRD)
USER_KERNEL  := $(if $(KERNEL),$(BUILD)/kernel.elf,$(USER_GUEST))
ENTRY    ?= $(if $(USER_KERNEL),own,$(or $(WITH_LINUX),guests))
ISO      ?= $(BUILD)/paragon.iso
# A guest of yours alone on a terminal is given it. make says when its output is one, test when its input is.
AT_TERMINAL := $(if $(MAKE_TERMOUT),$(if $(filter run record debug,$(MAKECMDGOALS)),$(shell test -t 0 && echo y)))
RAW      ?= $(if $(AT_TERMINAL),$(if $(filter own linux,$(ENTRY)),auto,off),off)

$(if $(filter auto kvm tcg,$(ACCEL)),,$(error ACCEL=$(ACCEL): must be auto, kvm or tcg))
$(if $(filter auto on off,$(RAW)),,$(error RAW=$(RAW): must be auto, on or off))
$(if $(filter yes no,$(STORE)),,$(error STORE=$(STORE): must be yes or no))
$(if $(filter bios uefi,$(FIRMWARE)),,$(error FIRMWARE=$(FIRMWARE): must be bios or uefi))
comma := ,
TRACE_WORDS := hypercall args trap emul event sched mem hypercalls all off
$(if $(filter-out $(TRACE_WORDS) $(TRACE_WORDS:%=-%),$(subst $(comma), ,$(TRACE))),\
    $(error TRACE=$(TRACE): must be words of $(TRACE_WORDS), with commas between and - before what is not wanted))
$(if $(filter grub efi esp,$(BOOT)),,$(error BOOT=$(BOOT): must be grub, efi or esp))
$(if $(filter bios,$(FIRMWARE)),$(if $(filter grub,$(BOOT)),,$(error BOOT=$(BOOT) needs FIRMWARE=uefi)))
# $(call need_file,VARIABLE,VALUE): it names a file that can be read.
need_file = $(if $(2),$(if $(shell test -f '$(2)' -a -r '$(2)' && echo y),,\
    $(error $(1)=$(2): $(if $(wildcard $(2)),not a file that can be read,no such file))))
$(call need_file,GUEST,$(USER_GUEST))
$(call need_file,KERNEL,$(KERNEL))
$(call need_file,$(if $(RAMDISK),RAMDISK,INITRD),$(INITRD))
$(if $(KERNEL),$(if $(GUEST),$(error KERNEL= and GUEST= are two kernels: give one)))
$(if $(INITRD),$(if $(USER_KERNEL),,\
    $(error $(if $(RAMDISK),RAMDISK=,INITRD=) needs GUEST= or KERNEL=, the kernel that it belongs to)))
$(if $(shell [[ "$(MEM)$(TIMEOUT)" =~ ^[0-9]+$$ ]] && echo y),,\
    $(error MEM=$(MEM): must be a number of MiB, TIMEOUT=$(TIMEOUT) one of seconds))
$(if $(filter $(ENTRY),$(shell sed -n 's/.*--id \([a-z]*\).*/\1/p' grub.cfg)),,\
    $(error ENTRY=$(ENTRY): grub.cfg has no such entry))
$(if $(findstring ',$(CMDLINE)$(APPEND)$(SUITES)$(WORDS)$(VIEW)),\
    $(error CMDLINE=, APPEND=, WORDS=, SUITES= and VIEW= cannot hold a single quote))

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
endif

.PHONY: help run trace record replay debug debug-replay iso build deps deps-test clean oracle test lint soak

help:
	@echo 'Paragon: a small hypervisor for Xen PV guests. Targets:'
	@echo '  run      install what is missing, build, boot the ISO, report; exits 0 when every guest passed'
	@echo '  trace    the same, and every hypercall, trap and event of the guests as it happens; kept in $(TRACE_FILE)'
	@echo '  record   as run, emulated, and keeps in RECORDING=$(RECORDING) all that the machine was given;  replay  runs that'
	@echo '           once more, the same to the byte'
	@echo '  debug    as run, but QEMU waits for gdb at GDB_AT=$(GDB_AT);  debug-replay  the same for a recording'
	@echo '  test     every test: runner, lint, unit tests, boot tests'
	@echo '  test-kvm those tests that boot under real KVM, inside an emulated machine: no /dev/kvm is needed'
	@echo '  trace-cost  what tracing costs a Linux boot, in instructions;  trace-speed  how fast pvtrace reads'
	@echo '  check-model  every sequence of page-table calls in a small world (check-model-long: a larger one);'
	@echo '           check-planted: that it finds bugs'
	@echo '  soak     two minutes of stress-ng in a Linux guest'
	@echo '  oracle   the same guest on Debian'"'"'s Xen and on ours, compared test by test'
	@echo '  fuzz-long  a hundred million random hypercalls on the host;  irqsoff  a hypervisor that measures how long others wait'
	@echo '  build, iso, deps, deps-test, lint, clean'
	@echo 'Variables:'
	@echo '  GUEST=linux            Debian'"'"'s kernel with a shell on its console (downloaded, not installed)'
	@echo '  KERNEL=vmlinuz INITRD=file CMDLINE="words"  your own kernel: bzImage or ELF, unpacked if need be'
	@echo '  GUEST=kernel RAMDISK=file CMDLINE="words"   the same for an ELF file that is taken as it is'
	@echo '  WORDS="vcpus=2 mem=256M"   the words of the hypervisor about that one guest'
	@echo '  STORE=no               your own kernel without the xenstore service beside it (yes)'
	@echo '  RAW=auto|on|off        whether a guest gets the terminal as it is, without (d1) before its lines (auto with one'
	@echo '                         guest of yours and a terminal, else off)'
	@echo '  SUITES=boot,traps      suites of the test guests (all)'
	@echo '  ENTRY=one              menu entry of grub.cfg: guests one four crash own linux (guests)'
	@echo '  APPEND="words"         more options for the hypervisor'
	@echo '  TRACE=all,-sched       what is traced (make trace: all);  VIEW="-e trace=mmu -p d1"  options of pvtrace (-C)'
	@echo '  ACCEL=auto|kvm|tcg  CPU=max  MEM=512  FIRMWARE=bios|uefi  V=1  DEBUG=1'
	@echo '  BOOT=grub|efi|esp      with FIRMWARE=uefi: what starts the hypervisor; GRUB, GRUB by way of xen.efi,'
	@echo '                         or the firmware itself, from build/paragon.esp'
	@echo '  TIMEOUT=seconds        0: none (300, and none with one guest of yours and a terminal)'

# --- Packages ---------------------------------------------------------------------------------------------
# What needs it                 Debian packages
DEPS  := gcc libc6-dev binutils
DEPS  += libxen-dev gnu-efi
DEPS  += newlib-source xz-utils
DEPS  += grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools
DEPS  += qemu-system-x86 seabios ovmf python3
DEPS  += $(if $(KERNEL)$(WITH_LINUX),zstd lz4 bzip2)
DEPS  += $(if $(filter debug debug-replay,$(MAKECMDGOALS)),gdb)
DEPS_TEST := gdb babeltrace2 libcmocka-dev clang libclang-rt-14-dev sbsigntool openssl

# $(call install,PACKAGES): asks dpkg first, so that a complete machine is neither touched nor kept waiting.
define install
	@missing=$$(comm -23 <(printf '%s\n' $(1) | sort) \
	    <(dpkg-query -W -f='$${Status} $${Package}\n' $(1) 2>/dev/null | \
	      sed -n 's/^install ok installed //p' | sort)); \
	[ -z "$$missing" ] && exit 0; \
	echo "missing packages, installing:" $$missing; \
	apt="env DEBIAN_FRONTEND=noninteractive apt-get"; \
	if [ $$(id -u) != 0 ]; then \
	    command -v sudo >/dev/null || { echo "not root and no sudo: install them and try again" >&2; exit 1; }; \
	    apt="sudo $$apt"; \
	fi; \
	compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || $$apt -q update || exit 1; \
	$$apt -q install -y --no-install-recommends $$missing || \
	    { $$apt -q update && $$apt -q install -y --no-install-recommends $$missing; }
endef

deps:
	$(call install,$(DEPS))
deps-test: deps
	$(call install,$(DEPS_TEST))

clean:
	rm -rf $(BUILD)

# A rule is read before a compiler or a header that it asks about is installed. So every other goal first
# makes sure of the packages, here, and only then has make read the rest of this file.
OWN_GOALS   := help deps deps-test clean
OTHER_GOALS := $(filter-out $(OWN_GOALS),$(MAKECMDGOALS))
ifneq ($(if $(PACKAGES_READY),,$(OTHER_GOALS)),)

.PHONY: $(OTHER_GOALS) rest
$(OTHER_GOALS): rest ; @:
rest: $(if $(filter-out run trace record replay debug debug-replay iso build oracle soak trace-cost $(BUILD)/%,$(OTHER_GOALS)),deps-test,deps)
	@$(MAKE) --no-print-directory PACKAGES_READY=y $(OTHER_GOALS)

else

# --- The hypervisor ---------------------------------------------------------------------------------------
# DEBUG=1: assertions, and every reference recounted whenever a domain has ended. Objects of its own.
# NO_TRACE=1: without the places where the trace hangs, to measure what they cost.
# -g3: gdb reads the values of macros, too, and tools/gdb has none of its own.
# IRQSOFF=1: measures how long interrupts stay off, and says so at the end.
HV       := $(BUILD)/hv$(if $(DEBUG),-debug)
ABI      := $(BUILD)/abi/public
OFFSETS  := $(BUILD)/asm-offsets.h
LDS      := arch/x86_64/xen.lds
LOAD_PA  := 0x200000

HV_CC    ?= gcc
CPPFLAGS := -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -I. -Iarch/x86_64/include -I$(BUILD) \
            -isystem $(BUILD)/abi
# The image lies below the top 2 GiB, out of reach of -mcmodel=kernel: position-independent code reaches its
# own data wherever it is linked, and the plain static link leaves nothing to relocate.
MACH     := -ffreestanding -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden \
            -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef \
            -Wvla
HV_CFLAGS := -std=gnu11 -O2 -g3 $(MACH) $(WARN) $(CPPFLAGS) $(if $(DEBUG),-DDEBUG) $(if $(NO_TRACE),-DTRACE_NEVER) \
             $(if $(IRQSOFF),-DIRQSOFF)
DEPFLAGS = -MMD -MP -MF $(basename $@).d

HV_C     := $(wildcard common/*.c common/*/*.c xen/*.c xen/*/*.c) $(filter-out %/asm-offsets.c,$(wildcard arch/x86_64/*.c)) \
            arch/x86_64/efi/memory.c
HV_S     := $(wildcard arch/x86_64/*.S)
# An .S and a .c of one name would collide, so assembler objects keep their whole name.
HV_OBJS  := $(HV_S:%.S=$(HV)/%.S.o) $(HV_C:%.c=$(HV)/%.o)
HV_DEPS  := $(HV_OBJS:.o=.d) $(BUILD)/asm-offsets.d

$(ABI):
	@mkdir -p $(@D) && ln -sfn /usr/include/xen $@

$(HV)/%.o: %.c Makefile | $(ABI)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(HV)/%.S.o: %.S $(OFFSETS) Makefile | $(ABI)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) -D__ASSEMBLY__ $(DEPFLAGS) -c $< -o $@

# Structure offsets for the assembler come out of the compiler: each `->NAME value` becomes a #define.
$(OFFSETS): arch/x86_64/asm-offsets.c Makefile | $(ABI)
	$(call say,OFFSETS,$@)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(HV_CFLAGS) -MMD -MP -MT $@ -MF $(BUILD)/asm-offsets.d -S $< -o $(BUILD)/asm-offsets.s
	$(Q)sed -En 's/^\s*\.ascii\s*"->(\w+) [$$]*(-?[0-9]+)".*/#define \1 \2/p' $(BUILD)/asm-offsets.s > $@.tmp
	$(Q)[ -s $@.tmp ] || { echo "$<: no offsets came out of it" >&2; exit 1; }
	$(Q)mv $@.tmp $@

# Stack traces need names. The image is linked once without them and once with the table made from the first
# link; the table lies behind the text, so no text address may move, and that is checked. Sorted by address,
# one name for each. Addresses are strings of 16 digits here; the arithmetic is left to the assembler.
define SYMBOLS_AWK
BEGIN { n = 0 }
$$3 == "_stext" { base = $$1 }
$$2 ~ /^[tTwW]$$/ && $$3 !~ /^[.$$]/ && base != "" && $$1 "" != last {
    last = $$1 ""; addr[n] = last; name[n++] = $$3
}
END {
    print ".section .symtab_ro, \"a\""
    print ".global ksym_count, ksym_offsets, ksym_names, ksym_strings"
    print ".balign 4\nksym_count: .long " n + 0
    print "ksym_offsets:"; for (i = 0; i < n; i++) print ".long 0x" addr[i] " - 0x" base
    print "ksym_names:";   for (i = 0; i < n; i++) print ".long .Ln" i " - ksym_strings"
    print "ksym_strings:"; for (i = 0; i < n; i++) print ".Ln" i ": .asciz \"" name[i] "\""
    print ".section .note.GNU-stack, \"\", @progbits"
}
endef
export SYMBOLS_AWK
LD_HV = ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=none \
        -T $(LDS)

$(HV)/symbols0.o: Makefile
	@mkdir -p $(@D)
	$(Q)awk "$$SYMBOLS_AWK" < /dev/null > $(HV)/symbols0.S
	$(Q)$(HV_CC) -c $(HV)/symbols0.S -o $@

# Relinked when DEBUG changes, though no object of either kind is new.
$(BUILD)/debug.mode: FORCE
	@mkdir -p $(@D); echo '$(DEBUG)' | cmp -s - $@ || echo '$(DEBUG)' > $@

$(BUILD)/paragon.elf64: $(HV_OBJS) $(HV)/symbols0.o $(LDS) $(BUILD)/debug.mode
	$(call say,LD,$@)
	$(Q)$(LD_HV) -o $(HV)/pass1.elf $(HV_OBJS) $(HV)/symbols0.o
	$(Q)nm -n $(HV)/pass1.elf | awk "$$SYMBOLS_AWK" > $(BUILD)/symbols.S
	$(Q)$(HV_CC) -Wa,--fatal-warnings -c $(BUILD)/symbols.S -o $(HV)/symbols.o
	$(Q)$(LD_HV) -o $@ $(HV_OBJS) $(HV)/symbols.o
	$(Q)nm -n $@ | awk "$$SYMBOLS_AWK" | cmp -s - $(BUILD)/symbols.S || \
	    { echo "$(LDS): .symtab_ro must follow the text: symbols moved between the two links" >&2; exit 1; }

# Multiboot 1 loaders take 32-bit ELF only. The flat image goes into one segment of an ELF32 at its physical
# address, entered at start32, its bss included; grub-file then says whether both headers are where they must
# be (multiboot 2 wants its own aligned in the file).
sym = 0x$$(nm $(BUILD)/paragon.elf64 | awk '$$3 == "$(1)" { print $$1 }')

$(BUILD)/paragon: $(BUILD)/paragon.elf64
	$(call say,IMAGE,$@)
	$(Q)objcopy -O binary $< $(BUILD)/paragon.bin
	$(Q)printf '%s\n' '.text' '.balign 64' '.incbin "$(BUILD)/paragon.bin"' '.bss' \
	    ".skip $(call sym,_image_end_phys) - $(LOAD_PA) - $$(stat -c %s $(BUILD)/paragon.bin)" \
	    '.section .note.GNU-stack, "", @progbits' > $(HV)/wrapper.S
	$(Q)gcc -m32 -c $(HV)/wrapper.S -o $(HV)/wrapper.o
	$(Q)ld -m elf_i386 -N --no-warn-rwx-segments --build-id=none -Ttext=$(LOAD_PA) -e $(call sym,_start32_phys) \
	    $(HV)/wrapper.o -o $@
	$(Q)for kind in x86-multiboot x86-multiboot2; do \
	    grub-file --is-$$kind $@ || { echo "$@: no $$kind header in its first 8 KiB (32)" >&2; exit 1; }; done

include arch/x86_64/efi/efi.mk

# The fragment has a GUEST of its own; the user's lives on as USER_KERNEL.
override undefine GUEST
include guest-pv/guest.mk
GUEST_PV := $(BUILD)/guest-pv/guest-pv
build: $(BUILD)/paragon $(GUEST_PV) $(GUEST_STORE)

include tools/linux/linux.mk
include tools/pvtrace/pvtrace.mk
ifneq ($(KERNEL),)
$(USER_KERNEL): $(KERNEL) tools/unpack-kernel FORCE
	$(call say,UNPACK,$<)
	$(Q)tools/unpack-kernel $< $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endif

# --- The ISO ----------------------------------------------------------------------------------------------
# options.cfg carries the variables above to grub.cfg. It is rewritten only when it changes, so that the ISO
# is remade exactly when something in it is new.
TREE := $(ISO:.iso=.tree)
ESP  := $(ISO:.iso=.esp)
XEN_EFI := $(BUILD)/xen.efi
include tools/iso.mk
# Guests that are tests are followed by the table of hypercalls that they made.
export GRUB_OPTIONS = $(strip $(if $(filter own linux,$(ENTRY)),,hypercall_counts) $(if $(TRACE),trace=$(TRACE)) $(if $(filter off,$(RAW)),,console_raw=$(RAW)) $(APPEND))
# A serial line does not tell the size of the terminal at its other end. Linux gives words that it does not know to its
# first program as variables, and tools/linux/init does the rest.
TERMINAL := $(if $(AT_TERMINAL),$(if $(filter off,$(RAW)),,$(shell stty size | sed 's/ / columns=/; s/^/rows=/') \
            $(shell expr "$$TERM" : '\([a-z0-9-]*\)$$' | sed 's/^/TERM=/')))
export GRUB_CMDLINE = $(strip $(if $(WITH_LINUX),$(TERMINAL)) $(CMDLINE))
export GRUB_WORDS   = $(WORDS)
LINUX_FILES = $(if $(WITH_LINUX),$(LINUX)/vmlinux $(LINUX_RAMDISK))
export GRUB_SUITES  = $(SUITES)

.PHONY: FORCE
$(TREE)/boot/grub/options.cfg: FORCE
	@mkdir -p $(@D)
	@{ echo "set default='$(ENTRY)'"; \
	   echo "set boot='$(BOOT)'"; \
	   echo "set options='$$GRUB_OPTIONS'"; \
	   echo "set cmdline='$$GRUB_CMDLINE'"; \
	   echo "set suites='$$GRUB_SUITES'"; \
	   echo "set words='$$GRUB_WORDS'"; \
	   echo "set store='$(filter yes,$(STORE))'"; \
	   echo "set ramdisk='$(if $(USER_RAMDISK),/boot/ramdisk)'"; \
	   echo "# $(abspath $(USER_KERNEL) $(USER_RAMDISK) $(LINUX_FILES))"; } > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

$(ISO): $(BUILD)/paragon $(XEN_EFI) $(GUEST_PV) $(GUEST_STORE) grub.cfg tools/xen-cfg tools/iso.mk \
    $(TREE)/boot/grub/options.cfg $(USER_KERNEL) $(USER_RAMDISK) $(LINUX_FILES)
	$(call say,ISO,$@)
	$(Q)rm -f $(addprefix $(TREE)/boot/,guest ramdisk linux linux-ramdisk)
	$(Q)cp $(BUILD)/paragon $(TREE)/boot/paragon
	$(Q)strip -o $(TREE)/boot/guest-pv $(GUEST_PV)
	$(Q)strip -o $(TREE)/boot/store $(GUEST_STORE)
	$(Q)cp grub.cfg $(TREE)/boot/grub/grub.cfg
	$(Q)$(if $(USER_KERNEL),cp $(USER_KERNEL) $(TREE)/boot/guest)
	$(Q)$(if $(USER_RAMDISK),cp $(USER_RAMDISK) $(TREE)/boot/ramdisk)
	$(Q)$(if $(WITH_LINUX),cp $(LINUX)/vmlinux $(TREE)/boot/linux)
	$(Q)$(if $(WITH_LINUX),cp $(LINUX_RAMDISK) $(TREE)/boot/linux-ramdisk)
	$(put_esp)
	$(put_iso)

iso: $(ISO)

RUN = tools/paragon-run $(if $(filter esp,$(BOOT)),--esp $(ESP),--iso $(ISO)) --accel $(ACCEL) --cpu $(CPU) --mem $(MEM) --firmware $(FIRMWARE) \
      $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(filter own linux,$(ENTRY)),--raw) $(if $(JUNIT),--junit $(JUNIT))
run: $(ISO)
	@echo 'make trace instead of make run shows every hypercall, as strace would'
	@$(RUN)

trace: $(ISO) $(PVTRACE)
	@$(RUN) --trace $(TRACE_FILE) --pvtrace $(PVTRACE) --view='$(VIEW)'; status=$$?; \
	    echo 'The trace: $(TRACE_FILE), read by $(PVTRACE) (-c counts, --svg, --json, --ctf, --csv, -h)'; exit $$status

# With TRACE=words both keep a trace, too.
RECORDED_TRACE = $(if $(TRACE),--trace $(TRACE_FILE) --pvtrace $(PVTRACE))
record: $(ISO) $(if $(TRACE),$(PVTRACE))
	@$(RUN) --record $(RECORDING) $(RECORDED_TRACE)

# What was recorded is neither made anew nor looked at.
REPLAY = tools/paragon-run --rerun $(RECORDING) $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(RECORDED_TRACE)
replay: $(if $(TRACE),$(PVTRACE))
	@$(REPLAY)

debug: $(ISO)
	@$(RUN) --gdb $(GDB_AT)

debug-replay:
	@$(REPLAY) --gdb $(GDB_AT)

# --- Debian's Xen as the oracle ---------------------------------------------------------------------------
# Unpacked here, never installed.
ORACLE := $(BUILD)/oracle
XEN_PACKAGE := xen-hypervisor-4.17-amd64

$(ORACLE)/xen:
	@mkdir -p $(ORACLE)
	@ls $(ORACLE)/*.deb > /dev/null 2>&1 || { echo "  FETCH    $(XEN_PACKAGE)"; \
	    cd $(ORACLE) && apt-get -qq download $(XEN_PACKAGE) 2> apt.log || { cat apt.log; exit 1; }; }
	$(Q)dpkg-deb -x $(ORACLE)/$(XEN_PACKAGE)_*.deb $(ORACLE)/root
	$(Q)gzip -dc $(ORACLE)/root/boot/xen-4.17-amd64.gz > $@

oracle: $(ORACLE)/xen $(BUILD)/paragon $(GUEST_PV)
	@tools/oracle-compare --xen $(ORACLE)/xen --paragon $(BUILD)/paragon --guest $(GUEST_PV) \
	    --suites $(SUITES) --accel $(ACCEL) --exceptions tests/oracle-exceptions.txt --logs $(ORACLE)

include tests/tests.mk

-include $(HV_DEPS)

endif
