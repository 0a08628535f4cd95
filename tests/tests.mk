# What `make test` runs: JOBS at a time, and one more while something is downloaded. The files that
# are included here, and tests/unit/unit.mk, add their targets to TESTS. First come TESTS and what
# machines are booted with (boot-files), each target's output when it has ended. Then MACHINE_TESTS
# one by one, but several boot tests at a time.
#
# These leave processors idle: guests with several CPUs run alone, and halt much of the time. So
# ONLY_COMPUTE, in which nothing has a limit in seconds, runs beside MACHINE_TESTS, with a priority
# at which it gets only the processors that nothing else wants.
TESTS := test-tools lint
-include tests/unit/unit.mk
include tests/model/model.mk
include tests/laws/laws.mk
include tests/spin/spin.mk
include tests/interleave/interleave.mk
include tests/trace/trace.mk
include tests/boot/x86.mk
include tests/vmm/vmm.mk
TESTS += trace-test
# What is downloaded, and what has one thread, comes first. trace-cost, ways-test and bench-check
# count instructions of a machine with one CPU, not seconds.
TESTS := debian-disk boot-files trace-cost ways-test bench-check $(TESTS)
ONLY_COMPUTE  := check-model check-interleave fuzz check-laws fuzz-cpus
MACHINE_TESTS := boot-tests boot-smp-few test-debian
JOBS ?= $(if $(filter test,$(MAKECMDGOALS)),$(shell test `nproc` -gt 1 && echo 2 || echo 1),1)
MORE_JOBS = -j$(if $(filter 1,$(JOBS)),1,$(shell expr $(JOBS) + 1)) -Otarget
AT_IDLE   = $(shell chrt --idle 0 true 2> /dev/null && echo chrt --idle 0 || echo nice -n 19)

.PHONY: test test-compute test-machines $(TESTS) $(MACHINE_TESTS)
test:
	@$(MAKE) --no-print-directory $(MORE_JOBS) $(filter-out $(ONLY_COMPUTE),$(TESTS))
	@$(MAKE) --no-print-directory $(MORE_JOBS) JOBS=$(JOBS) test-machines test-compute
	@echo "all passed: $(TESTS) $(MACHINE_TESTS)"
test-compute:
	@$(AT_IDLE) $(MAKE) --no-print-directory $(ONLY_COMPUTE)
test-machines:
	@for t in $(MACHINE_TESTS); do $(MAKE) --no-print-directory -Onone $$t || exit 1; done

# The verdicts of the runner itself.
test-tools: | deps-test
	$(call say,TEST,$@)
	$(Q)python3 -m unittest -q tests/tools/test_*.py

# The second compiler over the same sources: it warns about other things.
lint: | deps-test $(ABI) $(OFFSETS)
	$(call say,CLANG,common xen arch/x86_64)
	$(Q)printf '%s\n' $(HV_C) $(NOT_IN_HV) | xargs -P2 -I{} clang -fsyntax-only $(HV_CFLAGS) {}
	$(call say,CLANG,guest-pv/vmm)
	$(Q)printf '%s\n' $(wildcard guest-pv/vmm/*/*.c) | xargs -P2 -I{} clang -fsyntax-only $(WARN) \
	    -std=gnu11 -I. -isystem $(BUILD)/abi {}
	$(call say,CLANG,tools/linux/costs tools/counts)
	$(Q)printf '%s\n' $(COSTS_SRC) tools/counts/counts.c | xargs -P2 -I{} clang -fsyntax-only \
	    $(WARN) -std=gnu11 -I. {}
	$(call say,CLANG,tools/pvtrace)
	$(Q)printf '%s\n' $(PVTRACE_SRC) | xargs -P2 -I{} clang -fsyntax-only $(HOST_CFLAGS) {}

# Lines end at 100 columns.
.PHONY: lint-lines
lint: lint-lines
lint-lines: | deps
	$(call say,LINES,100 columns)
	$(Q)python3 -B tests/lint/lines.py

# What README.md and docs/ name exists, and their generated parts are current; `make docs` writes
# these.
.PHONY: docs docs-check
lint: docs-check
docs-check: | deps
	$(call say,DOCS,README.md docs)
	$(Q)python3 -B tests/lint/docs.py
	$(Q)mkdir -p $(BUILD) && cp docs/hypercalls.md $(BUILD)/hypercalls.md
	$(Q)python3 -B tools/abi.py common/abi.def --docs $(BUILD)/hypercalls.md
	$(Q)cmp -s docs/hypercalls.md $(BUILD)/hypercalls.md || \
	    { echo "docs/hypercalls.md: not what common/abi.def says: run make docs" >&2; exit 1; }
docs: | deps
	$(Q)python3 -B tools/abi.py common/abi.def --docs docs/hypercalls.md
	$(Q)python3 -B tests/lint/docs.py --write

# The boot tests: the table of cases is tests/boot/cases_*.py. CASES=word runs those that have the
# word in their name. JOBS=2 runs two at a time.
BOOT_ISO  := $(BUILD)/boot-test.iso
LINUX_ISO := $(BUILD)/boot-linux.iso
OWN_ISO   := $(BUILD)/boot-own.iso
MAKE_ISO  := $(MAKE) --no-print-directory iso KERNEL= INITRD= WORDS= APPEND= TRACE= RAW=off \
    SUITES=all
# For UEFI: a program that fragments the low memory, and xen.efi signed with the key that Debian's
# firmware for tests trusts (neither the key nor its password is secret).
EFI_TESTS   := $(EFI_DIR)/tests/fragment.efi $(EFI_DIR)/tests/xen-signed.efi
# A kernel as small as one can be, and a ramdisk that is small while it is packed.
TINY_KERNEL := $(EFI_DIR)/tests/tiny
TINY_RAMDISK := $(EFI_DIR)/tests/zeros.gz
SNAKEOIL    := /usr/share/ovmf/PkKek-1-snakeoil
EFI_LINK     = ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --no-warn-rwx-segments \
               -z noexecstack -T $(EFI_LIB)/elf_x86_64_efi.lds $(EFI_LIB)/crt0-efi-x86_64.o

$(EFI_DIR)/tests/fragment.efi: $(EFI_DIR)/tests/boot/fragment.o
	@mkdir -p $(@D)
	$(Q)$(EFI_LINK) $< -L$(EFI_LIB) -lefi -lgnuefi -o $(@:.efi=.so)
	$(Q)objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
	    --target=efi-app-x86_64 $(@:.efi=.so) $@

$(TINY_KERNEL): tests/boot/tiny.S | deps
	$(call say,TINY,$@)
	@mkdir -p $(@D)
	$(Q)gcc -c $< -o $@.o
	$(Q)ld -N --no-warn-rwx-segments --build-id=none -Ttext=0 --section-start=.note.Xen=0x2000 \
	    $@.o -o $@

$(TINY_RAMDISK):
	@mkdir -p $(@D)
	$(Q)head -c 8M /dev/zero | gzip -n > $@

$(EFI_DIR)/tests/xen-signed.efi: $(XEN_EFI) | deps-test
	$(call say,SIGN,$@)
	@mkdir -p $(@D)
	$(Q)openssl rsa -in $(SNAKEOIL).key -passin pass:snakeoil -out $(@D)/snakeoil.key 2> /dev/null
	$(Q)sbsign --key $(@D)/snakeoil.key --cert $(SNAKEOIL).pem --output $@ $< 2> $(@D)/sbsign.log || \
	    { cat $(@D)/sbsign.log; exit 1; }

# A Linux with KVM and this machine's QEMU in it: tests/boot/nested.py. The modules are listed in
# the order in which they are loaded.
KVM_RAMDISK := $(LINUX)/kvm/ramdisk.gz
KVM_MODULES := virt/lib/irqbypass arch/x86/kvm/kvm drivers/crypto/ccp/ccp arch/x86/kvm/kvm-amd
KVM_QEMU     = $(shell command -v qemu-system-x86_64)
KVM_LIBS     = $(shell ldd $(KVM_QEMU) | sed -nE 's,.*=> (/.*/([^/ ]+)) .*,lib/\2=\1,p')
KVM_FIRMWARE := $(addprefix /usr/share/qemu/,linuxboot_dma.bin multiboot_dma.bin kvmvapic.bin) \
    /usr/share/seabios/bios-256k.bin

$(KVM_RAMDISK): tests/boot/kvm-init tests/tests.mk tools/make-ramdisk $(LINUX)/busybox/busybox \
    $(LINUX)/kernel/vmlinuz
	$(call say,RAMDISK,$@)
	$(Q)rm -rf $(@D)/modules && mkdir -p $(@D)/modules
	$(Q)dpkg-deb --fsys-tarfile $(LINUX)/kernel/*.deb | \
	    tar -xC $(@D)/modules --transform 's,.*/,,' --wildcards \
	    $(KVM_MODULES:%='./lib/modules/*/kernel/%.ko')
	$(Q)tools/make-ramdisk $@ bin/busybox=$(LINUX)/busybox/busybox init=$< modules=$(@D)/modules/ \
	    usr/bin/qemu-system-x86_64=$(KVM_QEMU) $(KVM_LIBS) \
	    lib64/ld-linux-x86-64.so.2=/lib64/ld-linux-x86-64.so.2 \
	    $(foreach f,$(KVM_FIRMWARE),usr/share/qemu/$(notdir $(f))=$(f)) \
	    dev/console:c:5:1 dev/null:c:1:3

# Debian's other kernels, as linux-image-KIND-amd64.
LINUX_KINDS := cloud 6.12
boot-files: $(KVM_RAMDISK) $(X86_RAMDISK) $(LINUX)/soak.gz $(LINUX_KINDS:%=$(LINUX)/vmlinux-%)
.PHONY: test-kvm
test-kvm:
	@$(MAKE) --no-print-directory boot-tests CASES=kvm-

# The hypervisor once more, as it measures how long interrupts stay off.
.PHONY: irqsoff
irqsoff: | deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/irqsoff IRQSOFF=1 $(BUILD)/irqsoff/paragon

# boot-long runs the cases that take long: make test leaves them out.
#
# boot-smp runs them on a machine with several CPUs, SMP=4 if not set: tests/boot/several_cpus.py.
# make test runs a few of them so.
SMP_OF_TESTS = $(if $(filter command environment,$(firstword $(origin SMP))),$(SMP),4)
SMP_FEW := iso-uefi four-guests guests-200 second-vcpu store fifo greedy-beside-modest linux-session
.PHONY: boot-long boot-smp boot-smp-few
boot-long:
	@$(MAKE) --no-print-directory boot-tests JOBS=2 CASES=--long
boot-smp-few:
	@$(MAKE) --no-print-directory boot-smp JOBS=$(JOBS) CASES='$(SMP_FEW:%==%=)'
boot-smp: MORE_CPUS = -smp --smp $(SMP_OF_TESTS)
boot-tests boot-smp: boot-files
boot-files: irqsoff | deps-test
boot-files: $(PVTRACE) $(XENALYZE) $(BUILD)/paragon $(GUEST_PV) $(GUEST_STORE) \
    $(GUEST_DRIVER) $(GUEST_VMM) $(LINUX)/vmlinux $(LINUX_RAMDISK) $(LINUX)/grub/grub-xen \
    $(XEN_EFI) $(EFI_TESTS) $(TINY_KERNEL) $(TINY_RAMDISK) $(LINUX)/disk.img \
    $(LINUX)/disk-ramdisk.gz
	@+$(MAKE_ISO) ISO=$(BOOT_ISO) GUEST= CMDLINE= ENTRY=guests BOOT=grub
	@+$(MAKE_ISO) ISO=$(BOOT_ISO:.iso=-efi.iso) GUEST= CMDLINE= ENTRY=guests FIRMWARE=uefi BOOT=efi
	@+$(MAKE_ISO) ISO=$(LINUX_ISO) GUEST=linux CMDLINE=paragon=selftest ENTRY=linux BOOT=grub
	@+$(MAKE_ISO) ISO=$(LINUX_ISO:.iso=-efi.iso) GUEST=linux CMDLINE=paragon=boot ENTRY=linux \
	    FIRMWARE=uefi BOOT=efi
	@+$(MAKE_ISO) ISO=$(OWN_ISO) GUEST= KERNEL=$(TINY_KERNEL) INITRD=$(TINY_RAMDISK) CMDLINE= \
	    ENTRY=own BOOT=grub STORE=yes
boot-tests boot-smp:
	@python3 -B tests/boot/run.py --paragon $(BUILD)/paragon --irqsoff $(BUILD)/irqsoff/paragon \
	    --iso $(BOOT_ISO) --linux-iso $(LINUX_ISO) --own-iso $(OWN_ISO) --guest $(GUEST_PV) \
	    --linux $(LINUX)/vmlinux --ramdisk $(LINUX_RAMDISK) --grub $(LINUX)/grub/grub-xen \
	    --pvtrace $(PVTRACE) --xenalyze $(XENALYZE) --xen-efi $(XEN_EFI) \
	    --programs $(EFI_DIR)/tests --accel $(ACCEL) --jobs $(JOBS) \
	    --logs $(BUILD)/boot-logs$(MORE_CPUS) $(CASES)

# NET=tap, in a network namespace of its own. It takes root and /dev/net/tun.
.PHONY: test-tap
test-tap: $(BUILD)/paragon $(GUEST_STORE) $(GUEST_DRIVER) $(LINUX)/vmlinux \
    $(LINUX)/disk-ramdisk.gz | deps-test
	@unshare -n python3 -B tests/boot/tap.py --paragon $(BUILD)/paragon --store $(GUEST_STORE) \
	    --driver $(GUEST_DRIVER) --linux $(LINUX)/vmlinux --ramdisk $(LINUX)/disk-ramdisk.gz

# KILLS guests with devices are ended in the middle of handshake and load, 20 in each boot; nothing
# of them may be left. SEED= is the first one's number, which its lines tell.
.PHONY: soak-disk
KILLS ?= 1000
SEED ?= 1
soak-disk: $(BUILD)/paragon $(GUEST_PV) $(GUEST_STORE) $(GUEST_DRIVER) | deps
	@python3 -B tests/boot/run.py --paragon $(BUILD)/paragon --guest $(GUEST_PV) \
	    --iso none --linux-iso none --linux none --ramdisk none --grub none --pvtrace none \
	    --xenalyze none --xen-efi none --programs none --accel $(ACCEL) --jobs $(JOBS) \
	    --logs $(BUILD)/soak-disk --kills $(KILLS) --seed $(SEED)

# Debian's disk is made from packages (some minutes, once), and is started as a user starts it. To
# make it, packages are unpacked and set up with a /proc of their own.
debian-disk: | deps-test
	@`test $$(id -u) = 0 || echo sudo` unshare --mount true || \
	    { echo "$@: this machine allows no mounts: left out"; exit; }; \
	    $(MAKE) --no-print-directory $(DEBIAN)/disk.img
test-debian: debian-disk $(BUILD)/paragon $(GUEST_STORE) $(GUEST_DRIVER) | deps-test
	@test -e $(DEBIAN)/disk.img || { echo "$@: there is no disk: left out"; exit; }; \
	    python3 -B tests/boot/debian.py --disk $(DEBIAN)/disk.img --out $(BUILD)/test-debian \
	    -- $(MAKE) --no-print-directory -s run GUEST=debian KERNEL= INITRD= WORDS= APPEND= \
	    TRACE= RAW=off TIMEOUT=600 SMP=2

# Writes the golden trace anew, from what the trace of the golden suites is now: read the difference
# before you commit it.
.PHONY: golden trace-cost
golden:
	@GOLDEN=write $(MAKE) --no-print-directory boot-tests CASES=trace-golden

# What each operation costs on the bare machine, on Debian's Xen and on Paragon: docs/costs.md.
# COLUMNS="bare paragon": some of the columns. COMPARE=table.json: what differs from there.
.PHONY: bench
BENCH_FILES := $(BUILD)/paragon $(GUEST_PV) $(LINUX)/vmlinux $(LINUX)/costs.gz
RUN_BENCH = tools/bench --paragon $(BUILD)/paragon --guest $(GUEST_PV) --linux $(LINUX)/vmlinux \
    --ramdisk $(LINUX)/costs.gz --out $(BUILD)/$@
bench: $(BENCH_FILES) $(BUILD)/oracle/xen $(BUILD)/counts.so
	@$(RUN_BENCH) --xen $(BUILD)/oracle/xen --plugin $(BUILD)/counts.so \
	    $(if $(COMPARE),--compare $(COMPARE)) $(COLUMNS)

# Writes the tables of docs/costs.md from that.
.PHONY: bench-docs
bench-docs:
	@python3 -B tools/bench_docs.py $(BUILD)/bench docs/costs.md

# QEMU's plugin that counts events.
$(BUILD)/counts.so: $(addprefix tools/counts/,counts.c tlb.c tlb.h plugin.h marks.h) \
    tests/tests.mk | deps
	$(call say,CC,$@)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -I. -fPIC -shared -o $@ $(filter %.c,$^)

# No row of Paragon may grow by more than 3 % unless that file changes; bench-accept writes it.
.PHONY: bench-accept
bench-check: $(BENCH_FILES)
	@$(RUN_BENCH) --check tests/bench/costs.json paragon
bench-accept: $(BENCH_FILES)
	@$(RUN_BENCH) --compare tests/bench/costs.json --accept tests/bench/costs.json paragon

# What several CPUs cost and give. ONLY=counts or ONLY=times: half of it.
.PHONY: bench-smp
bench-smp: $(BUILD)/paragon $(GUEST_PV) $(LINUX)/vmlinux $(LINUX_RAMDISK)
	@python3 -B tests/boot/bench_smp.py --paragon $(BUILD)/paragon --guest $(GUEST_PV) \
	    --linux $(LINUX)/vmlinux --ramdisk $(LINUX_RAMDISK) $(if $(ONLY),--only $(ONLY))

# What disk and network cost, on the bare machine and on Paragon: docs/devices.md.
.PHONY: bench-devices
$(BUILD)/count.so: tests/boot/count.c | deps
	$(call say,CC,$@)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -shared -fPIC -o $@ $<

bench-devices: $(BUILD)/paragon $(BUILD)/count.so $(GUEST_STORE) $(GUEST_DRIVER) $(LINUX)/vmlinux \
    $(LINUX)/devices.gz
	@python3 -B tests/boot/bench_devices.py --paragon $(BUILD)/paragon --store $(GUEST_STORE) \
	    --driver $(GUEST_DRIVER) --linux $(LINUX)/vmlinux --ramdisk $(LINUX)/devices.gz \
	    --plugin $(BUILD)/count.so --out $(BUILD)/bench-devices

# The hypervisor once more, without the places where the trace hangs, to count what they cost.
trace-cost: $(BUILD)/paragon $(LINUX)/vmlinux $(LINUX_RAMDISK)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/notrace NO_TRACE=1 $(BUILD)/notrace/paragon
	@python3 -B tests/trace/cost.py --paragon $(BUILD)/paragon --without $(BUILD)/notrace/paragon \
	    --linux $(LINUX)/vmlinux --ramdisk $(LINUX_RAMDISK)

# --- Debian's Xen as the oracle -------------------------------------------------------------------
# Unpacked here, never installed.
ORACLE := $(BUILD)/oracle
XEN_PACKAGE := xen-hypervisor-4.17-amd64

$(ORACLE)/xen: | deps
	@mkdir -p $(ORACLE)
	@ls $(ORACLE)/*.deb > /dev/null 2>&1 || { echo "  FETCH    $(XEN_PACKAGE)"; \
	    cd $(ORACLE) && apt-get -qq download $(XEN_PACKAGE) 2> apt.log || { cat apt.log; exit 1; }; }
	$(Q)dpkg-deb -x $(ORACLE)/$(XEN_PACKAGE)_*.deb $(ORACLE)/root
	$(Q)gzip -dc $(ORACLE)/root/boot/xen-4.17-amd64.gz > $@

.PHONY: oracle
oracle: $(ORACLE)/xen $(BUILD)/paragon $(GUEST_PV)
	@tools/oracle-compare --xen $(ORACLE)/xen --paragon $(BUILD)/paragon --guest $(GUEST_PV) \
	    --suites $(SUITES) --accel $(ACCEL) --exceptions tests/boot/oracle-exceptions.txt \
	    --logs $(ORACLE)

# --- one guest, several ways ----------------------------------------------------------------------
# The whole table; ways-test is that of the test guest alone. WAYS="bare trap" runs some of the
# columns.
.PHONY: ways
RUN_WAYS = tools/ways --guest $(GUEST_PV) --vmm $(GUEST_VMM) --paragon $(BUILD)/paragon \
    --out $(BUILD)/$@
ways-test: $(BUILD)/paragon $(GUEST_PV) $(GUEST_VMM)
	@$(RUN_WAYS) $(WAYS)
ways: $(BUILD)/paragon $(GUEST_PV) $(GUEST_VMM) $(LINUX)/vmlinux $(LINUX)/ramdisk.gz
	@$(RUN_WAYS) --linux $(LINUX)/vmlinux --ramdisk $(LINUX)/ramdisk.gz $(WAYS)
