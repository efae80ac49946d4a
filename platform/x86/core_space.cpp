// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/core_space.hpp"

#include "core/boot_allocator.hpp"
#include "core/panic.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/page_tables.hpp"
#include "platform/x86/start_only.hpp"

#include <algorithm>
#include <cstring>

extern "C" {
extern char image_text_begin[], image_text_end[], image_init_begin[];
extern char boot_l4[];
extern char image_rodata_begin[], image_rodata_end[], image_data_begin[], image_data_end[];
}

namespace bulkhead {

namespace {

constinit CoreTables tables{};
constinit uint32_t descriptor_windows_made{0};
constinit uint64_t next_device_window{layout::device_windows};

constexpr uint64_t slot_bytes = uint64_t{1} << 39;
constexpr uint64_t large_bytes = uint64_t{1} << shift_2m;
constexpr uint64_t read_only = page_global | page_no_execute;
constexpr uint64_t read_write = page_global | page_no_execute | page_writable;
constexpr uint64_t execute = page_global;
// Uncached by the PAT that every CPU gets: entry 3.
constexpr uint64_t device = read_write | page_write_through | page_cache_disable;

uint64_t address(const char* symbol) { return reinterpret_cast<uint64_t>(symbol); }
HostPhysical image_physical(uint64_t at) { return HostPhysical(at - LAYOUT_CORE_BASE + LAYOUT_CORE_PHYSICAL); }

void map_section(const char* begin, const char* end, uint64_t bits)
{
    const uint64_t size = address(end) - address(begin);
    tables.map(address(begin), image_physical(address(begin)), size, bits, shift_4k);
}

unsigned largest_shift() { return features().pages_1g ? shift_1g : shift_2m; }

void map_directly(uint64_t begin, uint64_t end, uint64_t bits)
{
    begin = align_up(begin, page_size);
    end &= ~page_mask;
    if (end > layout::direct_map_end - layout::direct_map)
        end = layout::direct_map_end - layout::direct_map;
    if (begin < end)
        tables.map(layout::direct_map + begin, HostPhysical(begin), end - begin, bits, largest_shift());
}

// All usable RAM can be written, except for the image: that is written by its own addresses only. The
// image is mapped whole: a loader may have put it over a range that the firmware calls its own.
START_ONLY void make_direct_map(const BootInfo& info)
{
    map_directly(info.image_begin.raw(), info.image_end.raw(), read_only);
    map_directly(info.plan.raw(), align_up(info.plan.raw() + info.plan_bytes, page_size), read_only);
    for_usable_memory(info, [](uint64_t begin, uint64_t end) { map_directly(begin, end, read_write); });
}

// The windows that hold one entry a frame show a shared page until somebody owns frames there.
START_ONLY void make_frame_windows()
{
    const Mfn zeros = boot_allocate_frame();
    const Mfn ones = boot_allocate_frame();
    memset(machine::frame_pointer(ones), 0xFF, page_size);
    tables.fill(layout::m2p_guest, slot_bytes, ones, read_only | page_user);
    tables.fill(layout::m2p_core, slot_bytes, ones, read_only);
    tables.fill(layout::frame_table, slot_bytes, zeros, read_only);
    // Top-level entries are copied into guests' tables, so they must be final from here on.
    for (const uint64_t window : {layout::m2p_guest, layout::m2p_core, layout::frame_table})
        static_cast<void>(tables.entry(window, shift_1g));
}

struct Alias {
    uint64_t base;
    uint64_t bits;
};

// Backs the pages that hold bytes [begin, end) of one window or of two that show the same frames.
void back_window(uint64_t begin, uint64_t end, unsigned char content, const Alias& first, const Alias* second)
{
    begin &= ~page_mask;
    end = align_up(end, page_size);
    if (end > slot_bytes)
        panic("frames up to byte %#lx of a frame window are beyond its end", end);
    while (begin < end) {
        if (!tables.is_filled(first.base + begin)) {
            begin += page_size;
            continue;
        }
        const bool large = begin % large_bytes == 0 && end - begin >= large_bytes
            && tables.nothing_placed(first.base + begin, shift_2m);
        const uint64_t size = large ? large_bytes : page_size;
        void* memory = boot_allocate(size, size);
        if (content != 0)
            memset(memory, content, size);
        const Mfn frame = frame_of(machine::physical_of(memory));
        tables.place(first.base + begin, frame, first.bits, large ? shift_2m : shift_4k);
        if (second != nullptr)
            tables.place(second->base + begin, frame, second->bits, large ? shift_2m : shift_4k);
        begin += size;
    }
}

}  // namespace

START_ONLY void make_core_space(const BootInfo& info)
{
    tables.create();
    map_section(image_text_begin, image_text_end, execute);
    map_section(image_rodata_begin, image_rodata_end, read_only);
    map_section(image_data_begin, image_data_end, read_write);
    make_direct_map(info);
    make_frame_windows();
}

START_ONLY CpuBlockFrames make_cpu_block(CpuNumber number)
{
    constexpr unsigned stub_page = 0;
    constexpr unsigned data_page = 1;
    constexpr unsigned writable_pages[] = {data_page, data_page + 1, data_page + 2, 5, 7, 9, 11, 13, 14, 15};
    const uint64_t block = cpu_block(number);
    const CpuBlockFrames frames{boot_allocate_frame(), boot_allocate_frame()};
    tables.map(block + stub_page * page_size, address_of(frames.stub), page_size, execute, shift_4k);
    for (const unsigned page : writable_pages)
        tables.map(block + page * page_size, address_of(boot_allocate_frame()), page_size, read_write, shift_4k);
    return frames;
}

void machine::unmap_start_code()
{
    // The tables that the other CPUs started with give every right to low memory.
    memset(boot_l4, 0, page_size);
    for (uint64_t at = address(image_init_begin); at < address(image_text_end); at += page_size) {
        *tables.entry(at, shift_4k) = 0;
        x86::invalidate_page(at);
    }
}

namespace machine {

std::span<const uint64_t, core_slot_count> core_slots()
{
    return std::span<const uint64_t, core_slot_count>(frame_pointer<uint64_t>(tables.top())
                                                          + layout::core_first_slot,
                                                      core_slot_count);
}

Mfn core_table() { return tables.top(); }
uint64_t core_entry(uint64_t address) { return *tables.entry(address, shift_4k); }
uint64_t core_directory(uint64_t address) { return *tables.entry(address, shift_1g); }

void back_frame_table(Mfn first, uint64_t count)
{
    constexpr uint64_t bytes_each = 16;
    const Alias window{layout::frame_table, read_write};
    back_window(first.raw() * bytes_each, (first.raw() + count) * bytes_each, 0, window, nullptr);
}

void back_m2p(Mfn first, uint64_t count)
{
    constexpr uint64_t bytes_each = 8;
    const Alias guest{layout::m2p_guest, read_only | page_user};
    const Alias core{layout::m2p_core, read_write};
    back_window(first.raw() * bytes_each, (first.raw() + count) * bytes_each, 0xFF, guest, &core);
}

void make_descriptor_windows(uint32_t vcpus)
{
    ASSERT(descriptor_windows_made == 0);
    descriptor_windows_made = vcpus;
    const uint64_t bytes = align_up(vcpus * layout::descriptor_window_size, large_bytes);
    for (uint64_t at = 0; at < bytes; at += large_bytes)
        static_cast<void>(tables.entry(layout::descriptor_windows + at, shift_4k));
}

uint64_t* descriptor_window_entry(uint32_t vcpu, unsigned page)
{
    ASSERT(vcpu < descriptor_windows_made && page < layout::descriptor_window_size >> page_shift);
    return tables.entry(layout::descriptor_windows + vcpu * layout::descriptor_window_size + page * page_size,
                        shift_4k);
}

uint64_t window_entry_read_only(Mfn frame)
{
    return address_of(frame).raw() | page_present | page_accessed | page_dirty | page_no_execute;
}
uint64_t window_entry_writable(Mfn frame) { return window_entry_read_only(frame) | page_writable; }

// A window that is large and lies well gets large pages.
static uint64_t map_window(HostPhysical base, uint64_t size_bytes, uint64_t bits)
{
    const uint64_t offset = base.raw() & page_mask;
    const uint64_t size = align_up(offset + size_bytes, page_size);
    if (size >= large_bytes)
        next_device_window = align_up(next_device_window, large_bytes) + (base.raw() & (large_bytes - 1) & ~page_mask);
    const uint64_t at = next_device_window;
    tables.map(at, base - offset, size, bits, shift_2m);
    next_device_window = align_up(at + size, page_size) + page_size;     // a guard between windows
    return at + offset;
}

volatile void* map_device(HostPhysical base, uint64_t size_bytes)
{
    return reinterpret_cast<volatile void*>(map_window(base, size_bytes, device));
}

const void* map_firmware(HostPhysical base, uint64_t size_bytes)
{
    return reinterpret_cast<const void*>(map_window(base, size_bytes, read_only));
}

}  // namespace machine

}  // namespace bulkhead
