# The ISO and the EFI system partition (ESP), with the files and the options that make was told. For BIOS and for UEFI, as
# a CD and as a USB stick. GRUB takes its files from the CD's file system; xen.efi and the firmware take theirs from an
# ESP behind it. $(ESP) is the same without GRUB: xen.efi in the place where firmware looks for it, and beside it its
# configuration and the files that this names. Included by the top Makefile.

TREE := $(ISO:.iso=.tree)
ESP  := $(ISO:.iso=.esp)

# Whatever form a kernel has, the hypervisor is given an ELF file.
OWN_KERNEL := $(if $(KERNEL),$(ISO:.iso=.kernel))
ifneq ($(KERNEL),)
$(OWN_KERNEL): $(KERNEL) tools/unpack-kernel FORCE | deps
	$(call say,UNPACK,$<)
	@mkdir -p $(@D)
	$(Q)tools/unpack-kernel $< $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endif

# options.cfg carries the variables of make to grub.cfg. It is rewritten only when it changes, so that the ISO
# is remade exactly when something in it is new.
# Guests that are tests are followed by the table of hypercalls that they made.
export GRUB_OPTIONS = $(strip $(if $(YOURS),,hypercall_counts) $(if $(TRACE),trace=$(TRACE)) \
                      $(if $(filter off,$(RAW)),,console_raw=$(RAW)) $(APPEND))
# A serial line does not tell the size of the terminal at its other end. Linux gives words that it does not know to its
# first program as variables, and tools/linux/init does the rest.
TERMINAL_SIZE = $(shell stty size | sed -n 's/^\([1-9][0-9]*\) \([1-9][0-9]*\)$$/rows=\1 columns=\2/p')
TERMINAL_KIND = $(shell expr "$$TERM" : '\([a-z0-9-]*\)$$' | sed 's/^/TERM=/')
TERMINAL := $(if $(AT_TERMINAL),$(if $(filter off,$(RAW)),,$(TERMINAL_SIZE) $(TERMINAL_KIND)))
export GRUB_CMDLINE = $(strip $(if $(GUEST),$(TERMINAL)) $(CMDLINE))
export GRUB_WORDS   = $(WORDS)
LINUX_FILES = $(if $(GUEST),$(LINUX)/vmlinux $(LINUX_RAMDISK))
export GRUB_SUITES  = $(SUITES)

$(TREE)/boot/grub/options.cfg: FORCE
	@mkdir -p $(@D)
	@{ echo "set default='$(ENTRY)'"; \
	   echo "set boot='$(BOOT)'"; \
	   echo "set options='$$GRUB_OPTIONS'"; \
	   echo "set cmdline='$$GRUB_CMDLINE'"; \
	   echo "set suites='$$GRUB_SUITES'"; \
	   echo "set words='$$GRUB_WORDS'"; \
	   echo "set store='$(filter yes,$(STORE))'"; \
	   echo "set ramdisk='$(if $(INITRD),/boot/ramdisk)'"; \
	   echo "# $(abspath $(OWN_KERNEL) $(INITRD) $(LINUX_FILES))"; } > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

$(ISO): $(BUILD)/paragon $(XEN_EFI) $(GUEST_PV) $(GUEST_STORE) grub.cfg tools/xen-cfg tools/iso.mk \
    $(TREE)/boot/grub/options.cfg $(OWN_KERNEL) $(INITRD) $(LINUX_FILES)
	$(call say,ISO,$@)
	$(Q)rm -f $(addprefix $(TREE)/boot/,guest ramdisk linux linux-ramdisk)
	$(Q)cp $(BUILD)/paragon $(TREE)/boot/paragon
	$(Q)strip -o $(TREE)/boot/guest-pv $(GUEST_PV)
	$(Q)strip -o $(TREE)/boot/store $(GUEST_STORE)
	$(Q)cp grub.cfg $(TREE)/boot/grub/grub.cfg
	$(Q)$(if $(OWN_KERNEL),cp $(OWN_KERNEL) $(TREE)/boot/guest)
	$(Q)$(if $(INITRD),cp $(INITRD) $(TREE)/boot/ramdisk)
	$(Q)$(if $(GUEST),cp $(LINUX)/vmlinux $(TREE)/boot/linux)
	$(Q)$(if $(GUEST),cp $(LINUX_RAMDISK) $(TREE)/boot/linux-ramdisk)
	$(put_esp)
	$(put_iso)

# --- How they are put together -----------------------------------------------------------------------------
GRUB_DIR   := /usr/lib/grub
# $(call grub_image,PLATFORM,WORDS): the words say what it needs to find its modules.
grub_image  = grub-mkimage -p /boot/grub -O $(1) $(2)

define put_esp
	$(Q)rm -rf $(ESP) && mkdir -p $(ESP)/EFI/BOOT
	$(Q)find $(TREE)/boot -maxdepth 1 -type f ! -name paragon -exec ln -t $(ESP)/EFI/BOOT {} +
	$(Q)cp $(XEN_EFI) $(ESP)/EFI/BOOT/BOOTX64.EFI
	$(Q)tools/xen-cfg grub.cfg $(TREE)/boot > $(ESP)/EFI/BOOT/xen.cfg
endef

# The ISO's ESP, with GRUB first: a FAT image with cylinders of 1 MiB. mformat leaves a partition table in the boot
# sector, and the firmware is not to see a partitioned disk inside of the partition. The ISO's UUID leads GRUB to the
# CD's own file system.
define esp_image
printf '%s\n' "search.fs_uuid $$uuid root" 'set prefix=($$root)/boot/grub' > $(TREE).grub.cfg && \
$(call grub_image,x86_64-efi,-o $(TREE).grub.efi -c $(TREE).grub.cfg iso9660 part_gpt fat search_fs_uuid) && \
rm -f $(TREE).fat && \
mformat -C -i $(TREE).fat -v PARAGON -h 64 -s 32 -t $$(($$(du -smL $(ESP) | cut -f1) + 6)) :: && \
dd if=/dev/zero of=$(TREE).fat bs=1 seek=446 count=64 conv=notrunc status=none && \
mmd -i $(TREE).fat ::/EFI ::/EFI/BOOT ::/EFI/paragon && \
mcopy -i $(TREE).fat $(TREE).grub.efi ::/EFI/BOOT/BOOTX64.EFI && \
mcopy -i $(TREE).fat $(ESP)/EFI/BOOT/* ::/EFI/paragon && \
mren -i $(TREE).fat ::/EFI/paragon/BOOTX64.EFI xen.efi
endef

define put_iso
	$(Q)for platform in i386-pc x86_64-efi; do mkdir -p $(TREE)/boot/grub/$$platform && \
	    cp -u $(GRUB_DIR)/$$platform/*.{mod,lst} $(TREE)/boot/grub/$$platform || exit 1; done
	$(Q)$(call grub_image,i386-pc-eltorito,-o $(TREE)/boot/grub/bios.img biosdisk iso9660)
	$(Q)uuid=$$(date -u '+%Y-%m-%d-%H-%M-%S-00') && $(esp_image) && xorriso -as mkisofs -quiet -r -V PARAGON \
	    --modification-date=$${uuid//-/} -o $@ \
	    -b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	    --grub2-mbr $(GRUB_DIR)/i386-pc/boot_hybrid.img \
	    --efi-boot efi.img -efi-boot-part --efi-boot-image --protective-msdos-label \
	    -graft-points /=$(TREE) /efi.img=$(TREE).fat > $(TREE).log 2>&1 || { cat $(TREE).log; exit 1; }
	$(Q)rm $(TREE).fat $(TREE).grub.*
endef
