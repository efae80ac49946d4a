# SPDX-License-Identifier: BSD-2-Clause
# Conformance, benchmark and fuzzing guests: every tests/guests/NAME.cpp and tests/bench/NAME.cpp
# becomes $(B)/guests/NAME.elf, a PV kernel of its own. Included by the Makefile, after RING0_INCLUDES.

GUEST_TESTS   := $(basename $(notdir $(sort $(wildcard tests/guests/*.cpp))))
BENCH_GUESTS  := $(basename $(notdir $(sort $(wildcard tests/bench/*.cpp))))
GUEST_ELFS    := $(GUEST_TESTS:%=$(B)/guests/%.elf) $(BENCH_GUESTS:%=$(B)/guests/%.elf)
# Claims about two partitions, in which the same guest runs.
PAIR_GUESTS   := $(basename $(notdir $(sort $(wildcard tests/guests/pairs/*.cpp))))
PAIR_ELFS     := $(PAIR_GUESTS:%=$(B)/guests/%.elf)
GUEST_ELFS    += $(PAIR_ELFS)
FUZZ_GUESTS   := fuzz_guest fuzz_bystander
GUEST_ELFS    += $(FUZZ_GUESTS:%=$(B)/guests/%.elf)
PV_GUESTS     := $(GUEST_ELFS)
HARDWARE_GUESTS := $(patsubst %,$(B)/guests/%.elf,hardware modes halt tasks fuzz_hardware fuzz_hardware_bystander apic_page apic_rounds)
GUEST_ELFS    += $(HARDWARE_GUESTS)
GUEST_FRAMEWORK := $(patsubst tests/guests/%,$(B)/guests/objects/%.o,\
            $(filter-out %/pair.cpp,$(wildcard tests/guests/framework/*.cpp tests/guests/framework/*.S)))
GUEST_FLAGS    = $(RING0_INCLUDES) -Itests/guests -Itests/bench -O2 -g -ffreestanding -mgeneral-regs-only \
            -mno-red-zone -mcmodel=kernel -fno-pie -fno-stack-protector -fcf-protection=none \
            -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-strict-aliasing \
            -fno-tree-loop-distribute-patterns -ffile-prefix-map=$(CURDIR)/= \
            -U__linux__ -U__unix__ -U__gnu_linux__ -Ulinux -Uunix
GUEST_CXXFLAGS = $(GUEST_FLAGS) -nostdinc++ -std=gnu++23 -fno-exceptions -fno-rtti \
            -fno-threadsafe-statics -fno-use-cxa-atexit $(CXX_WARNINGS)

.PHONY: guests
#: make guests       conformance guests: build/guests/NAME.elf
guests: $(GUEST_ELFS)

$(B)/guests/objects/%.cpp.o: tests/guests/%.cpp tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) $(GUEST_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/guests/objects/%.cpp.o: tests/guests/pairs/%.cpp tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) $(GUEST_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/guests/objects/%.cpp.o: tests/bench/%.cpp tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) $(GUEST_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/guests/objects/%.cpp.o: tests/fuzz/guest/%.cpp tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) $(GUEST_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/guests/objects/%.S.o: tests/fuzz/guest/%.S tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)
	$(Q)$(CC) $(GUEST_FLAGS) -D__ASSEMBLY__ $(DEPENDENCIES) -c $< -o $@

$(B)/guests/objects/%.S.o: tests/guests/%.S tests/guests/guests.mk
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)
	$(Q)$(CC) $(GUEST_FLAGS) -D__ASSEMBLY__ $(DEPENDENCIES) -c $< -o $@

# What docs/abi.md says, for the guest that asks whether it is true.
$(B)/guests/objects/framework/abi_surface.inc: docs/abi.md ci/check-abi
	@mkdir -p $(@D)
	@ci/check-abi --headers $(DEPS)/include/xen --table $@

$(B)/guests/objects/abi_surface.cpp.o: $(B)/guests/objects/framework/abi_surface.inc
$(B)/guests/objects/abi_surface.cpp.o: GUEST_FLAGS += -I$(B)/guests/objects

$(PV_GUESTS): $(B)/guests/%.elf: $(B)/guests/objects/%.cpp.o $(GUEST_FRAMEWORK) tests/guests/guest.lds
	$(call say,GUESTLD,$@)
	$(Q)$(LD) -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none --fatal-warnings \
	    -T tests/guests/guest.lds -o $@ $(filter %.o,$^)

$(PAIR_ELFS): $(B)/guests/objects/framework/pair.cpp.o

# The fuzzing guest has several parts (tests/fuzz/guest).
$(B)/guests/fuzz_guest.elf: $(patsubst %,$(B)/guests/objects/%.cpp.o,pool calls instructions)

# The guests of pvh partitions stand by themselves, at physical addresses.
HARDWARE_PARTS := $(B)/guests/objects/hardware/start.S.o $(B)/guests/objects/framework/builtins.cpp.o
$(B)/guests/objects/hardware/%.o: GUEST_FLAGS += -mcmodel=small
$(B)/guests/hardware.elf: $(B)/guests/objects/hardware/main.cpp.o
$(B)/guests/halt.elf: $(B)/guests/objects/hardware/halt.cpp.o
$(B)/guests/apic_page.elf: $(B)/guests/objects/hardware/apic_page.cpp.o
$(B)/guests/apic_rounds.elf: $(B)/guests/objects/hardware/apic_rounds.cpp.o
$(B)/guests/tasks.elf: $(B)/guests/objects/hardware/tasks.cpp.o $(B)/guests/objects/hardware/tasks.S.o
$(B)/guests/modes.elf: $(B)/guests/objects/hardware/modes.cpp.o $(B)/guests/objects/hardware/modes.S.o
FUZZ_HARDWARE := $(patsubst %,$(B)/guests/objects/hardware_%.o,main.cpp code.cpp modes.S)
$(FUZZ_HARDWARE) $(B)/guests/objects/hardware_bystander.cpp.o: GUEST_FLAGS += -mcmodel=small -Itests/fuzz/guest
$(B)/guests/fuzz_hardware.elf: $(FUZZ_HARDWARE)
$(B)/guests/fuzz_hardware_bystander.elf: $(B)/guests/objects/hardware_bystander.cpp.o
$(HARDWARE_GUESTS): $(HARDWARE_PARTS) tests/guests/hardware/guest.lds
	$(call say,GUESTLD,$@)
	$(Q)$(LD) -nostdlib -static -z noexecstack --no-warn-rwx-segments -T tests/guests/hardware/guest.lds -o $@ $(filter %.o,$^)

# Benchmark guests of hardware partitions: tests/bench/hardware/NAME.cpp, and loop.cpp, which is the same for both.
HARDWARE_BENCH_COMMON := $(patsubst %,$(B)/guests/objects/%.o,hardware/start.S hardware/start.cpp framework/guest.cpp \
            framework/builtins.cpp)
HARDWARE_BENCH_ELFS := $(B)/guests/hardware_operations.elf $(B)/guests/hardware_loop.elf $(B)/guests/hardware_apic_page.elf
GUEST_ELFS    += $(HARDWARE_BENCH_ELFS)
$(B)/guests/hardware_operations.elf: $(B)/guests/objects/hardware/hardware_operations.cpp.o
$(B)/guests/hardware_loop.elf: $(B)/guests/objects/loop.cpp.o
$(B)/guests/hardware_apic_page.elf: $(B)/guests/objects/hardware/hardware_apic_page.cpp.o
$(HARDWARE_BENCH_ELFS): $(HARDWARE_BENCH_COMMON) tests/guests/hardware/guest.lds
	$(call say,GUESTLD,$@)
	$(Q)$(LD) -nostdlib -static -z noexecstack --no-warn-rwx-segments -T tests/guests/hardware/guest.lds -o $@ $(filter %.o,$^)

-include $(wildcard $(B)/guests/objects/*.d $(B)/guests/objects/hardware/*.d $(B)/guests/objects/framework/*.d)
