# The vmm as an ordinary program, and in it Debian's kernel: the session that a PV guest has too
# (boot case linux-session), after the kernel's own tests of its ciphers. Included by tests.mk.
HOSTED       := $(UNIT)/vmm
HOSTED_LINUX := console=ttyS0 mitigations=off norandmaps acpi=off noapic nolapic nosmp pci=off \
                tsc=reliable tsc_early_khz=1000000 lpj=4000000 reboot=t panic=-1

# With the optimization that domains have: the functions of blocks end in jumps then.
HOSTED_DIRS := $(patsubst %,guest-pv/vmm/%,core emulate load platform) common/x86
HOSTED_OBJ  := $(patsubst %.c,$(UNIT)/O2/%.o,tests/vmm/main.c common/elf.c \
                 $(wildcard $(HOSTED_DIRS:%=%/*.c)))
$(UNIT)/O2/%.o: %.c tests/vmm/vmm.mk | deps-test $(ABI)
	$(call say,UNIT-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) -O2 -Wno-maybe-uninitialized $(DEPFLAGS) -c $< -o $@
$(HOSTED): $(HOSTED_OBJ)
	$(call say,UNIT-LD,$@)
	$(Q)$(UNIT_CC) $(UNIT_SAN) -o $@ $^

.PHONY: vmm-linux
TESTS += vmm-linux
vmm-linux: $(HOSTED) $(LINUX)/vmlinux $(LINUX_RAMDISK)
	$(call say,VMM,Linux by emulation)
	$(Q)timeout 900 $< $(LINUX)/vmlinux $(LINUX_RAMDISK) \
	    '$(HOSTED_LINUX) paragon=session' < /dev/null > $(BUILD)/vmm-linux.log 2>&1 && \
	    tr -d '\r' < $(BUILD)/vmm-linux.log | grep -x 'linux: 12 passed, 0 failed, 0 skipped' || \
	    { tail -n 40 $(BUILD)/vmm-linux.log; exit 1; }
