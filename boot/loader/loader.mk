# SPDX-License-Identifier: BSD-2-Clause
# Our own loaders, one for each firmware, and the tool that makes images of them. Included by the
# Makefile, after RING0_CXXFLAGS and PLAN_OBJECTS.

SODIUM         := $(DEPS)/src/libsodium/src/libsodium
SODIUM_SOURCES := crypto_core/ed25519/ref10/ed25519_ref10.c crypto_hash/sha256/cp/hash_sha256_cp.c \
            crypto_hash/sha512/cp/hash_sha512_cp.c crypto_sign/ed25519/ref10/open.c \
            crypto_sign/ed25519/ref10/sign.c crypto_verify/sodium/verify.c
SODIUM_FLAGS   := -isystem $(SODIUM)/include/sodium -DCONFIGURED=1 -DHAVE_TI_MODE=1
LOADER_COMMON  := $(patsubst %,$(B)/loader/%.o,$(wildcard boot/loader/*.cpp boot/loader/*.S boot/loader/*.c)) \
            $(SODIUM_SOURCES:%.c=$(B)/loader/sodium/%.o)
loader_objects  = $(LOADER_COMMON) $(patsubst %,$(B)/loader/%.o,$(wildcard boot/loader/$(1)/*.cpp boot/loader/$(1)/*.S))
LOADERS        := $(B)/loader/uefi.elf $(B)/loader/bios.elf $(B)/loader/rom.elf
LOADER_FLAGS   := -Os -mindirect-branch=keep -fno-jump-tables -fno-tree-loop-distribute-patterns

IMAGE_SOURCES  := $(wildcard boot/image/*.cpp)
IMAGE_SHARED   := boot/loader/slot boot/loader/boot_state
IMAGE_OBJECTS  := $(IMAGE_SOURCES:%=$(B)/host/%.o) $(IMAGE_SHARED:%=$(B)/host/%.cpp.o)

.PHONY: loaders
#: make loaders      the loaders for UEFI, BIOS disks and ROM: build/loader/*.elf
loaders: $(LOADERS)

$(B)/loader/%.cpp.o: %.cpp boot/loader/loader.mk Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(RING0_CXXFLAGS) $(LOADER_FLAGS) $(SODIUM_FLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/loader/%.c.o: %.c boot/loader/loader.mk Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(RING0_CFLAGS) $(WARNINGS) $(LOADER_FLAGS) $(DEPENDENCIES) -c $< -o $@

$(B)/loader/%.S.o: %.S boot/loader/loader.mk Makefile
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(RING0_CFLAGS) -D__ASSEMBLY__ $(DEPENDENCIES) -c $< -o $@

# Small; only the hash of the whole image has to be fast.
$(B)/loader/sodium/%.o: $(DEPS)/setup/toolchain.mk boot/loader/loader.mk
	@mkdir -p $(@D)
	$(call say,CC,libsodium $*.c)
	$(Q)$(CC) $(RING0_CFLAGS) $(if $(findstring sha256,$*),,$(LOADER_FLAGS)) $(SODIUM_FLAGS) -w -c $(SODIUM)/$*.c -o $@

$(B)/loader/uefi.elf: $(call loader_objects,uefi) boot/loader/uefi/uefi.lds $(B)/libring0.a
	$(call say,LD,$@)
	$(Q)$(LD) $(RING0_LDFLAGS) -pie --no-dynamic-linker --hash-style=gnu -T boot/loader/uefi/uefi.lds \
	    -Map $(B)/loader/uefi.map -o $@ $(call loader_objects,uefi) $(B)/libring0.a $(LIBGCC)

$(B)/loader/bios.elf: $(call loader_objects,bios) boot/loader/bios/bios.lds $(B)/libring0.a
	$(call say,LD,$@)
	$(Q)$(LD) $(RING0_LDFLAGS) --no-warn-rwx-segments -T boot/loader/bios/bios.lds -Map $(B)/loader/bios.map -o $@ \
	    $(call loader_objects,bios) $(B)/libring0.a $(LIBGCC)

$(B)/loader/rom.elf: $(call loader_objects,rom) boot/loader/rom/rom.lds $(B)/libring0.a
	$(call say,LD,$@)
	$(Q)$(LD) $(RING0_LDFLAGS) --no-warn-rwx-segments -T boot/loader/rom/rom.lds -Map $(B)/loader/rom.map -o $@ \
	    $(call loader_objects,rom) $(B)/libring0.a $(LIBGCC)

$(B)/host/bulkhead-image: $(IMAGE_OBJECTS) $(filter-out %/main.cpp.o,$(PLAN_OBJECTS))
	$(call say,HOSTLD,$@)
	$(Q)$(CXX) -o $@ $^ $(PLAN_LIBS) -lsodium

# The simulated board that the tests flash.
FLASH_SIMULATOR := $(B)/flash/simulator
$(FLASH_SIMULATOR): $(wildcard tests/flash/*.cpp tests/flash/*.hpp) boot/loader/loader.mk
	@mkdir -p $(@D)
	$(call say,HOSTCXX,tests/flash)
	$(Q)$(CXX) -std=gnu++23 -O2 $(CXX_WARNINGS) -o $@ $(filter %.cpp,$^)

-include $(IMAGE_OBJECTS:=.d)
-include $(wildcard $(B)/loader/boot/loader/*.d $(B)/loader/boot/loader/*/*.d)
