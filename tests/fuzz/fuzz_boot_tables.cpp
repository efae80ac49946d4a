// SPDX-License-Identifier: BSD-2-Clause
// What a firmware or a loader hands over: coreboot's tables, our own hand-over, Multiboot2 and PVH, in
// memory with holes. None of it may be read beyond its end or keep the reader for ever.
#include "boot/loader_view.hpp"

#include "boot/coreboot.cpp"
#include "boot/memory_map.cpp"
#include "boot/multiboot2.cpp"
#include "boot/own_loader.cpp"
#include "boot/pvh.cpp"

#include <cstdlib>
#include <memory>
#include <vector>

using namespace bulkhead;

namespace {

constexpr uint64_t begin = 0x500;
std::vector<uint8_t> memory;

const void* view(uint64_t address, uint64_t size)
{
    if (address < begin || address - begin > memory.size() || size > memory.size() - (address - begin))
        return nullptr;
    return memory.data() + (address - begin);
}

// Checksums as coreboot makes them, so that the records are reached.
void seal_coreboot()
{
    struct Words {
        uint32_t signature, header_bytes, header_checksum, table_bytes, table_checksum, entries;
    } words;
    if (memory.size() < sizeof(words))
        return;
    memcpy(&words, memory.data(), sizeof(words));
    words.signature = 0x4f49424c;
    words.header_bytes = sizeof(words);
    words.table_bytes %= static_cast<uint32_t>(memory.size() - sizeof(words) + 1);
    words.table_checksum = boot::checksum(view, begin + sizeof(words), words.table_bytes);
    words.header_checksum = 0;
    memcpy(memory.data(), &words, sizeof(words));
    words.header_checksum = boot::checksum(view, begin, sizeof(words));
    memcpy(memory.data(), &words, sizeof(words));
}

void check(const BootInfo& info)
{
    for (uint32_t i = 0; i + 1 < info.memory_map_count; ++i) {
        const MemoryMapEntry& entry = info.memory_map[i];
        if (entry.base.raw() + entry.size_bytes > info.memory_map[i + 1].base.raw())
            std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 2)
        return 0;
    memory.assign(data + 1, data + size);
    if ((data[0] & 3) == 1)
        memory.resize(std::max(memory.size(), sizeof(boot::Handover)));
    auto info = std::make_unique<BootInfo>();
    const char* problem = nullptr;
    switch (data[0] & 3) {
    case 0:
        seal_coreboot();
        problem = boot::read_coreboot(view, *info);
        break;
    case 1:
        problem = boot::read_own_loader(view, begin, *info);
        break;
    case 2:
        problem = boot::read_multiboot2(view, begin, *info);
        break;
    default:
        problem = boot::read_pvh(view, begin, *info);
        break;
    }
    if (problem == nullptr)
        check(*info);
    return 0;
}
