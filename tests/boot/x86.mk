# Linux's own x86 selftests, from Debian's linux-source, built for 64 and for 32 bits, and a ramdisk
# that runs them: the script is x86-selftests, what they have to print is in x86_selftests.py.
# Nothing of Linux's source is kept in this tree. Left out: entry_from_vm86 (no 64-bit kernel has
# vm86) and syscall_numbering (more than a minute on an emulated CPU). Included by tests/tests.mk.
X86      := $(LINUX)/x86
X86_SRC   = $(X86)/src/linux-source-6.1/tools/testing/selftests/x86
X86_BOTH := single_step_syscall sysret_ss_attrs syscall_nt test_mremap_vdso \
    check_initial_reg_state sigreturn iopl ioperm test_vsyscall mov_ss_trap sigtrap_loop \
    syscall_arg_fault fsgsbase_restore sigaltstack ldt_gdt ptrace_syscall
X86_TESTS := $(X86_BOTH:%=%_64) $(X86_BOTH:%=%_32) \
    $(addsuffix _64,fsgsbase sysret_rip corrupt_xstate_header amx) \
    $(addsuffix _32,test_syscall_vdso unwind_vdso test_FCMOV test_FCOMI test_FISTTP vdso_restorer)
X86_RAMDISK := $(X86)/ramdisk.gz

$(X86)/src.stamp:
	$(call fetch,$(X86)/deb,echo linux-source-6.1)
	$(call say,UNPACK,$(X86)/src)
	@rm -rf $(X86)/src && mkdir -p $(X86)/src
	$(Q)dpkg-deb --fsys-tarfile $(X86)/deb/*.deb | \
	    tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | \
	    tar -xJC $(X86)/src --wildcards '*/tools/testing/selftests/x86/*' \
	    '*/tools/testing/selftests/kselftest.h' '*/arch/x86/include/asm/desc_defs.h'
	$(Q)rm $(X86)/deb/*.deb && touch $@

# What Linux's own Makefile adds to some of them. -w: warnings in Linux's code are not shown.
# -idirafter lets the 32-bit programs use the headers of linux-libc-dev; gcc-multilib would do that
# too, but it conflicts with the packages of cross compilers.
X86_ALSO_sysret_ss_attrs_64    = $(X86_SRC)/thunks.S
X86_ALSO_ptrace_syscall_32     = $(X86_SRC)/raw_syscall_helper_32.S
X86_ALSO_test_syscall_vdso_32  = $(X86_SRC)/thunks_32.S
X86_ALSO_check_initial_reg_state_64 := -Wl,-ereal_start -static
X86_ALSO_check_initial_reg_state_32 := -Wl,-ereal_start -static
X86_CC = gcc -O2 -std=gnu99 -pthread -w -no-pie -DCAN_BUILD_32 -DCAN_BUILD_64

$(X86)/bin/%_64: $(X86)/src.stamp tests/boot/x86.mk | deps-test
	@mkdir -p $(@D)
	$(Q)$(X86_CC) -m64 -o $@ $(X86_SRC)/$*.c $(X86_ALSO_$(@F)) -lm
$(X86)/bin/%_32: $(X86)/src.stamp tests/boot/x86.mk | deps-test
	@mkdir -p $(@D)
	$(Q)$(X86_CC) -m32 -idirafter /usr/include/x86_64-linux-gnu -o $@ \
	    $(X86_SRC)/$*.c $(X86_ALSO_$(@F)) -lm

# They are linked with the C library because one of them looks up its vDSO by dlopen(3).
X86_LIBS := lib/ld-linux.so.2 lib32/libc.so.6 lib32/libm.so.6 lib32/libgcc_s.so.1 \
    lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 lib/x86_64-linux-gnu/libm.so.6
$(X86_RAMDISK): $(LINUX)/ramdisk.gz tests/boot/x86-selftests $(X86_TESTS:%=$(X86)/bin/%)
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ $(RAMDISK_WORDS) paragon/selftests=tests/boot/x86-selftests \
	    $(foreach t,$(X86_TESTS),x86/$(t)=$(X86)/bin/$(t)) $(foreach l,$(X86_LIBS),$(l)=/$(l))
