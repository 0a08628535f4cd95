# The Linux guest: Debian's own kernel and busybox, downloaded and unpacked below build/linux (never
# installed), and ramdisks made of busybox and the scripts beside this file. Included by the top
# Makefile.
LINUX   := $(BUILD)/linux
LINUX_RAMDISK ?= $(LINUX)/ramdisk.gz
SCRIPTS := $(addprefix tools/linux/,boot checks forks selftest session console smp soak ways)

# $(call fetch,DIRECTORY,COMMAND THAT PRINTS PACKAGES): downloads the archive's present versions,
# which apt verifies.
define fetch
	@mkdir -p $(1) && rm -f $(1)/*.deb && cd $(1) && packages=$$($(2)) && \
	[ -n "$$packages" ] || { echo "$(1): apt knows no such package here: $(2)" >&2; exit 1; }; \
	echo "  FETCH    $$packages"; \
	apt-get -qq download $$packages > apt.log 2>&1 || \
	    { cat apt.log >&2; echo "$(1): cannot be downloaded (apt-get update may help)" >&2; exit 1; }
endef

# linux-image-amd64 is empty and depends on the present kernel's package; so does each package of
# its kind, such as linux-image-cloud-amd64.
define fetch_kernel
	$(call fetch,$(@D),apt-cache depends linux-image-$(1) | \
	    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
	$(Q)dpkg-deb --fsys-tarfile $(@D)/*.deb | tar -xO --wildcards './boot/vmlinuz-*' > $@
endef
$(LINUX)/kernel/vmlinuz: | deps
	$(call fetch_kernel,amd64)
$(LINUX)/kernel-%/vmlinuz: | deps
	$(call fetch_kernel,$*-amd64)
.PRECIOUS: $(LINUX)/kernel-%/vmlinuz

$(LINUX)/vmlinux-%: $(LINUX)/kernel-%/vmlinuz tools/unpack-kernel
	$(call say,UNPACK,$@)
	$(Q)tools/unpack-kernel $< $@

$(LINUX)/vmlinux: $(LINUX)/kernel/vmlinuz tools/unpack-kernel
	$(call say,UNPACK,$@)
	$(Q)tools/unpack-kernel $< $@

$(LINUX)/busybox/busybox: | deps
	$(call fetch,$(@D),echo busybox-static)
	$(Q)dpkg-deb --fsys-tarfile $(@D)/*.deb | tar -xO --wildcards '*bin/busybox' > $@
	$(Q)chmod +x $@

RAMDISK_WORDS := bin/busybox=$(LINUX)/busybox/busybox \
    init=tools/linux/init etc/inittab=tools/linux/inittab \
    $(foreach s,$(SCRIPTS),paragon/$(notdir $(s))=$(s)) \
    paragon/port32=$(LINUX)/port32 paragon/rows=$(LINUX)/rows \
    dev/console:c:5:1 dev/null:c:1:3 root/

$(LINUX)/port32: tools/linux/port32.S | deps
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)gcc -m32 -c $< -o $@.o && ld -m elf_i386 -o $@ $@.o

$(LINUX)/rows: tools/linux/rows.c tools/linux/linux.mk | deps
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -ffreestanding -fno-stack-protector -fno-pie -no-pie \
	    -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -s -o $@ $<

$(LINUX)/ramdisk.gz: tools/make-ramdisk $(LINUX)/port32 $(LINUX)/rows $(LINUX)/busybox/busybox \
    $(SCRIPTS) tools/linux/init tools/linux/inittab tools/linux/linux.mk
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ $(RAMDISK_WORDS)

# --- What operations cost -------------------------------------------------------------------------
# For tools/bench: a program that is the first one, and three for it to execute.
COSTS_SRC := $(addprefix tools/linux/costs/,main.c calls.c memory.c processes.c switches.c)
$(LINUX)/costs: $(COSTS_SRC) tools/linux/costs/costs.h tools/counts/marks.h \
    tools/linux/linux.mk | deps
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -I. -fno-pie -no-pie -static -s -o $@ $(COSTS_SRC)

$(LINUX)/costs.gz: tools/make-ramdisk $(LINUX)/costs $(LINUX)/rows $(LINUX)/busybox/busybox \
    tools/linux/linux.mk
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ init=$(LINUX)/costs small=$(LINUX)/rows \
	    sh=$(LINUX)/busybox/busybox dev/console:c:5:1 dev/null:c:1:3 dev/zero:c:1:5

# --- Disks ----------------------------------------------------------------------------------------
# The kernel's modules for a disk of the driver domain with ext4 on it and for its network, in the
# order in which they are loaded (the scripts disk and net do it).
DISK_MODULES := crc16 crc32c_generic libcrc32c mbcache jbd2 ext4 xen-blkfront xen-netfront
# The bare machine's, for what is measured on both.
VIRTIO_MODULES := virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
    virtio_blk failover net_failover virtio_net

$(LINUX)/modules/.made: $(LINUX)/kernel/vmlinuz tools/linux/linux.mk
	@rm -rf $(@D) && mkdir -p $(@D)
	$(Q)dpkg-deb --fsys-tarfile $(LINUX)/kernel/*.deb | tar -x -C $(@D) --wildcards \
	    --transform='s,.*/,,' $(patsubst %,'*/%.ko',$(DISK_MODULES) $(VIRTIO_MODULES))
	@touch $@

# A file system with a tree of files and their hashes, which the guest must find, and with the
# kernel, ramdisk and menu for PV GRUB.
DISK_TREE := xen common arch guest-pv docs
$(LINUX)/disk.img: $(LINUX)/busybox/busybox $(LINUX)/kernel/vmlinuz $(LINUX)/disk-ramdisk.gz \
    tools/linux/disk-grub.cfg tools/linux/linux.mk | deps-test
	$(call say,MKFS,$@)
	$(Q)rm -rf $(LINUX)/disk && mkdir -p $(LINUX)/disk/tree $(LINUX)/disk/boot/grub
	$(Q)cp -a $(DISK_TREE) $(LINUX)/busybox/busybox $(LINUX)/disk/tree/
	$(Q)cd $(LINUX)/disk && find tree -type f | LC_ALL=C sort | xargs -d '\n' sha256sum > hashes
	$(Q)cp $(LINUX)/kernel/vmlinuz $(LINUX)/disk-ramdisk.gz $(LINUX)/disk/boot/
	$(Q)cp tools/linux/disk-grub.cfg $(LINUX)/disk/boot/grub/grub.cfg
	$(Q)rm -f $@ $@.log && mke2fs -q -t ext4 -L paragon -d $(LINUX)/disk $@ 48M > $@.log 2>&1 || \
	    { cat $@.log >&2; rm -f $@; exit 1; }

$(LINUX)/disk-ramdisk.gz: tools/make-ramdisk $(LINUX)/ramdisk.gz $(LINUX)/modules/.made \
    tools/linux/disk tools/linux/net tools/linux/tap $(LINUX)/verify tools/linux/linux.mk
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ $(RAMDISK_WORDS) \
	    paragon/disk=tools/linux/disk paragon/net=tools/linux/net paragon/tap=tools/linux/tap \
	    paragon/verify=$(LINUX)/verify \
	    $(foreach m,$(DISK_MODULES),paragon/modules/$m.ko=$(LINUX)/modules/$m.ko)

$(LINUX)/verify: tools/linux/verify.c tools/linux/linux.mk | deps
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -fno-pie -no-pie -static -s -o $@ $<

$(LINUX)/mark: tools/linux/mark.S | deps
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)gcc -c $< -o $@.o && ld -o $@ $@.o

$(LINUX)/devices.gz: tools/make-ramdisk $(LINUX)/ramdisk.gz $(LINUX)/modules/.made $(LINUX)/mark \
    tools/linux/devices tools/linux/linux.mk
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ $(RAMDISK_WORDS) \
	    paragon/devices=tools/linux/devices paragon/mark=$(LINUX)/mark \
	    $(foreach m,xen-blkfront xen-netfront $(VIRTIO_MODULES), \
	paragon/modules/$m.ko=$(LINUX)/modules/$m.ko)

# Debian's PV GRUB, the other guest that is not of this tree.
$(LINUX)/grub/grub-xen: | deps
	$(call fetch,$(@D),echo grub-xen-host)
	$(Q)dpkg-deb --fsys-tarfile $(@D)/*.deb | tar -xO --wildcards '*/grub-x86_64-xen.bin' > $@

# --- The soak -------------------------------------------------------------------------------------
# Debian's stress-ng with the libraries that it is linked with.
$(LINUX)/stress/root: tools/linux/fetch-program | deps
	$(call say,FETCH,stress-ng and its libraries)
	$(Q)tools/linux/fetch-program stress-ng usr/bin/stress-ng $(@D)

$(LINUX)/cow: tools/linux/cow.c tools/linux/linux.mk | deps
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 $(WARN) -fno-pie -no-pie -static -s -pthread -o $@ $<

$(LINUX)/soak.gz: $(LINUX)/ramdisk.gz $(LINUX)/stress/root $(LINUX)/cow
	$(call say,RAMDISK,$@)
	$(Q)tools/make-ramdisk $@ $(RAMDISK_WORDS) /=$(LINUX)/stress/root/ paragon/cow=$(LINUX)/cow

.PHONY: soak soak-smp
soak:
	@$(MAKE) --no-print-directory run GUEST=linux RAW=off ISO=$(BUILD)/soak.iso \
	    LINUX_RAMDISK=$(LINUX)/soak.gz CMDLINE='paragon=soak $(CMDLINE)' \
	    TIMEOUT=$(or $(TIMEOUT),1800)

# Two minutes on several CPUs: tools/linux/smp.
soak-smp:
	@$(MAKE) --no-print-directory run GUEST=linux RAW=off ISO=$(BUILD)/soak.iso SMP=4 \
	    WORDS='vcpus=4 $(WORDS)' LINUX_RAMDISK=$(LINUX)/soak.gz \
	    CMDLINE='paragon=smp vcpus=4 seconds=120 $(CMDLINE)' TIMEOUT=$(or $(TIMEOUT),1800)
