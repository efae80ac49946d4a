# SPDX-License-Identifier: BSD-2-Clause
# Programs of ring 3: each becomes $(B)/pvdrivers/NAME.elf, which the image and Xen take, and NAME.debug
# with symbols and lines for addr2line. Included by the Makefile.

PVDRIVERS_LIBC := $(B)/newlib/lib/libc.a

PVDRIVERS_INCLUDES = -nostdinc -isystem platform/libstdcxx -isystem $(GCC_CXX_INCLUDE) \
            -isystem $(GCC_CXX_TARGET_INCLUDE) -isystem $(GCC_INCLUDE) -isystem $(B)/newlib/include \
            $(XEN_HEADERS) -isystem $(DEPS)/src/libfdt $(LWIP_INCLUDES) -Ipvdrivers/runtime/include -I.
# No red zone and no unwind tables, as in libc/build-newlib. Frame pointers are for back traces.
PVDRIVERS_CODE := -O2 -g -mno-red-zone -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none \
            -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -ffunction-sections -fdata-sections \
            -ffile-prefix-map=$(CURDIR)/= -U__linux__ -U__unix__ -U__gnu_linux__ -Ulinux -Uunix
PVDRIVERS_CXX_CODE := -nostdinc++ -std=gnu++23 -fno-exceptions -fno-rtti
PVDRIVERS_CXXFLAGS = $(PVDRIVERS_INCLUDES) $(PVDRIVERS_CXX_CODE) $(PVDRIVERS_CODE) $(CXX_WARNINGS)
PVDRIVERS_CFLAGS = $(PVDRIVERS_INCLUDES) -std=gnu17 $(PVDRIVERS_CODE)
PVDRIVERS_LDFLAGS := -nostdlib -static --nmagic -z noexecstack -z max-page-size=4096 --gc-sections --build-id=none \
            --fatal-warnings -T pvdrivers/runtime/runtime.lds

# A program may start as a hardware guest, too. Services do not.
PVDRIVERS_START := -u pvh_entry

# --- Runtime ----------------------------------------------------------------

RUNTIME_SOURCES := $(wildcard pvdrivers/runtime/*.cpp pvdrivers/runtime/*.S pvdrivers/runtime/libc/*.cpp)
RUNTIME_OBJECTS := $(RUNTIME_SOURCES:%=$(B)/%.o) $(patsubst %,$(B)/pvdrivers/libfdt/%.o,fdt fdt_ro) \
            $(patsubst %,$(B)/pvdrivers/libstdc++/%.o,tree hashtable_c++0x list)
RUNTIME         := $(B)/pvdrivers/libbulkhead.a

# The headers come with the library, so every object waits for both.
$(DEPS)/src/newlib/.sum: $(DEPS)/setup/toolchain.mk ;
$(PVDRIVERS_LIBC): pvdrivers/runtime/libc/build-newlib $(DEPS)/src/newlib/.sum
	$(call say,NEWLIB,$(B)/newlib)
	$(Q)MAKEFLAGS= pvdrivers/runtime/libc/build-newlib $(DEPS)/src/newlib $(B)/newlib && touch $@

$(B)/pvdrivers/%.cpp.o: pvdrivers/%.cpp pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCXX,$<)
	$(Q)$(CXX) $(PVDRIVERS_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/pvdrivers/%.S.o: pvdrivers/%.S pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVAS,$<)
	$(Q)$(CC) $(PVDRIVERS_CFLAGS) -D__ASSEMBLY__ $(DEPENDENCIES) -c $< -o $@

# Third-party source is compiled without warnings; ours is not.
$(B)/pvdrivers/libfdt/%.o: $(DEPS)/setup/toolchain.mk pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCC,libfdt $*.c)
	$(Q)$(CC) $(PVDRIVERS_CFLAGS) -w -c $(DEPS)/src/libfdt/$*.c -o $@

# The parts of libstdc++'s library that stand alone: the trees, hash tables and lists of the containers.
$(B)/pvdrivers/libstdc++/%.o: $(DEPS)/setup/toolchain.mk pvdrivers/pvdrivers.mk
	@mkdir -p $(@D)
	$(Q)$(AR) p $$($(CXX) -print-file-name=libstdc++.a) $*.o > $@

$(RUNTIME): $(RUNTIME_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# --- Network ------------------------------------------------------------------
# lwIP with its port, and the front end: $(LWIP_LIBRARY) in a program's third argument. The same options
# on the host, with sanitizers, for unit tests ($(LWIP_HOST)) and fuzz targets ($(LWIP_FUZZ)).

LWIP_SOURCES := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf raw stats tcp tcp_in tcp_out timeouts udp) \
            $(addprefix core/ipv4/,dhcp etharp icmp igmp ip4_frag ip4 ip4_addr) \
            $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) \
            $(addprefix netif/,ethernet bridgeif bridgeif_fdb) apps/mdns/mdns
LWIP_PORT     = $(wildcard pvdrivers/net/*.cpp)
LWIP_LIBRARY := $(B)/pvdrivers/liblwip.a

# Small, but for what touches each byte.
LWIP_CODE := -Os -fomit-frame-pointer
$(patsubst %,$(B)/pvdrivers/lwip/core/%.o,inet_chksum pbuf): LWIP_CODE :=
$(patsubst %,$(B)/pvdrivers/net/%.cpp.o,card netfront pages stack) $(B)/pvdrivers/plc/publish.cpp.o: PVDRIVERS_CODE += -Os

$(B)/pvdrivers/lwip/%.o: $(DEPS)/setup/toolchain.mk pvdrivers/pvdrivers.mk $(LWIP_OPTIONS) | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCC,lwip $*.c)
	$(Q)$(CC) $(PVDRIVERS_CFLAGS) $(LWIP_CODE) -fno-strict-aliasing -w -c $(DEPS)/src/lwip/src/$*.c -o $@

$(B)/host-lwip/%.o: $(DEPS)/setup/toolchain.mk pvdrivers/pvdrivers.mk $(LWIP_OPTIONS)
	@mkdir -p $(@D)
	$(call say,UNITCC,lwip $*.c)
	$(Q)$(CC) $(LWIP_INCLUDES) -std=gnu17 -O1 -g -w -fno-strict-aliasing -fsanitize=address,undefined \
	    -fno-sanitize=alignment -fno-sanitize-recover=undefined -c $(DEPS)/src/lwip/src/$*.c -o $@

$(B)/fuzz-lwip/%.o: $(DEPS)/setup/clang pvdrivers/pvdrivers.mk $(LWIP_OPTIONS)
	@mkdir -p $(@D)
	$(call say,FUZZCC,lwip $*.c)
	$(Q)clang-14 $(LWIP_INCLUDES) -std=gnu17 -O1 -g -w -fno-strict-aliasing -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize=alignment -fno-sanitize-recover=undefined -c $(DEPS)/src/lwip/src/$*.c -o $@

$(LWIP_LIBRARY): $(LWIP_SOURCES:%=$(B)/pvdrivers/lwip/%.o) $(LWIP_PORT:%=$(B)/%.o)
$(LWIP_HOST): $(LWIP_SOURCES:%=$(B)/host-lwip/%.o)
$(LWIP_FUZZ): $(LWIP_SOURCES:%=$(B)/fuzz-lwip/%.o)
$(LWIP_LIBRARY) $(LWIP_HOST) $(LWIP_FUZZ):
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# --- Programs ---------------------------------------------------------------
# $(call program,NAME,SOURCES,OBJECTS AND ARCHIVES BESIDE THEM): the third is for programs with a library
# of their own. Flags for one folder: $(B)/pvdrivers/NAME/%: PVDRIVERS_CODE += -mavx2

PVDRIVERS_NAMES :=
define program
PVDRIVERS_NAMES += $(1)
$(B)/pvdrivers/$(1).debug: $(patsubst %,$(B)/%.o,$(2)) $(3)
endef

$(eval $(call program,hello,pvdrivers/hello/hello.cpp))
$(eval $(call program,plc,$(wildcard pvdrivers/plc/*.cpp),$(LWIP_LIBRARY)))
$(eval $(call program,store,$(wildcard pvdrivers/store/*.cpp)))
$(eval $(call program,switch,$(wildcard pvdrivers/switch/*.cpp pvdrivers/switch/host/*.cpp pvdrivers/nic/*.cpp),$(LWIP_LIBRARY)))

# The machine service, with Zydis' decoder: no formatter, no encoder, no tables of operands. The unit tests
# use the same version as Debian builds it.
ZYDIS_OPTIONS := -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_FORMATTER \
            -DZYDIS_MINIMAL_MODE -DZYDIS_DISABLE_AVX512 -DZYDIS_DISABLE_KNC -isystem $(DEPS)/src/zydis/include
ZYDIS_OBJECTS := $(patsubst %,$(B)/pvdrivers/zydis/%.o,Decoder DecoderData SharedData)
$(eval $(call program,machine,$(wildcard hvm/machine/*.cpp),$(ZYDIS_OBJECTS)))

$(B)/pvdrivers/zydis/%.o: $(DEPS)/setup/toolchain.mk pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCC,zydis $*.c)
	$(Q)$(CC) $(PVDRIVERS_CFLAGS) $(ZYDIS_OPTIONS) -I$(DEPS)/src/zydis/src -O2 -fomit-frame-pointer -w \
	    -c $(DEPS)/src/zydis/src/$*.c -o $@

$(B)/hvm/machine/%.cpp.o: hvm/machine/%.cpp pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCXX,$<)
	$(Q)$(CXX) $(PVDRIVERS_CXXFLAGS) $(ZYDIS_OPTIONS) $(DEPENDENCIES) -c $< -o $@

# Code and read-only data of the store, runtime included, have a bound. Without frame pointers its own
# part of a back trace is short.
STORE_BOUND := 65536
# The switch has one too, lwIP included.
SWITCH_BOUND := 294912
# Zydis' tables are most of it.
MACHINE_BOUND := 163840
$(B)/pvdrivers/store.debug $(B)/pvdrivers/switch.debug $(B)/pvdrivers/machine.debug: PVDRIVERS_START :=
$(B)/pvdrivers/store/%: PVDRIVERS_CODE += -Os -fomit-frame-pointer -fno-inline-small-functions
# Every frame of a partition takes this path.
$(B)/pvdrivers/switch/%: PVDRIVERS_CODE += -O3 -fomit-frame-pointer
# No frame of a partition waits for the pages that the switch shows of itself.
$(B)/pvdrivers/switch/host/%: PVDRIVERS_CODE += -Os -fomit-frame-pointer -fno-inline-small-functions
# What a program runs at its start, or when it ends, only.
$(patsubst %,$(B)/pvdrivers/runtime/%.cpp.o,address_space console memory pvh slice start store store_link store_ring traps): PVDRIVERS_CODE += -Os
$(patsubst %,$(B)/pvdrivers/nic/%.cpp.o,intel_start make virtio_start): PVDRIVERS_CODE += -Os

# Programs that test the runtime are one source file each, beside shared ones.
PROGRAM_TESTS := device_checks runtime_checks misbehave image_reader store_client net_client nic_echo store_worker hostile_card
$(B)/tests/programs/net_client.debug: $(LWIP_LIBRARY)
$(B)/tests/programs/runtime_checks.debug: $(B)/tests/programs/vectors.cpp.o
$(B)/tests/programs/nic_echo.debug: $(patsubst %,$(B)/%.o,$(wildcard pvdrivers/nic/*.cpp))

$(B)/tests/programs/%.cpp.o: tests/programs/%.cpp pvdrivers/pvdrivers.mk | $(PVDRIVERS_LIBC)
	@mkdir -p $(@D)
	$(call say,PVCXX,$<)
	$(Q)$(CXX) $(PVDRIVERS_CXXFLAGS) $(DEPENDENCIES) -c $< -o $@

$(PROGRAM_TESTS:%=$(B)/tests/programs/%.debug): $(B)/tests/programs/%.debug: $(B)/tests/programs/%.cpp.o

PVDRIVERS_ELFS := $(PVDRIVERS_NAMES:%=$(B)/pvdrivers/%.elf)
PROGRAM_TEST_ELFS := $(PROGRAM_TESTS:%=$(B)/tests/programs/%.elf)

$(PVDRIVERS_ELFS:.elf=.debug) $(PROGRAM_TEST_ELFS:.elf=.debug): $(RUNTIME) $(PVDRIVERS_LIBC) pvdrivers/runtime/runtime.lds
	$(call say,PVLD,$@)
	$(Q)$(LD) $(PVDRIVERS_LDFLAGS) $(PVDRIVERS_START) -o $@ $(filter %.o,$^) --start-group $(filter %.a,$^) \
	    $(B)/newlib/lib/libm.a $(LIBGCC) --end-group

%.elf: %.debug
	$(Q)$(OBJCOPY) --strip-all $< $@

.PHONY: pvdrivers programs
.SECONDARY: $(PVDRIVERS_ELFS:.elf=.debug) $(PROGRAM_TEST_ELFS:.elf=.debug)
#: make pvdrivers    programs of ring 3: build/pvdrivers/NAME.elf
pvdrivers: $(PVDRIVERS_ELFS)
programs: $(PVDRIVERS_ELFS) $(PROGRAM_TEST_ELFS)

# --- SDK --------------------------------------------------------------------
# The runtime for use outside of this tree; see pvdrivers/sdk.

.PHONY: sdk
#: make sdk O=dir    what a bare-metal program outside of this tree is built with
sdk: $(RUNTIME) $(PVDRIVERS_LIBC) $(LWIP_LIBRARY)
	@case '$(origin O)' in command*|environment*) ;; *) echo 'make sdk O=dir: name the folder to write to' >&2; exit 1;; esac
	$(call say,SDK,$(O))
	$(Q)rm -rf $(O)/include $(O)/lib $(O)/template && mkdir -p $(O)/include $(O)/lib
	$(Q)cp -r pvdrivers/runtime/include/bulkhead platform/libstdcxx $(O)/include/
	$(Q)cp pvdrivers/net/include/bulkhead/*.hpp $(O)/include/bulkhead/
	$(Q)cp -r $(DEPS)/src/lwip/src/include/lwip $(DEPS)/src/lwip/src/include/netif \
	    pvdrivers/net/lwip/lwipopts.h pvdrivers/net/lwip/arch $(O)/include/
	$(Q)cp -rL $(DEPS)/include/xen $(O)/include/
	$(Q)cp -r $(B)/newlib/include $(O)/include/newlib
	$(Q)cp $(LWIP_LIBRARY) $(O)/lib/ && cp $(DEPS)/src/lwip/COPYING $(O)/lib/COPYING.lwip
	$(Q)cp $(RUNTIME) $(B)/newlib/lib/libc.a $(B)/newlib/lib/libm.a $(DEPS)/src/newlib/COPYING.NEWLIB $(O)/lib/
	$(Q)cp pvdrivers/runtime/runtime.lds $(O)/lib/bulkhead.lds
	$(Q)cp -r pvdrivers/template $(O)/
	$(Q)cp pvdrivers/sdk/sdk.mk pvdrivers/sdk/README.md $(O)/

-include $(RUNTIME_OBJECTS:.o=.o.d) $(wildcard $(B)/pvdrivers/*/*.d $(B)/hvm/machine/*.d $(B)/tests/programs/*.d)
