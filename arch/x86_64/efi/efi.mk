# xen.efi: a UEFI application, made with gnu-efi, that contains the hypervisor's flat image. It is a
# program of its own: the C files of this folder, and some plain C files of common/ and xen/boot.
# Included by the Makefile.
EFI_LIB    ?= /usr/lib
XEN_EFI    := $(BUILD)/xen.efi
EFI_DIR    := $(BUILD)/efi
EFI_C      := $(wildcard arch/x86_64/efi/*.c) common/string.c common/printf.c common/elf.c \
              common/elf_symbols.c xen/boot/image.c
EFI_OBJS   := $(EFI_C:%.c=$(EFI_DIR)/%.o)
EFI_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fpic -fshort-wchar -fvisibility=hidden \
              -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
              -fno-asynchronous-unwind-tables -fno-strict-aliasing -DGNU_EFI_USE_MS_ABI \
              -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 $(WARN) $(CPPFLAGS)

$(EFI_DIR)/%.o: %.c arch/x86_64/efi/efi.mk | $(ABI)
	$(call say,EFI-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(EFI_CFLAGS) $(DEPFLAGS) -c $< -o $@

# The image, its size in memory with .bss, and where start_efi is in it.
$(EFI_DIR)/image.o: $(BUILD)/paragon arch/x86_64/efi/efi.mk
	@mkdir -p $(@D)
	$(Q)printf '%s\n' '.section .rodata' '.global hypervisor_image, hypervisor_image_end' \
	    '.global hypervisor_bytes, hypervisor_entry' '.balign 64' \
	    'hypervisor_image: .incbin "$(BUILD)/paragon.bin"' 'hypervisor_image_end:' '.balign 8' \
	    "hypervisor_bytes: .quad $(call sym,_image_end_phys) - $(LOAD_PA)" \
	    "hypervisor_entry: .quad $(call sym,_start_efi_offset)" \
	    '.section .note.GNU-stack, "", @progbits' \
	    > $(EFI_DIR)/image.S
	$(Q)$(HV_CC) -c $(EFI_DIR)/image.S -o $@

# objcopy names the sections that a loader needs. --no-undefined, because a symbol that is left
# undefined would fail only at run time.
$(XEN_EFI): $(EFI_OBJS) $(EFI_DIR)/image.o
	$(call say,EFI,$@)
	$(Q)ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined \
	    --no-warn-rwx-segments -z noexecstack \
	    -T $(EFI_LIB)/elf_x86_64_efi.lds $(EFI_LIB)/crt0-efi-x86_64.o $^ -L$(EFI_LIB) -lefi -lgnuefi \
	    -o $(EFI_DIR)/xen.so
	$(Q)objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
	    --target=efi-app-x86_64 $(EFI_DIR)/xen.so $@

.PHONY: lint-efi
lint: lint-efi
lint-efi: | deps-test $(ABI)
	$(call say,CLANG,arch/x86_64/efi)
	$(Q)printf '%s\n' $(wildcard arch/x86_64/efi/*.c) | \
	    xargs -P2 -I{} clang -fsyntax-only $(EFI_CFLAGS) {}

-include $(EFI_OBJS:.o=.d)
