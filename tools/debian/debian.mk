# The guest GUEST=debian: a disk with Debian 12 on it, made once from Debian's packages, and the
# kernel and ramdisk out of it. What runs on it stays on it; `rm build/debian/disk.img` makes a new
# one. Included by the top Makefile.
DEBIAN_SIZE ?= 2G
DEPS_DEBIAN := mmdebstrap e2fsprogs debian-archive-keyring

.PHONY: deps-debian
deps-debian: deps
	@tools/install-packages $(DEPS_DEBIAN)

# The three are made together. They do not depend on the scripts: a disk that is in use is not
# thrown away because a script has changed.
$(DEBIAN)/disk.img: | deps-debian
	@mkdir -p $(@D)
	@tools/debian/make-disk $@ $(DEBIAN_SIZE)
$(DEBIAN)/disk.img.kernel $(DEBIAN)/disk.img.initrd: | $(DEBIAN)/disk.img ;

$(DEBIAN)/vmlinux: $(DEBIAN)/disk.img.kernel tools/unpack-kernel
	$(call say,UNPACK,$@)
	$(Q)tools/unpack-kernel $< $@
