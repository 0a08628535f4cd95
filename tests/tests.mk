# What `make test` runs, cheapest first. tests/unit/unit.mk adds its targets to TESTS.
TESTS := test-tools lint
-include tests/unit/unit.mk
TESTS += boot-tests

.PHONY: $(TESTS)
test: $(TESTS)
	@echo "all passed: $(TESTS)"

# The verdicts of the runner itself.
test-tools:
	$(call say,TEST,$@)
	$(Q)python3 -m unittest -q tests/tools/test_*.py

# The second compiler over the same sources: it warns about other things.
lint: | $(ABI) $(OFFSETS)
	$(call say,CLANG,common xen arch/x86_64)
	$(Q)printf '%s\n' $(HV_C) | xargs -P2 -I{} clang -fsyntax-only $(HV_CFLAGS) {}

# Every boot: a table of cases in tests/boot/cases.py. CASES=word runs those whose name holds the word.
BOOT_ISO := $(BUILD)/boot-test.iso
boot-tests: $(BUILD)/paragon $(GUEST_PV)
	@$(MAKE) --no-print-directory iso ISO=$(BOOT_ISO) GUEST= RAMDISK= CMDLINE= APPEND= TRACE= SUITES=all \
	    ENTRY=guests
	@python3 -B tests/boot/run.py --iso $(BOOT_ISO) --paragon $(BUILD)/paragon --guest $(GUEST_PV) \
	    --accel $(ACCEL) --logs $(BUILD)/boot-logs $(CASES)
