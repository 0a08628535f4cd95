# The ISO and the EFI system partition (ESP), with the files and options given to make. The ISO
# boots from BIOS and from UEFI, as a CD and as a USB stick. GRUB reads its files from the CD's file
# system; xen.efi and the firmware read theirs from an ESP behind it. $(ESP) is that ESP without
# GRUB: xen.efi where firmware looks for it, and beside it its configuration and the files that are
# named there. Included by the top Makefile.

TREE := $(ISO:.iso=.tree)
ESP  := $(ISO:.iso=.esp)

# Whatever form a kernel has, the hypervisor is given an ELF file.
KERNEL_FILE := $(or $(KERNEL),$(if $(filter grub,$(GUEST)),$(LINUX)/grub/grub-xen))
OWN_KERNEL  := $(if $(KERNEL_FILE),$(ISO:.iso=.kernel))
ifneq ($(KERNEL_FILE),)
$(OWN_KERNEL): $(KERNEL_FILE) tools/unpack-kernel FORCE | deps
	$(call say,UNPACK,$<)
	@mkdir -p $(@D)
	$(Q)tools/unpack-kernel $< $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endif

# options.cfg carries the variables of make to grub.cfg. It is written only when it changes, so that
# the ISO is made anew only when something in it is new. After test guests the hypervisor prints the
# table of their hypercalls.
export GRUB_OPTIONS = $(strip $(if $(YOURS),,hypercall_counts) $(if $(TRACE),trace=$(TRACE)) \
                      $(if $(filter off,$(RAW)),,console_raw=$(RAW)) $(APPEND))
# The guest cannot learn the terminal's size from a serial line. Linux passes unknown words of its
# command line to its first program as variables, and tools/linux/init sets the size from them.
TERMINAL_SIZE = $(shell stty size | \
                  sed -n 's/^\([1-9][0-9]*\) \([1-9][0-9]*\)$$/rows=\1 columns=\2/p')
TERMINAL_KIND = $(shell expr "$$TERM" : '\([a-z0-9-]*\)$$' | sed 's/^/TERM=/')
TERMINAL := $(if $(AT_TERMINAL),$(if $(filter off,$(RAW)),,$(TERMINAL_SIZE) $(TERMINAL_KIND)))
export GRUB_CMDLINE = $(strip $(if $(GUEST),$(TERMINAL)) $(CMDLINE))
export GRUB_WORDS   = $(WORDS)
# GUEST=debian takes the kernel and the ramdisk of its own disk.
DEBIAN      := $(BUILD)/debian
ISO_LINUX   := $(if $(filter debian,$(GUEST)),$(DEBIAN)/vmlinux,$(LINUX)/vmlinux)
ISO_RAMDISK := $(if $(filter debian,$(GUEST)),$(DEBIAN)/disk.img.initrd,$(LINUX_RAMDISK))
LINUX_FILES = $(if $(filter linux debian,$(GUEST)),$(ISO_LINUX) $(ISO_RAMDISK))
# A whole disk is xvda; Debian's has no partitions, so it is the first one itself.
export GRUB_DEVICES = $(strip $(if $(GUEST_DISK),\
    disk=vd0$(comma)$(if $(IS_DEBIAN),xvda1,xvda)$(comma)w) \
    $(if $(filter-out none,$(NET)),vif))
comma := ,
export GRUB_SUITES  = $(SUITES)

$(TREE)/boot/grub/options.cfg: FORCE
	@mkdir -p $(@D)
	@{ echo "set default='$(ENTRY)'"; \
	   echo "set boot='$(BOOT)'"; \
	   echo "set options='$$GRUB_OPTIONS'"; \
	   echo "set cmdline='$$GRUB_CMDLINE'"; \
	   echo "set suites='$$GRUB_SUITES'"; \
	   echo "set words='$$GRUB_WORDS'"; \
	   echo "set devices='$$GRUB_DEVICES'"; \
	   echo "set store='$(filter yes,$(STORE))'"; \
	   echo "set way='$(filter-out pv,$(WAY))'"; \
	   echo "set ramdisk='$(if $(INITRD),/boot/ramdisk)'"; \
	   echo "# $(abspath $(OWN_KERNEL) $(INITRD) $(LINUX_FILES))"; } > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

$(ISO): $(BUILD)/paragon $(XEN_EFI) $(GUEST_PV) $(GUEST_STORE) $(GUEST_DRIVER) $(GUEST_VMM) \
    grub.cfg tools/xen-cfg tools/iso.mk \
    $(TREE)/boot/grub/options.cfg $(OWN_KERNEL) $(INITRD) $(LINUX_FILES)
	$(call say,ISO,$@)
	$(Q)rm -f $(addprefix $(TREE)/boot/,guest ramdisk linux linux-ramdisk)
	$(Q)cp $(BUILD)/paragon $(TREE)/boot/paragon
	$(Q)strip -o $(TREE)/boot/guest-pv $(GUEST_PV)
	$(Q)strip -o $(TREE)/boot/store $(GUEST_STORE)
	$(Q)strip -o $(TREE)/boot/driver $(GUEST_DRIVER)
	$(Q)strip -o $(TREE)/boot/vmm $(GUEST_VMM)
	$(Q)cp grub.cfg $(TREE)/boot/grub/grub.cfg
	$(Q)$(if $(OWN_KERNEL),cp $(OWN_KERNEL) $(TREE)/boot/guest)
	$(Q)$(if $(INITRD),cp $(INITRD) $(TREE)/boot/ramdisk)
	$(Q)$(if $(LINUX_FILES),cp $(ISO_LINUX) $(TREE)/boot/linux)
	$(Q)$(if $(LINUX_FILES),cp $(ISO_RAMDISK) $(TREE)/boot/linux-ramdisk)
	$(put_esp)
	$(put_iso)

# --- How they are put together --------------------------------------------------------------------
GRUB_DIR         := /usr/lib/grub
GRUB_ESP_MODULES := iso9660 part_gpt fat search_fs_uuid
# $(call grub_image,PLATFORM,WORDS): the words say what it needs to find its modules.
grub_image  = grub-mkimage -p /boot/grub -O $(1) $(2)

define put_esp
	$(Q)rm -rf $(ESP) && mkdir -p $(ESP)/EFI/BOOT
	$(Q)find $(TREE)/boot -maxdepth 1 -type f ! -name paragon -exec ln -t $(ESP)/EFI/BOOT {} +
	$(Q)cp $(XEN_EFI) $(ESP)/EFI/BOOT/BOOTX64.EFI
	$(Q)tools/xen-cfg grub.cfg $(TREE)/boot > $(ESP)/EFI/BOOT/xen.cfg
endef

# The ISO's ESP, from which GRUB starts: a FAT image with cylinders of 1 MiB. mformat writes a
# partition table into the boot sector; dd clears it, or the firmware would see a partitioned disk
# inside the partition. GRUB finds the CD's own file system by the ISO's UUID.
define esp_image
printf '%s\n' "search.fs_uuid $$uuid root" 'set prefix=($$root)/boot/grub' > $(TREE).grub.cfg && \
$(call grub_image,x86_64-efi,-o $(TREE).grub.efi -c $(TREE).grub.cfg $(GRUB_ESP_MODULES)) && \
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
	$(Q)uuid=$$(date -u '+%Y-%m-%d-%H-%M-%S-00') && $(esp_image) && \
	    xorriso -as mkisofs -quiet -r -V PARAGON --modification-date=$${uuid//-/} -o $@ \
	    -b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	    --grub2-mbr $(GRUB_DIR)/i386-pc/boot_hybrid.img \
	    --efi-boot efi.img -efi-boot-part --efi-boot-image --protective-msdos-label \
	    -graft-points /=$(TREE) /efi.img=$(TREE).fat > $(TREE).log 2>&1 || { cat $(TREE).log; exit 1; }
	$(Q)rm $(TREE).fat $(TREE).grub.*
endef
