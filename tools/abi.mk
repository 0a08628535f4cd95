# What everything that speaks the ABI is compiled with: the public headers under a name of their
# own, <public/xen.h>, and the files made from common/abi.def, "gen/abi_handlers.h" and others.
# $(ABI) must be there before anything is compiled, so the top Makefile includes this first.
ABI_LINK := $(BUILD)/abi/public
GEN      := $(BUILD)/gen
ABI      := $(ABI_LINK) $(GEN)/stamp
ABI_TOOL := $(wildcard tools/abi*.py)

# Nothing is compiled without them, so this is where compilers are waited for.
$(ABI_LINK): | deps
	@mkdir -p $(@D) && ln -sfn /usr/include/xen $@

# A file that comes out as it was keeps its time, so that nothing is compiled again for it.
$(GEN)/stamp: common/abi.def $(ABI_TOOL) | deps
	$(call say,ABI,$(GEN))
	$(Q)python3 -B tools/abi.py common/abi.def $(GEN)
	@touch $@
$(GEN)/%.c $(GEN)/%.h: $(GEN)/stamp ;
