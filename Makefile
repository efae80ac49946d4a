# SPDX-License-Identifier: BSD-2-Clause
# Every entry point: build, run, test. `make help` lists them.

.DEFAULT_GOAL := image
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Uses every CPU unless -j, or the make that started this one, says otherwise.
ifeq ($(filter -j%,$(MAKEFLAGS))$(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# CHECKED=1: a core that checks itself (core/checked.hpp), every CHECK_EVERY operations.
CHECKED     ?=
CHECK_EVERY ?= 256
# B=dir builds elsewhere; what is downloaded stays in build/ and is shared.
ifeq ($(CHECKED),1)
B        ?= build/checked
endif
B        ?= build
DEPS     := build
PLAN     ?= configs/edge-demo/edge-demo.dts
O        ?= $(B)/image/$(basename $(notdir $(PLAN)))
EMULATOR ?= qemu
MACHINE  ?= pc
SMP      ?= 2
MEM      ?= 1G
FILTER   ?=
# The key that signs slots, and further options of bulkhead-image such as --version 7.
SLOT_KEY ?= boot/image/development.pem
IMAGE_OPTIONS ?=
# The emulated box's network card. The switch's page and plc's are at these ports of this machine.
NETWORK  ?= -netdev user,id=net0,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80,hostfwd=tcp:127.0.0.1:8030-10.0.2.30:80 -device virtio-net-pci,netdev=net0

# V=1 prints whole commands instead of one short line a file.
ifeq ($(V),1)
Q    :=
say   = @:
else
Q    := @
say   = @printf '  %-8s %s\n' '$(1)' '$(2)'
endif

# --- Set-up -----------------------------------------------------------------
# toolchain.mk is written by ci/setup, which installs packages and fetches
# third-party source and kernels; make starts again once it exists.

SETUP_INPUTS := $(wildcard ci/setup ci/packages ci/sources.lock)
offline_goals := help clean distclean
ifneq ($(filter-out $(offline_goals),$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))),)
include $(DEPS)/setup/toolchain.mk
endif

$(DEPS)/setup/toolchain.mk: $(SETUP_INPUTS)
	@ci/setup $(DEPS)

NEWLIB := $(DEPS)/src/newlib/newlib
LZ4    := $(DEPS)/src/lz4/lib

# --- Flags ------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
            -Wcast-align -Wcast-qual -Werror
CXX_WARNINGS := $(WARNINGS) -Wold-style-cast
# Without a version the headers mean Xen 3.0's numbers, such as the old sched_op.
XEN_HEADERS  := -isystem $(DEPS)/include -D__XEN_INTERFACE_VERSION__=0x00040e00
DEPENDENCIES  = -MMD -MP -MF $@.d
LWIP_OPTIONS  := $(wildcard pvdrivers/net/lwip/*.h pvdrivers/net/lwip/*/*.h)
LWIP_HOST     := $(B)/host-lwip/liblwip.a
LWIP_FUZZ     := $(B)/fuzz-lwip/liblwip.a
LWIP_INCLUDES := -isystem $(DEPS)/src/lwip/src/include -isystem pvdrivers/net/lwip -Ipvdrivers/net/include

# The same for C, C++ and assembly in ring 0. No byte of glibc is visible.
RING0_INCLUDES = -nostdinc -isystem platform/x86/libc/include -isystem platform/libstdcxx \
            -isystem $(GCC_CXX_INCLUDE) -isystem $(GCC_CXX_TARGET_INCLUDE) \
            -isystem $(GCC_INCLUDE) -isystem $(NEWLIB)/libc/include \
            $(XEN_HEADERS) -isystem $(LZ4) -isystem $(B)/include -I. -Iplatform/x86
RING0_CODE := -O2 -g -ffreestanding -mgeneral-regs-only -mno-red-zone -fpie \
            -fvisibility=hidden -fno-stack-protector -fcf-protection=none \
            -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
            -fno-strict-aliasing -ffunction-sections -fdata-sections \
            -mindirect-branch=thunk-extern -mindirect-branch-register -fno-jump-tables \
            -ffile-prefix-map=$(CURDIR)/= -U__linux__ -U__unix__ -U__gnu_linux__ -Ulinux -Uunix
ifeq ($(CHECKED),1)
RING0_CODE += -DBULKHEAD_CHECKED -DBULKHEAD_CHECK_EVERY=$(CHECK_EVERY)
endif
RING0_CXXFLAGS = $(RING0_INCLUDES) -include platform/x86/hidden.hpp -nostdinc++ -std=gnu++23 $(RING0_CODE) \
            -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-use-cxa-atexit $(CXX_WARNINGS)
RING0_CFLAGS = $(RING0_INCLUDES) -std=gnu17 $(RING0_CODE)
RING0_LDFLAGS := -nostdlib -static -z noexecstack -z max-page-size=4096 -z norelro \
            --gc-sections --build-id=none --fatal-warnings

HOST_CXXFLAGS = -std=gnu++23 -O1 -g $(CXX_WARNINGS) -I. -Iplatform/x86 $(XEN_HEADERS) -isystem $(B)/include
PLAN_LIBS    := -lnettle -lfdt -llz4 -lzstd -llzma -lz -lbz2

# Link seams: a header in tests/unit/fakes/machine takes the place of the one of the
# same name in platform/x86/machine. GCC's sanitizers make the two switched-off
# warnings complain about correct code.
UNIT_CXXFLAGS = -std=gnu++23 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -DCPPUTEST_USE_MEM_LEAK_DETECTION=0 $(WARNINGS) -Wno-maybe-uninitialized \
            -Wno-stringop-overflow -isystem /usr/include/sodium -Itests/unit/fakes -I. -Iplatform/x86 -Ipvdrivers/runtime/include $(LWIP_INCLUDES) $(XEN_HEADERS) -isystem $(B)/include
UNIT_LIBS    := -lCppUTest -lCppUTestExt -lsodium -lnettle -lfdt -llz4 -lzstd -llzma -lz -lbz2 -lZydis

# --- Sources ----------------------------------------------------------------

RING0_SOURCES := $(wildcard boot/*.cpp boot/*.S core/*.cpp core/*/*.cpp platform/x86/*.cpp \
            platform/x86/*.S platform/x86/*/*.cpp platform/x86/*/*.S hvm/cpu/*.cpp hvm/cpu/*.S)
RING0_SOURCES := $(filter-out platform/x86/libc/%,$(RING0_SOURCES))
RING0_OBJECTS := $(RING0_SOURCES:%=$(B)/ring0/%.o)

# Small, since no guest waits long for it: what runs at start, at a panic, when a life begins or ends, when a driver
# is set up, or when somebody types.
RING0_COLD    := $(wildcard boot/*.cpp core/monitor/*.cpp) \
            $(patsubst %,core/%.cpp,banner boot_allocator console/keys devices/search event_bind event_close \
                grant_setup grant_version lifecycle memory_assignment partition \
                partition_fault plan_check pv/guest_context pv/start_info services shared_memory slot_health start watchdog) \
            $(patsubst %,hvm/cpu/%.cpp,guest_look operations vmx_capabilities vmx_checks) \
            $(patsubst %,platform/x86/%.cpp,amd_iommu back_trace clock_math cpu_setup cpus dmar early_traps \
                features iommu ivrs mitigations panic panic_record pci pci_enumerate pci_lines power real_time_clock \
                reference_clock start tsc_check uart vtd vtd_interrupts vtd_tables vtd_unit)
$(RING0_COLD:%=$(B)/ring0/%.o): RING0_CODE += -Os

PLAN_SOURCES  := $(wildcard boot/plan/*.cpp)
PLAN_OBJECTS  := $(PLAN_SOURCES:%=$(B)/host/%.o)

UNIT_SOURCES  := $(sort $(shell find tests/unit -name 'test_*.cpp' 2>/dev/null))
UNIT_TESTS    := $(UNIT_SOURCES:tests/unit/%.cpp=$(B)/unit/%)

NEWLIB_STRING := memchr memcmp memrchr strcat strchr strcmp strcpy strcspn strlcpy strlen \
            strncmp strncpy strnlen strrchr strspn strstr
NEWLIB_STDIO  := sniprintf vsniprintf
LIBC_OBJECTS  := $(NEWLIB_STRING:%=$(B)/libc/string/%.o) $(NEWLIB_STDIO:%=$(B)/libc/stdio/%.o) \
            $(B)/libc/stdio/svfiprintf.o $(B)/libc/newlib_glue.o $(B)/libc/memory.o $(B)/libc/lz4.o

# --- Entry points -----------------------------------------------------------

.PHONY: help setup core plan-tool ramdisk image disk flash run unit check test test-full fuzz fuzz-brief fuzz-corpus fuzz-coverage \
            bench bench-stretch conformance guests-matrix \
            clean distclean FORCE

help:
	@sed -n 's/^#: //p' Makefile

#: make setup        install packages, fetch third-party source and Debian kernels
#: make core         build/core.elf, the code of ring 0; CHECKED=1: build/checked/core.elf, which checks itself
#: make image        PLAN=x.dts O=dir: all that a box can start from, and dir/map.txt, dir/manifest.txt
#: make disk         DEV=/dev/sdX PLAN=x.dts: write the disk image to a disk; asks first
#: make flash        BOARD=name PLAN=x.dts: write the flash image to a board by OpenOCD
#: make run          PLAN=x.dts MACHINE=pc|q35 SMP=n MEM=size NETWORK=... QEMU_EXTRA=...: start the image in QEMU
#: make run EMULATOR=bochs  PLAN=x.dts SMP=n MEM=size NETWORK= BOCHS_EXTRA=...: in Bochs, whose CPU has VT-x; slow
#: make unit         unit tests on the host
#: make check        include directions, and what ring 0's ELF may contain
#: make test         check, unit tests, and the system tests; FILTER=text for some
#: make test-full    the same with the whole matrix of machines, CPUs, memory and kernels
#: make conformance  PEER=bulkhead|xen: the conformance guests here, or as first domain of Debian's Xen
#: make bench        costs and sizes, beside Debian's Xen; FILTER=text for some; fails when a bound is exceeded
#: make bench-stretch  the system tests again, for the longest stretch with interrupts off
#: make fuzz         FUZZ_SECONDS=60 FILTER=text: run the fuzz targets, each for that long
#: make fuzz-coverage  what of the hypercalls' handlers the committed inputs reach; fails below 95 % of the lines
#: make clean        remove what was built; make distclean: also what was downloaded
#: V=1 prints commands, B=dir builds in another folder than build/

setup: $(DEPS)/setup/toolchain.mk
	@ci/setup $(DEPS)

core: $(B)/core.elf
plan-tool: $(B)/host/bulkhead-plan

clean:
	rm -rf $(B)/bench $(B)/checked $(B)/ring0 $(B)/loader $(B)/flash $(B)/host $(B)/unit $(B)/guests $(B)/fuzz $(B)/fuzz-coverage $(B)/test-images $(B)/libc $(B)/image $(B)/include $(B)/core.elf \
	    $(B)/core.map $(B)/libring0.a $(DEPS)/ramdisk $(B)/test-logs \
	    $(B)/pvdrivers $(B)/newlib $(B)/host-lwip $(B)/fuzz-lwip

distclean:
	rm -rf $(B) $(DEPS)

# --- Ring 0 -----------------------------------------------------------------

# Version for the banner: rewritten only when it changes.
$(B)/include/bulkhead/build_info.hpp: FORCE
	@mkdir -p $(@D)
	@version=$$(git describe --always --dirty 2>/dev/null || echo unknown); \
	 printf '#pragma once\n#define BULKHEAD_VERSION "%s"\n' "$$version" > $@.new
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

$(B)/ring0/%.cpp.o: %.cpp Makefile | $(B)/include/bulkhead/build_info.hpp
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(RING0_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/ring0/%.S.o: %.S Makefile
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(RING0_CFLAGS) -D__ASSEMBLY__ $(DEPENDENCIES) -c $< -o $@

$(B)/core.elf: boot/core.lds $(RING0_OBJECTS) $(B)/libring0.a Makefile
	$(call say,LD,$@)
	$(Q)$(LD) $(RING0_LDFLAGS) -T boot/core.lds -Map $(B)/core.map -o $@ \
	    $(RING0_OBJECTS) $(B)/libring0.a $(LIBGCC)

# For the tests, beside the one that ships.
CHECKED_CORE := $(B)/checked/core.elf
$(CHECKED_CORE): FORCE
	@$(MAKE) CHECKED=1 B=$(B)/checked core

$(B)/libring0.a: $(LIBC_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(LIBC_OBJECTS)

# Third-party source is compiled without warnings; ours is not.
$(B)/libc/string/%.o: $(DEPS)/setup/toolchain.mk Makefile
	@mkdir -p $(@D)
	$(call say,CC,newlib string/$*.c)
	$(Q)$(CC) $(RING0_CFLAGS) -w -c $(NEWLIB)/libc/string/$*.c -o $@

$(B)/libc/stdio/svfiprintf.o: $(DEPS)/setup/toolchain.mk Makefile
	@mkdir -p $(@D)
	$(call say,CC,newlib stdio/vfprintf.c)
	$(Q)$(CC) $(RING0_CFLAGS) -w -DINTEGER_ONLY -DSTRING_ONLY -c $(NEWLIB)/libc/stdio/vfprintf.c -o $@

$(B)/libc/stdio/%.o: $(DEPS)/setup/toolchain.mk Makefile
	@mkdir -p $(@D)
	$(call say,CC,newlib stdio/$*.c)
	$(Q)$(CC) $(RING0_CFLAGS) -w -c $(NEWLIB)/libc/stdio/$*.c -o $@

$(B)/libc/lz4.o: $(DEPS)/setup/toolchain.mk Makefile
	@mkdir -p $(@D)
	$(call say,CC,lz4 lib/lz4.c)
	$(Q)$(CC) $(RING0_CFLAGS) -w -DLZ4_FREESTANDING=1 -include string.h -DLZ4_memcpy=__builtin_memcpy \
	    -DLZ4_memmove=__builtin_memmove -DLZ4_memset=memset -DLZ4_FAST_DEC_LOOP=0 -c $(LZ4)/lz4.c -o $@

$(B)/libc/%.o: platform/x86/libc/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(RING0_CFLAGS) $(WARNINGS) $(DEPENDENCIES) -c $< -o $@

$(B)/libc/%.o: platform/x86/libc/%.S Makefile
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(RING0_CFLAGS) -c $< -o $@

# --- Host tool --------------------------------------------------------------

$(B)/host/%.cpp.o: %.cpp Makefile | $(B)/include/bulkhead/build_info.hpp
	@mkdir -p $(@D)
	$(call say,HOSTCXX,$<)
	$(Q)$(CXX) $(HOST_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/host/bulkhead-plan: $(PLAN_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(CXX) -o $@ $^ $(PLAN_LIBS)

# --- Unit tests -------------------------------------------------------------

$(B)/unit/main.o: tests/unit/main.cpp Makefile
	@mkdir -p $(@D)
	$(call say,UNITCXX,$<)
	$(Q)$(CXX) $(UNIT_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

UNIT_COMMON   := $(B)/unit/main.o $(B)/unit/hardware_absent.o $(B)/unit/devices_absent.o
.SECONDARY: $(UNIT_COMMON)
$(B)/unit/%_absent.o: tests/unit/fakes/%_absent.cpp Makefile
	@mkdir -p $(@D)
	$(call say,UNITCXX,$<)
	$(Q)$(CXX) $(UNIT_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

# Each test file includes the units that it tests, so one compilation makes it. Linked by a command of
# its own, so that a compiler cache can help who has one.
$(B)/unit/%: tests/unit/%.cpp $(UNIT_COMMON) Makefile | $(B)/include/bulkhead/build_info.hpp
	@mkdir -p $(@D)
	$(call say,UNITCXX,$<)
	$(Q)$(CXX) $(UNIT_CXXFLAGS) $(DEPENDENCIES) -MT $@ -c $< -o $@.o
	$(Q)$(CXX) $(UNIT_CXXFLAGS) -o $@ $@.o $(UNIT_COMMON) $(UNIT_LIBS)

$(B)/unit/platform/x86/libc/test_memory: platform/x86/libc/memory.S

# Tests with lwIP in them; they include tests/unit/fakes/lwip_port.cpp, the port on the host.
LWIP_TESTS := $(filter $(addprefix $(B)/unit/,net/% switch/% nic/%),$(UNIT_TESTS))
$(LWIP_TESTS): UNIT_LIBS += $(LWIP_HOST)
$(LWIP_TESTS): $(LWIP_HOST)

unit: $(UNIT_TESTS)
	@tests/unit/run --filter '$(FILTER)' $(UNIT_TESTS)

# --- Conformance guests -------------------------------------------------------

-include tests/guests/guests.mk

# --- Programs of ring 3 ---------------------------------------------------------

OBJCOPY      ?= objcopy
include pvdrivers/pvdrivers.mk

# --- Loaders and images -------------------------------------------------------

include boot/loader/loader.mk

# --- RAM disks for tests and the demo -------------------------------------------
# They stay in build/ whatever B says, because plans name them by path.

FLAVOURS       := amd64 cloud-amd64 rt-amd64
RAMDISKS       := $(FLAVOURS:%=$(DEPS)/ramdisk/%.cpio.gz)
RAMDISK_PARTS  := $(wildcard tests/ramdisk/stress/*.cpp)
RAMDISK_MODULES := dummy tun loop xor raid6_pq lzo-rle zsmalloc zram watchdog xen_wdt sha512_generic sha512-ssse3 af_alg algif_hash \
            xen-evtchn xen-gntdev xen-netfront

# One program of Debian's xenstore-utils under several names.
XENSTORE       := /usr/bin/xenstore
XENSTORE_TOOLS := chmod exists list ls read rm watch write

ramdisk: $(RAMDISKS)

$(DEPS)/ramdisk/%.cpp.o: tests/ramdisk/stress/%.cpp Makefile
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) $(DEPENDENCIES) -c $< -o $@

$(DEPS)/ramdisk/stress-tool: $(RAMDISK_PARTS:tests/ramdisk/stress/%=$(DEPS)/ramdisk/%.o)
	$(call say,GUESTLD,$@)
	$(Q)$(CXX) -static -s -o $@ $^

$(DEPS)/ramdisk/stress-32: tests/ramdisk/stress/program32.S Makefile
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)
	$(Q)$(CC) -m32 -nostdlib -static -s -Wl,--build-id=none $< -o $@

$(DEPS)/ramdisk/shared-memory: pvdrivers/examples/shared-memory.cpp Makefile
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) $(XEN_HEADERS) -static -s -o $@ $<

$(DEPS)/ramdisk/netload: tests/ramdisk/netload/netload.cpp Makefile
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) -static -s -o $@ $<

ramdisk_files := tests/ramdisk/init tests/ramdisk/stress/stress
$(DEPS)/ramdisk/%.cpio.gz: $(ramdisk_files) $(DEPS)/ramdisk/stress-tool $(DEPS)/ramdisk/stress-32 \
            $(DEPS)/ramdisk/shared-memory $(DEPS)/ramdisk/netload tests/ramdisk/pack $(DEPS)/kernels/%/version Makefile
	$(call say,RAMDISK,$@)
	$(Q)modules=; for module in $(RAMDISK_MODULES); do \
	    file=$$(find $(DEPS)/kernels/$*/lib/modules -name $$module.ko); \
	    if [ -n "$$file" ]; then modules="$$modules --module $$file"; \
	    else grep -q "/$$module\.ko$$" $(DEPS)/kernels/$*/lib/modules/*/modules.builtin || \
	        { echo "the $* kernel has no module $$module" >&2; exit 1; }; \
	    fi; \
	done; \
	for tool in $(XENSTORE_TOOLS); do links="$$links --link xenstore-$$tool=xenstore"; done; \
	libraries=$$(ldd $(XENSTORE) | sed -n 's,.*=> \(/[^ ]*/\([^ /]*\)\) .*,lib/\2=\1,p; s,^[[:space:]]*/\(lib64/[^ ]*\) .*,\1=/\1,p'); \
	tests/ramdisk/pack --output $@ $$modules $$(busybox --list | sed 's/^/--link /') $$links $$libraries \
	    bin/xenstore=$(XENSTORE) \
	    init=tests/ramdisk/init bin/busybox=$$(command -v busybox) bin/stress=tests/ramdisk/stress/stress \
	    bin/stress-tool=$(DEPS)/ramdisk/stress-tool bin/stress-32=$(DEPS)/ramdisk/stress-32 \
	    bin/shared-memory=$(DEPS)/ramdisk/shared-memory bin/netload=$(DEPS)/ramdisk/netload

$(DEPS)/kernels/%/version: $(DEPS)/setup/toolchain.mk ;

# To compare the store's answers with those of Debian's stores, which run in a first domain of Xen.
STORE_PEER         := $(DEPS)/ramdisk/store-peer.cpio.gz
STORE_PEER_MODULES := xen-evtchn xen-gntdev xen-privcmd xenfs
XEN_UTILS          := $(DEPS)/ramdisk/xen-utils

$(XEN_UTILS)/version: ci/fetch-xen-utils $(DEPS)/setup/toolchain.mk
	$(call say,FETCH,$(XEN_UTILS))
	$(Q)ci/fetch-xen-utils $(XEN_UTILS) && touch $@

$(DEPS)/ramdisk/store-probe: tests/ramdisk/store_probe.cpp Makefile
	@mkdir -p $(@D)
	$(call say,GUESTCXX,$<)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) $(XEN_HEADERS) -static -s -o $@ $<

$(STORE_PEER): $(DEPS)/ramdisk/amd64.cpio.gz $(DEPS)/ramdisk/store-probe tests/ramdisk/store-peer tests/ramdisk/pack \
            $(XEN_UTILS)/version Makefile
	$(call say,RAMDISK,$@)
	$(Q)for module in $(STORE_PEER_MODULES); do \
	    modules="$$modules --module $$(find $(DEPS)/kernels/amd64/lib/modules -name $$module.ko)"; \
	done; \
	libraries=$$(ldd $(XEN_UTILS)/xenstored $(XEN_UTILS)/oxenstored | \
	    sed -n 's,.*=> \(/[^ ]*/\([^ /]*\)\) .*,lib/\2=\1,p; s,^[[:space:]]*/\(lib64/[^ ]*\) .*,\1=/\1,p' | sort -u); \
	tests/ramdisk/pack --output $@.part $$modules $$libraries bin/xenstored=$(XEN_UTILS)/xenstored \
	    bin/oxenstored=$(XEN_UTILS)/oxenstored etc/oxenstored.conf=$(XEN_UTILS)/oxenstored.conf \
	    bin/store-probe=$(DEPS)/ramdisk/store-probe bin/store-peer=tests/ramdisk/store-peer
	$(Q)cat $< $@.part > $@ && rm $@.part

# To run claims about two partitions as two domains of Xen, which xl makes under a Debian first domain.
XL_PEER         := $(B)/ramdisk/xl-peer.cpio.gz
XL_PEER_MODULES := $(STORE_PEER_MODULES) xen-gntalloc
XL_PROGRAMS     := xenstored xl xenconsoled xen-init-dom0

$(XL_PEER): $(DEPS)/ramdisk/amd64.cpio.gz $(PAIR_ELFS) tests/ramdisk/xl-peer tests/ramdisk/pack $(XEN_UTILS)/version Makefile
	@mkdir -p $(@D)
	$(call say,RAMDISK,$@)
	$(Q)for module in $(XL_PEER_MODULES); do \
	    modules="$$modules --module $$(find $(DEPS)/kernels/amd64/lib/modules -name $$module.ko)"; \
	done; \
	libraries=$$(ldd $(XL_PROGRAMS:%=$(XEN_UTILS)/%) | \
	    sed -n 's,.*=> \(/[^ ]*/\([^ /]*\)\) .*,lib/\2=\1,p; s,^[[:space:]]*/\(lib64/[^ ]*\) .*,\1=/\1,p' | sort -u); \
	tests/ramdisk/pack --output $@.part $$modules $$libraries lib/libgcc_s.so.1=$$($(CC) -print-file-name=libgcc_s.so.1) \
	    $(foreach program,$(XL_PROGRAMS),bin/$(program)=$(XEN_UTILS)/$(program)) \
	    $(foreach guest,$(PAIR_GUESTS),lib/$(guest).elf=$(B)/guests/$(guest).elf) bin/xl-peer=tests/ramdisk/xl-peer
	$(Q)cat $< $@.part > $@ && rm $@.part

# --- Fuzzing ----------------------------------------------------------------

include tests/fuzz/fuzz.mk

# --- Image and emulated box -------------------------------------------------

image: $(B)/core.elf $(B)/host/bulkhead-plan $(B)/host/bulkhead-image $(LOADERS) $(RAMDISKS) $(PVDRIVERS_ELFS)
	$(call say,PLAN,$(PLAN) -> $(O)/bulkhead.elf)
	$(Q)mkdir -p $(O)
	$(Q)$(B)/host/bulkhead-plan --core $(B)/core.elf --output $(O) $(PLAN)
	$(Q)$(B)/host/bulkhead-image --image $(O)/bulkhead.elf --loaders $(B)/loader --key $(SLOT_KEY) --output $(O) $(IMAGE_OPTIONS)

disk: image
	@platform/x86/flash/disk --image $(O)/disk.img $(or $(DEV),$(error name the disk: make disk DEV=/dev/sdX))

flash: image
	@platform/x86/flash/flash --board $(or $(BOARD),$(error name the board: make flash BOARD=simulated)) --image $(O)/bulkhead.rom

# All keys go to the box, Ctrl-C too: no multiplexed QEMU monitor, no signals. SMAP is
# off because QEMU 7.2 raises a wrong page fault in a PV guest's iretq with it.
QEMU         ?= qemu-system-x86_64
QEMU_COMMAND  = $(QEMU) -accel tcg,thread=multi -cpu max,-smap -machine $(MACHINE) -smp $(SMP) -m $(MEM) \
            -kernel $(O)/bulkhead.elf -nodefaults -display none -monitor none \
            -chardev stdio,id=serial0,signal=off -serial chardev:serial0 $(NETWORK) $(QEMU_EXTRA)

# The same box with VT-x in place of AMD-V. Its card is a model that the switch drives, with the same ports.
BOCHS_COMMAND = platform/x86/emulator/bochs --disk $(O)/disk.img --folder $(O)/bochs --cpus $(SMP) --memory $(MEM) \
            $(if $(NETWORK),--card $(patsubst hostfwd=%,--forward %,$(filter hostfwd=%,$(subst $(comma), ,$(NETWORK))))) $(BOCHS_EXTRA)
comma         := ,

run: image run-$(EMULATOR)

.PHONY: run-qemu run-bochs
run-qemu: image
	@echo
	@echo '$(QEMU_COMMAND)' | tr -s ' '
	@echo
	@echo 'All keys go to the box. To leave: Ctrl-] m, then the command poweroff. Ctrl-] ? lists the keys.'
	@echo
	@$(QEMU_COMMAND)

run-bochs: image
	@$(BOCHS_COMMAND)

# --- Tests ------------------------------------------------------------------

#: make guests-matrix  RESULTS="files": takes what the system tests have shown into docs/guests.md
guests-matrix:
	@tests/system/matrix --build $(B) --results $(RESULTS)

check: $(B)/core.elf $(B)/pvdrivers/store.elf $(B)/pvdrivers/switch.elf $(B)/pvdrivers/machine.elf
	@ci/check-includes
	@tests/system/matrix --check
	@ci/check-elf $(B)/core.elf
	@ci/check-size $(B)/pvdrivers/store.debug $(STORE_BOUND)
	@ci/check-size $(B)/pvdrivers/switch.debug $(SWITCH_BOUND)
	@ci/check-size $(B)/pvdrivers/machine.debug $(MACHINE_BOUND)

TEST_PROGRAMS = $(UNIT_TESTS) $(B)/core.elf $(CHECKED_CORE) $(B)/host/bulkhead-plan $(B)/host/bulkhead-image $(LOADERS) $(FLASH_SIMULATOR) $(RAMDISKS) $(GUEST_ELFS) $(PVDRIVERS_ELFS) $(PROGRAM_TEST_ELFS)

test: $(TEST_PROGRAMS) $(HYPERCALL_FUZZERS)
	@tests/run --build $(B) --filter '$(FILTER)' --fuzz '$(HYPERCALL_FUZZERS)' $(UNIT_TESTS)

test-full: $(TEST_PROGRAMS) $(FUZZ_TARGETS) $(STORE_PEER)
	@tests/run --build $(B) --filter '$(FILTER)' --full --fuzz '$(FUZZ_TARGETS)' $(UNIT_TESTS)

# --- Conformance --------------------------------------------------------------

PEER ?= bulkhead

conformance: $(B)/core.elf $(B)/host/bulkhead-plan $(GUEST_ELFS) $(if $(filter xen,$(PEER)),$(XL_PEER))
	@tests/guests/conformance --build $(B) --peer $(PEER) --filter '$(FILTER)'

# --- Benchmarks ---------------------------------------------------------------
# They measure what ships; they are no part of `make test`.

BENCH_PROGRAMS = $(B)/core.elf $(B)/host/bulkhead-plan $(RAMDISKS) $(GUEST_ELFS) $(B)/bench/core_time.so $(B)/bench/boot_time.so $(B)/bench/shares.so \
            $(PVDRIVERS_ELFS) $(LOADERS) $(B)/host/bulkhead-image

$(B)/bench/%.so: tests/bench/plugin/%.cpp $(wildcard tests/bench/plugin/*.hpp) Makefile
	@mkdir -p $(@D)
	$(call say,HOSTCXX,$<)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) -shared -fPIC -fvisibility=hidden -I. -o $@ $<

bench: $(BENCH_PROGRAMS)
	@tests/bench/run --build $(B) --filter '$(FILTER)'

bench-stretch: $(BENCH_PROGRAMS)
	@tests/system/run --build $(B) --filter '$(FILTER)' --stretch
	@tests/bench/run --build $(B) --filter stretch

# --- Dependencies of a former build -----------------------------------------

-include $(RING0_OBJECTS:=.d) $(PLAN_OBJECTS:=.d) $(wildcard $(DEPS)/ramdisk/*.d) $(UNIT_TESTS:=.d) $(B)/unit/main.o.d
