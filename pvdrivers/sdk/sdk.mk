# SPDX-License-Identifier: BSD-2-Clause
# Rules for programs outside of Bulkhead's tree: `include sdk/sdk.mk`, then NAME.elf is made of NAME.cpp
# with the system's own g++. Further sources: `NAME.debug: other.o`. Libraries: `NAME.debug: libmine.a`.
# Sockets: `NAME.debug: $(BULKHEAD_NETWORK)`.

BULKHEAD_SDK     := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
CXX              := g++
CC               := gcc
BULKHEAD_VERSION := $(shell $(CXX) -dumpversion)
BULKHEAD_TARGET  := $(shell $(CXX) -dumpmachine)

# Nothing of the system's C library is seen: newlib's headers take its place. No red zone and no unwind
# tables; frame pointers are for back traces. -mavx2 and the like may be added.
BULKHEAD_FLAGS := -nostdinc -isystem $(BULKHEAD_SDK)/include/libstdcxx \
    -isystem /usr/include/c++/$(BULKHEAD_VERSION) \
    -isystem /usr/include/$(BULKHEAD_TARGET)/c++/$(BULKHEAD_VERSION) \
    -isystem $(shell $(CXX) -print-file-name=include) -isystem $(BULKHEAD_SDK)/include/newlib \
    -isystem $(BULKHEAD_SDK)/include -D__XEN_INTERFACE_VERSION__=0x00040e00 \
    -O2 -g -mno-red-zone -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none \
    -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -ffunction-sections -fdata-sections \
    -U__linux__ -U__unix__ -U__gnu_linux__ -Ulinux -Uunix
BULKHEAD_CFLAGS   := -std=gnu17
BULKHEAD_CXXFLAGS := -nostdinc++ -std=gnu++23 -fno-exceptions -fno-rtti
BULKHEAD_LDFLAGS  := -nostdlib -static -no-pie -Wl,--nmagic -Wl,-z,noexecstack -Wl,--gc-sections \
    -Wl,--build-id=none -Wl,--fatal-warnings -Wl,-u,pvh_entry -Wl,-T,$(BULKHEAD_SDK)/lib/bulkhead.lds
BULKHEAD_LIBRARIES := $(BULKHEAD_SDK)/lib/libbulkhead.a
BULKHEAD_NETWORK   := $(BULKHEAD_SDK)/lib/liblwip.a

%.o: %.cpp
	$(CXX) $(BULKHEAD_FLAGS) $(BULKHEAD_CXXFLAGS) $(CXXFLAGS) -c $< -o $@

%.o: %.c
	$(CC) $(BULKHEAD_FLAGS) $(BULKHEAD_CFLAGS) $(CFLAGS) -c $< -o $@

%.debug: %.o $(BULKHEAD_LIBRARIES)
	$(CXX) $(BULKHEAD_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
	    $(BULKHEAD_SDK)/lib/libc.a $(BULKHEAD_SDK)/lib/libm.a -lgcc -Wl,--end-group

%.elf: %.debug
	objcopy --strip-all $< $@

.PRECIOUS: %.debug %.o
