# The build as its users see it: what they may set, the packages, and running. `make help` shows it;
# everything that is made is under build/. Not here: the hypervisor (xen/xen.mk), xen.efi
# (arch/x86_64/efi/efi.mk), newlib and the PV guests (guest-pv/guest.mk), the Linux guest
# (tools/linux/linux.mk), the ISO (tools/iso.mk), the trace's reader (tools/pvtrace/pvtrace.mk), the
# tests (tests/tests.mk).

BUILD := build
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# --- What a user may set --------------------------------------------------------------------------
# Which guest: GUEST names one that comes with Paragon, KERNEL is a file; with neither, the test
# guests run.
GUEST    ?=
KERNEL   ?=
INITRD   ?=
CMDLINE  ?=
WORDS    ?=
STORE    ?= yes
WAY      ?= pv
ENTRY    ?= $(if $(or $(KERNEL),$(filter grub,$(GUEST))),own,$(or $(GUEST),guests))
SUITES   ?= all
# Which machine, and what is done with it.
ACCEL    ?= auto
CPU      ?= max
MEM      ?= $(if $(filter debian grub,$(GUEST)),1024,512)
# A recording has one CPU.
SMP      ?= $(if $(filter record debug debug-replay,$(MAKECMDGOALS)),1,2)
FIRMWARE ?= bios
BOOT     ?= grub
APPEND   ?=
# A disk and a network card for the guest, by way of the driver domain.
DISK     ?=
NET      ?= $(if $(filter debian grub,$(GUEST)),user,none)
SSH_PORT ?= $(if $(filter user,$(NET)),2222)
GUEST_DISK = $(or $(DISK),$(if $(filter debian grub,$(GUEST)),$(DEBIAN)/disk.img))
# Debian's disk, also as a copy or an overlay if its kernel is started without PV GRUB.
IS_DEBIAN  = $(or $(filter debian,$(GUEST)),$(if $(DISK),,$(filter grub,$(GUEST))))
TIMEOUT  ?=
TRACE    ?= $(if $(filter trace,$(MAKECMDGOALS)),all)
VIEW     ?= -C
TRACE_FILE ?= $(BUILD)/trace.bin
RECORDING  ?= $(BUILD)/recording
SNAPSHOT   ?=
GDB_AT   ?= localhost:1234
ISO      ?= $(BUILD)/paragon.iso
# A guest of yours that runs alone gets the terminal, if there is one: MAKE_TERMOUT says that make's
# output is a terminal, test -t that its input is.
YOURS       := $(filter own linux debian,$(ENTRY))
AT_TERMINAL := $(and $(MAKE_TERMOUT),$(filter run record debug,$(MAKECMDGOALS)),\
                 $(shell test -t 0 && echo y))
RAW      ?= $(if $(AT_TERMINAL),$(if $(YOURS),auto,off),off)

define HELP
Paragon, a small hypervisor for Xen PV guests. make TARGET VARIABLE=value ...
  run         fetch what is missing, build, boot, report; exits 0 if all is well
  trace       the same with every hypercall, trap and event (docs/trace.md)
  test        all tests; or: test-tools lint unit fuzz trace-test trace-cost
            boot-{tests,long} test-kvm check-{model,laws,spin,races} ways-test
  oracle      the test guest on Debian's Xen and on Paragon, compared
  bench       costs on bare, Xen, Paragon; bench-{check,accept,smp,devices}
  ways        test guest and Linux bare, hosted, PV: what fails, what it costs
  record      as run, and kept; replay: once more (SNAPSHOT=: docs/debugging.md)
  debug       as run, QEMU waits for gdb; debug-replay: for a recording
  soak        Linux under load; soak-{smp,disk};  build iso deps deps-test clean
Which guest (none: the test guests):
  GUEST=linux|debian|grub  a shell; Debian 12 with ssh; the menu on its disk
  KERNEL=file            yours, ELF or bzImage;  INITRD=file  its ramdisk
  CMDLINE="words"        for it;  WORDS="vcpus=2 mem=256M"  for the hypervisor
  ENTRY=one SUITES=a,b   test guests: guests one four crash; some suites
  STORE=no  KERNEL= without xenstore;  WAY=emulate|trap|translate  without PV
Which machine:
  ACCEL=auto|kvm|tcg CPU=max MEM=512 SMP=2 FIRMWARE=bios|uefi BOOT=grub|efi|esp
  DISK=file NET=none|user|tap SSH_PORT=2222;  APPEND="options"  of Paragon
  TRACE=all,-sched VIEW="-e trap"   what is traced; options of pvtrace
  RAW=auto|on|off        one guest gets the terminal as it is
  TIMEOUT=seconds JUNIT=file RECORDING=dir GDB_AT=localhost:1234 DEBUG=1 V=1
endef

# Values are checked before anything is built, unless python3 is not installed yet; then paragon-run
# checks them.
SETTINGS := ACCEL APPEND BOOT CMDLINE ENTRY FIRMWARE GUEST INITRD KERNEL MEM RAMDISK RAW STORE
SETTINGS += DISK NET SSH_PORT SMP SUITES TIMEOUT TRACE VIEW WAY WORDS
quote     = '$(subst ','\'',$(1))'
WRONG    := $(shell ! command -v python3 > /dev/null || \
              tools/settings.py $(foreach s,$(SETTINGS),$(call quote,$(s)=$($(s)))))
$(if $(WRONG),$(error $(WRONG)))

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
endif

.PHONY: help run trace record replay debug debug-replay iso build deps deps-test clean FORCE
help:
	$(info $(HELP))@:

clean:
	rm -rf $(BUILD)

# --- Packages -------------------------------------------------------------------------------------
# Everything that is compiled or downloaded has deps as an order-only prerequisite, and what only
# the tests need has deps-test; most have it through $(ABI), the headers of the ABI.
DEPS  := gcc libc6-dev binutils libelf-dev
DEPS  += libxen-dev gnu-efi
DEPS  += newlib-source xz-utils zstd lz4 bzip2
DEPS  += grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools
DEPS  += qemu-system-x86 seabios ovmf python3
DEPS  += $(if $(filter debug debug-replay,$(MAKECMDGOALS)),gdb)
DEPS_TEST := gdb babeltrace2 libcmocka-dev libzydis-dev clang libclang-rt-14-dev sbsigntool openssl
DEPS_TEST += libc6-dev-i386 lib32gcc-12-dev z3 spin e2fsprogs
DEPS_TEST += qemu-utils iproute2 sshpass openssh-client mmdebstrap debian-archive-keyring

deps:
	@tools/install-packages $(DEPS)
deps-test: deps
	@tools/install-packages $(DEPS_TEST)

# --- The parts ------------------------------------------------------------------------------------
include tools/abi.mk
include xen/xen.mk
include arch/x86_64/efi/efi.mk
include guest-pv/guest.mk
include tools/linux/linux.mk
include tools/pvtrace/pvtrace.mk
include tools/iso.mk
include tools/debian/debian.mk

build: $(BUILD)/paragon $(XEN_EFI) $(GUEST_PV) $(GUEST_STORE) $(GUEST_DRIVER) $(GUEST_VMM)
iso: $(ISO)

# --- Running --------------------------------------------------------------------------------------
RUN = tools/paragon-run $(if $(filter esp,$(BOOT)),--esp $(ESP),--iso $(ISO)) \
      --accel $(ACCEL) --cpu $(CPU) --way $(WAY) --mem $(MEM) --smp $(SMP) --firmware $(FIRMWARE) \
      $(if $(GUEST_DISK),--disk $(GUEST_DISK)) --net $(NET) --ssh-port $(or $(SSH_PORT),0) \
      $(if $(IS_DEBIAN),--login 'password paragon') \
      $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(YOURS),--raw) \
      $(if $(filter crash,$(ENTRY)),--expect-crash 1) $(if $(JUNIT),--junit $(JUNIT))
run: $(ISO) $(GUEST_DISK)
	@echo 'make trace instead of make run shows every hypercall, as strace would'
	@$(RUN)

trace: $(ISO) $(PVTRACE)
	@$(RUN) --trace $(TRACE_FILE) --pvtrace $(PVTRACE) --view='$(VIEW)'; status=$$?; \
	    echo 'The trace: $(TRACE_FILE)'; \
	    echo 'Its reader: $(PVTRACE) (-c counts, --svg, --json, --ctf, --csv, -h)'; \
	    exit $$status

# With TRACE=words both keep a trace, too.
RECORDED_TRACE = $(if $(TRACE),--trace $(TRACE_FILE) --pvtrace $(PVTRACE))
record: $(ISO) $(if $(TRACE),$(PVTRACE))
	@$(RUN) --record $(RECORDING) $(if $(SNAPSHOT),--snapshots $(SNAPSHOT)) $(RECORDED_TRACE)

# A replay runs the files of the recording: nothing is built for it.
REPLAY = tools/paragon-run --rerun $(RECORDING) $(if $(SNAPSHOT),--start $(SNAPSHOT)) \
         $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(RECORDED_TRACE)
replay: $(if $(TRACE),$(PVTRACE)) | deps
	@$(REPLAY)

debug: $(ISO)
	@$(RUN) --gdb $(GDB_AT)

debug-replay: | deps
	@$(REPLAY) --gdb $(GDB_AT)

include tests/tests.mk
