# Models of the protocols between CPUs, explored by Spin: tests/spin/*.pml. `make check-spin` takes
# half a minute of two CPUs; SHOW=FAULT prints the steps to a planted fault. `make check-spin-long`
# has three CPUs in the model of flushes, and longer runs of others.
.PHONY: check-spin check-spin-long
check-spin: | deps-test
	$(call say,TEST,$@)
	@SHOW=$(SHOW) python3 -B tests/spin/spin.py $(BUILD)/spin $(MODELS)
check-spin-long: | deps-test
	@python3 -B tests/spin/spin.py $(BUILD)/spin --long $(MODELS)

TESTS += check-spin
