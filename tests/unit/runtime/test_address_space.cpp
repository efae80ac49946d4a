// SPDX-License-Identifier: BSD-2-Clause
// The program's page tables, built in memory at the addresses of the real thing. The hypervisor of this
// test keeps the one rule that matters: what serves as a page table is mapped read-only everywhere.
#include "pvdrivers/runtime/address_space.cpp"

#include <CppUTest/TestHarness.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include <sys/mman.h>

extern "C" {
#include <xen/errno.h>
}

namespace bulkhead {

start_info_t* start_info;
shared_info_t* shared_info;
const HardwareGuest* hardware_guest;

void fatal(const char* format, ...)
{
    FAIL(format);
    for (;;) {
    }
}

namespace {

constexpr uint64_t frames_of_memory = 2048;
constexpr uint64_t loader_tables = 20;
constexpr uint64_t first_free = 40;

struct Seen {
    bool writable, executable;
    uint64_t pfn;
};

std::byte* memory;
uint64_t frame_list[frames_of_memory];
start_info_t info;
std::map<uint64_t, uint64_t> boot_rights;       // pfn -> bits, in the loader's tables
bool own_tables_loaded;
uint64_t own_top;

uint64_t machine_of(uint64_t pfn) { return 5000 - pfn; }
uint64_t page_of_machine(uint64_t mfn) { return fake_machine_to_physical.at(mfn); }
const uint64_t* table_of(uint64_t pfn)
{
    return reinterpret_cast<const uint64_t*>(layout::linear_base + (pfn << 12));
}

constexpr uint64_t frame_mask = 0x000ffffffffff000;

// As the CPU walks.
const uint64_t* walk(uint64_t address)
{
    uint64_t pfn = own_top;
    for (unsigned level = 4;; --level) {
        const uint64_t* entry = &table_of(pfn)[table_index(address, level)];
        if (level == 1)
            return entry;
        if ((*entry & 1) == 0)
            return nullptr;
        pfn = page_of_machine((*entry & frame_mask) >> 12);
    }
}

void for_each_table(uint64_t pfn, unsigned level, const std::function<void(uint64_t)>& visit)
{
    visit(pfn);
    if (level == 1)
        return;
    for (unsigned i = 0; i < 512; ++i)
        if (const uint64_t entry = table_of(pfn)[i]; (entry & 1) != 0)
            for_each_table(page_of_machine((entry & frame_mask) >> 12), level - 1, visit);
}

// No page table is mapped writable by the tables that are loaded, nor by those that will be.
void check_rule()
{
    std::set<uint64_t> tables;
    for_each_table(own_top, 4, [&](uint64_t pfn) { tables.insert(pfn); });
    for_each_table(own_top, 4, [&](uint64_t pfn) {
        if (!own_tables_loaded)
            CHECK_EQUAL(0u, boot_rights[pfn] & 2);
    });
    for (const uint64_t pfn : tables) {
        const uint64_t* entry = walk(layout::linear_base + (pfn << 12));
        CHECK(entry != nullptr && (*entry & 1) != 0 && (*entry & 2) == 0);
    }
}

long extended_operation(const mmuext_op_t& operation)
{
    switch (operation.cmd) {
    case MMUEXT_PIN_L4_TABLE:
        own_top = page_of_machine(operation.arg1.mfn);
        check_rule();
        return 0;
    case MMUEXT_NEW_BASEPTR:
        CHECK_EQUAL(own_top, page_of_machine(operation.arg1.mfn));
        own_tables_loaded = true;
        return 0;
    case MMUEXT_UNPIN_TABLE:
        CHECK_EQUAL(machine_of(loader_tables), operation.arg1.mfn);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

long hypervisor(unsigned number, uint64_t a1, uint64_t a2, uint64_t, uint64_t)
{
    switch (number) {
    case __HYPERVISOR_mmuext_op:
        return extended_operation(*reinterpret_cast<mmuext_op_t*>(a1));
    case __HYPERVISOR_update_va_mapping:
        if (!own_tables_loaded) {
            boot_rights[(a1 - layout::linear_base) >> 12] = a2;
            return 0;
        }
        if (walk(a1) == nullptr)
            return -XEN_EINVAL;
        *const_cast<uint64_t*>(walk(a1)) = a2;
        return 0;
    case __HYPERVISOR_mmu_update: {
        const auto* update = reinterpret_cast<mmu_update_t*>(a1);
        const uint64_t pfn = page_of_machine(update->ptr >> 12);
        const_cast<uint64_t*>(table_of(pfn))[(update->ptr & 0xff8) / 8] = update->val;
        check_rule();
        return 0;
    }
    default:
        return -XEN_ENOSYS;
    }
}

bool has_rights(uint64_t pfn, bool writable, bool executable)
{
    const uint64_t* entry = walk(layout::linear_base + (pfn << 12));
    return entry != nullptr && (*entry & 1) != 0 && ((*entry & 2) != 0) == writable &&
           (*entry >> 63 == 0) == executable && page_of_machine((*entry & frame_mask) >> 12) == pfn;
}

TEST_GROUP(address_space)
{
    void setup() override
    {
        memory = static_cast<std::byte*>(mmap(reinterpret_cast<void*>(layout::linear_base), frames_of_memory << 12,
                                              PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
        CHECK(memory == reinterpret_cast<std::byte*>(layout::linear_base));
        fake_machine_to_physical.clear();
        boot_rights.clear();
        for (uint64_t pfn = 0; pfn < frames_of_memory; ++pfn) {
            frame_list[pfn] = machine_of(pfn);
            fake_machine_to_physical[machine_of(pfn)] = pfn;
            boot_rights[pfn] = 3;
        }
        info = {};
        info.nr_pages = frames_of_memory;
        info.mfn_list = reinterpret_cast<unsigned long>(frame_list);
        info.pt_base = layout::linear_base + (loader_tables << 12);
        info.nr_pt_frames = 5;
        start_info = &info;
        own_tables_loaded = false;
        fake::hypervisor = hypervisor;
    }
    void teardown() override
    {
        munmap(memory, frames_of_memory << 12);
        hardware_guest = nullptr;
    }
};

// A hardware guest's frames follow each other.
constexpr uint64_t first_hardware_frame = 0x200;

void become_hardware_guest()
{
    static std::set<uint64_t> flushed;
    static const HardwareGuest operations = {
        [](uint64_t physical) { own_top = (physical >> 12) - first_hardware_frame; },
        [](uint64_t address) { flushed.insert(address); }, nullptr, nullptr, nullptr, first_hardware_frame};
    hardware_guest = &operations;
    own_tables_loaded = true;
    fake::hypervisor = [](unsigned, uint64_t, uint64_t, uint64_t, uint64_t) -> long {
        FAIL("a hardware guest maps its pages itself");
        return -XEN_ENOSYS;
    };
    fake_machine_to_physical.clear();
    for (uint64_t pfn = 0; pfn < frames_of_memory; ++pfn)
        fake_machine_to_physical[pfn + first_hardware_frame] = pfn;
}

TEST(address_space, a_hardware_guest_maps_all_by_itself_and_its_tables_are_memory)
{
    become_hardware_guest();
    PageRange mapped;
    const uint64_t free = take_over_tables(first_free, frames_of_memory, {}, mapped);
    CHECK_EQUAL(frames_of_memory, mapped.end);
    CHECK_EQUAL(free, map_rest(free, mapped, {}));
    for (uint64_t pfn = 0; pfn < frames_of_memory; ++pfn)
        CHECK(has_rights(pfn, pfn >= 3, pfn < 2));
}

TEST(address_space, a_hardware_guest_maps_a_frame_that_is_not_memory)
{
    become_hardware_guest();
    PageRange mapped;
    static uint64_t next;
    next = take_over_tables(first_free, frames_of_memory, {}, mapped);
    CHECK(prepare_tables(layout::window_base, [] { return address_of(Pfn(next++)); }));
    CHECK_EQUAL(0, set_mapping(layout::window_base, PageEntry::page(Mfn(0xfeff8), Rights::write)));
    CHECK(frame_at(layout::window_base) == Mfn(0xfeff8));
}

TEST(address_space, what_the_loader_mapped_keeps_its_place_and_gets_rights)
{
    PageRange mapped;
    const uint64_t free = take_over_tables(first_free, first_free + 128, {}, mapped);
    CHECK(own_tables_loaded);
    CHECK_EQUAL(0u, mapped.first);
    CHECK_EQUAL(512u, mapped.end);
    CHECK_EQUAL(first_free + 4, free);
    for (uint64_t pfn = 0; pfn < 512; ++pfn) {
        const bool table = pfn >= first_free && pfn < free;
        CHECK(has_rights(pfn, pfn >= 3 && !table, pfn < 2));
    }
    POINTERS_EQUAL(nullptr, walk(layout::linear_base + (512 << 12)));
    POINTERS_EQUAL(nullptr, walk(0));
}

TEST(address_space, the_rest_is_mapped_but_for_the_hole)
{
    PageRange mapped;
    uint64_t free = take_over_tables(first_free, first_free + 128, {}, mapped);
    const uint64_t before = free;
    const PageRange hole{1500, 1600};
    free = map_rest(free, mapped, hole);
    CHECK_EQUAL(before + 3, free);
    for (uint64_t pfn = 512; pfn < frames_of_memory; ++pfn) {
        if (hole.contains(pfn))
            CHECK_EQUAL(0u, *walk(layout::linear_base + (pfn << 12)));
        else
            CHECK(has_rights(pfn, true, false));
    }
    for (uint64_t pfn = first_free; pfn < free; ++pfn)
        CHECK(has_rights(pfn, false, false));
}

TEST(address_space, memory_that_is_no_multiple_of_a_table_is_mapped_to_its_end)
{
    info.nr_pages = 1300;
    PageRange mapped;
    (void)map_rest(take_over_tables(first_free, first_free + 128, {}, mapped), mapped, {});
    CHECK(has_rights(1299, true, false));
    CHECK_EQUAL(0u, *walk(layout::linear_base + (1300 << 12)));
}

TEST(address_space, less_memory_than_a_table_maps_is_enough)
{
    info.nr_pages = 300;
    PageRange mapped;
    const uint64_t free = take_over_tables(first_free, first_free + 128, {}, mapped);
    CHECK_EQUAL(300u, mapped.end);
    CHECK_EQUAL(free, map_rest(free, mapped, {}));
    CHECK_EQUAL(0u, *walk(layout::linear_base + (300 << 12)));
}

TEST(address_space, tables_for_a_new_place_are_made_once)
{
    PageRange mapped;
    static uint64_t next;
    next = map_rest(take_over_tables(first_free, first_free + 128, {}, mapped), mapped, {});
    const uint64_t before = next;
    const TableSource source = [] { return memset(address_of(Pfn(next++)), 0, 4096); };
    CHECK(prepare_tables(layout::window_base, source));
    CHECK_EQUAL(before + 2, next);
    CHECK(prepare_tables(layout::window_base + 4096, source));
    CHECK_EQUAL(before + 2, next);
    CHECK_EQUAL(0, set_mapping(layout::window_base, PageEntry::page(mfn_of(Pfn(700)), Rights::read)));
    CHECK_EQUAL(machine_of(700), raw(frame_at(layout::window_base)));
}

TEST(address_space, without_memory_for_tables_nothing_is_prepared)
{
    PageRange mapped;
    (void)take_over_tables(first_free, first_free + 128, {}, mapped);
    CHECK_FALSE(prepare_tables(layout::window_base, [] -> void* { return nullptr; }));
}

TEST(address_space, what_is_writable_is_never_executable)
{
    for (const Rights rights : {Rights::read, Rights::write, Rights::execute}) {
        const uint64_t bits = PageEntry::page(Mfn(1), rights).bits();
        CHECK((bits & 2) == 0 || bits >> 63 == 1);
    }
}

}  // namespace

}  // namespace bulkhead
