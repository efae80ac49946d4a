# Fuzz targets: each tests/fuzz/fuzz_*.cpp is a program, built twice: with sanitizers, to find mistakes,
# and with counters, for what the committed corpora reach. clang 14 hides <expected> unless it is told
# that its concepts suffice.

FUZZ_SOURCES  := $(sort $(wildcard tests/fuzz/fuzz_*.cpp))
FUZZ_TARGETS  := $(FUZZ_SOURCES:tests/fuzz/%.cpp=$(B)/fuzz/%)
FUZZ_SECONDS  ?= 60
FUZZ_CXXFLAGS  = -std=gnu++2b -D__cpp_concepts=202002L -Wno-macro-redefined -Wno-unknown-attributes -O1 -g $(FUZZ_KIND) \
            -Itests/unit/fakes -I. -Iplatform/x86 -Ipvdrivers/runtime/include $(LWIP_INCLUDES) $(XEN_HEADERS) -isystem $(B)/include

# Those whose corpora are to reach the handlers of hypercalls: tests/fuzz/README.md. `make test` runs them.
HYPERCALL_NAMES   := fuzz_events_grants fuzz_hardware_calls fuzz_hardware_exits fuzz_hypercalls fuzz_pv_emulate fuzz_pv_memory
HYPERCALL_FUZZERS := $(HYPERCALL_NAMES:%=$(B)/fuzz/%)
COVERAGE_TARGETS  := $(HYPERCALL_NAMES:%=$(B)/fuzz-coverage/%)

FUZZ_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_COUNTERS   := -fprofile-instr-generate -fcoverage-mapping
$(B)/fuzz/%: FUZZ_KIND := -fsanitize=fuzzer $(FUZZ_SANITIZERS)
$(B)/fuzz-coverage/%: FUZZ_KIND := -fsanitize=fuzzer $(FUZZ_COUNTERS)
# New ground in the checks of the core says nothing about the core.
$(B)/fuzz/hypercalls/checks.o: FUZZ_KIND := $(FUZZ_SANITIZERS)
$(B)/fuzz-coverage/hypercalls/checks.o: FUZZ_KIND := $(FUZZ_COUNTERS)

$(DEPS)/setup/clang: ci/setup
	@ci/setup $(DEPS) clang-14 libclang-rt-14-dev llvm-14
	@touch $@

# Targets with lwIP in them are named fuzz_net_*.
LWIP_FUZZERS := $(filter $(B)/fuzz/fuzz_net_%,$(FUZZ_TARGETS))
$(LWIP_FUZZERS): $(LWIP_FUZZ)
$(LWIP_FUZZERS): PLAN_LIBS += $(LWIP_FUZZ)
$(LWIP_FUZZERS): FUZZ_CXXFLAGS += -isystem tests/fuzz/clang -U__cpp_concepts -D__cpp_concepts=201907L

# The model of all hypercalls is too much for one unit of compilation.
HYPERCALL_PARTS := $(sort $(wildcard tests/fuzz/hypercalls/*.cpp))
FUZZ_ABSENT     := $(sort $(wildcard tests/unit/fakes/*_absent.cpp))
$(B)/fuzz/fuzz_hypercalls: $(HYPERCALL_PARTS:tests/fuzz/%.cpp=$(B)/fuzz/%.o)
$(B)/fuzz-coverage/fuzz_hypercalls: $(HYPERCALL_PARTS:tests/fuzz/%.cpp=$(B)/fuzz-coverage/%.o)

.PRECIOUS: $(B)/fuzz/%.o $(B)/fuzz-coverage/%.o

define fuzz_rules
$(1)/%.o: tests/fuzz/%.cpp Makefile tests/fuzz/fuzz.mk | $(DEPS)/setup/clang $(B)/include/bulkhead/build_info.hpp
	@mkdir -p $$(@D)
	$$(call say,FUZZCXX,$$<)
	$$(Q)clang++-14 $$(FUZZ_CXXFLAGS) $$(DEPENDENCIES) -c -o $$@ $$<

$(1)/absent/%.o: tests/unit/fakes/%.cpp Makefile tests/fuzz/fuzz.mk | $(DEPS)/setup/clang
	@mkdir -p $$(@D)
	$$(call say,FUZZCXX,$$<)
	$$(Q)clang++-14 $$(FUZZ_CXXFLAGS) $$(DEPENDENCIES) -c -o $$@ $$<

$(1)/fuzz_%: $(1)/fuzz_%.o $(FUZZ_ABSENT:tests/unit/fakes/%.cpp=$(1)/absent/%.o)
	$$(call say,FUZZLD,$$@)
	$$(Q)clang++-14 $$(FUZZ_KIND) -o $$@ $$(filter %.o,$$^) $$(PLAN_LIBS) -lZydis
endef
$(eval $(call fuzz_rules,$(B)/fuzz))
$(eval $(call fuzz_rules,$(B)/fuzz-coverage))

fuzz: $(FUZZ_TARGETS)
	@tests/fuzz/run --seconds $(FUZZ_SECONDS) --filter '$(FILTER)' $(FUZZ_TARGETS)

fuzz-brief: $(FUZZ_TARGETS)
	@tests/fuzz/run --brief --filter '$(FILTER)' $(FUZZ_TARGETS)

# What the targets found goes into the committed corpora, as little as reaches the same.
fuzz-corpus: $(COVERAGE_TARGETS)
	@tests/fuzz/reduce --found $(B)/fuzz $(COVERAGE_TARGETS)

fuzz-coverage: $(COVERAGE_TARGETS)
	@tests/fuzz/coverage $(COVERAGE_TARGETS)

-include $(wildcard $(foreach dir,$(B)/fuzz $(B)/fuzz-coverage,$(dir)/*.d $(dir)/absent/*.d $(dir)/hypercalls/*.d))
