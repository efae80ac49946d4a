// SPDX-License-Identifier: BSD-2-Clause
// Starting CPUs. Source: Intel SDM vol 3, "MP Initialization Protocol Algorithm for MP Systems";
// the waits between INIT and start-up of that section are for CPUs of the last century, current ones
// need none (a second start-up message goes to whoever does not answer at once).
#include "platform/x86/cpus.hpp"

#include "core/log.hpp"
#include "core/panic.hpp"
#include "machine/clock.hpp"
#include "machine/smp.hpp"
#include "machine/memory.hpp"
#include "machine/relax.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/clock.hpp"
#include "platform/x86/cpu_setup.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/interrupts.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/trampoline.hpp"
#include "platform/x86/tsc_check.hpp"

#include <cstring>

extern "C" {
extern const char trampoline_begin[], trampoline_end[], trampoline_tables[];
extern const char trampoline_base_gdt[], trampoline_base_32[], trampoline_base_64[];
extern char boot_l4[];
extern constinit bulkhead::SecondaryStart secondary_start;
[[noreturn]] void secondary_main();
}

constinit bulkhead::SecondaryStart secondary_start{};

namespace bulkhead {

namespace {

constinit uint32_t count{0};
constinit HostPhysical trampoline_page{0};
using CpuFunction = void (*)(Cpu&);
constinit CpuFunction secondary_function{nullptr};
constinit std::atomic<uint32_t> ready{0};
constinit std::atomic<bool> check_may_begin{false};
constinit std::atomic<uint32_t> checked{0};
constinit TscCheck tsc_check{};

constexpr uint64_t check_ns = 20'000;

uint64_t ticks_of(uint64_t ns)
{
    return machine::to_ticks(Nanoseconds(ns)) - machine::to_ticks(Nanoseconds(0));
}

template <class Condition>
bool wait_for(uint64_t ns, Condition condition)
{
    const Nanoseconds end = machine::now() + ns;
    while (!condition()) {
        if (machine::now() > end)
            return condition();
        machine::relax();
    }
    return true;
}

// A whole usable page below 640 KiB, where a CPU in real mode can begin.
HostPhysical find_low_page(const BootInfo& info)
{
    constexpr uint64_t lowest = 0x1000;
    constexpr uint64_t end_of_low = 0xA0000;
    for (uint32_t i = 0; i < info.memory_map_count; ++i) {
        const MemoryMapEntry& entry = info.memory_map[i];
        const uint64_t begin = align_up(entry.base.raw() < lowest ? lowest : entry.base.raw(), page_size);
        if (entry.kind == MemoryKind::usable && begin < end_of_low
            && begin + page_size <= entry.base.raw() + entry.size_bytes)
            return HostPhysical(begin);
    }
    return HostPhysical(0);
}

void add_base(char* copy, const char* place)
{
    const auto base = static_cast<uint32_t>(trampoline_page.raw());
    uint32_t value;
    memcpy(&value, copy + (place - trampoline_begin), sizeof(value));
    value += base;
    memcpy(copy + (place - trampoline_begin), &value, sizeof(value));
}

void copy_trampoline()
{
    char* copy = machine::physical_pointer<char>(trampoline_page);
    memcpy(copy, trampoline_begin, static_cast<size_t>(trampoline_end - trampoline_begin));
    add_base(copy, trampoline_base_gdt);
    add_base(copy, trampoline_base_32);
    add_base(copy, trampoline_base_64);
    // start.S's tables lie below 4 GiB and map low memory.
    const auto tables = static_cast<uint32_t>(reinterpret_cast<uint64_t>(boot_l4) - LAYOUT_CORE_BASE
                                              + LAYOUT_CORE_PHYSICAL);
    memcpy(copy + (trampoline_tables - trampoline_begin), &tables, sizeof(tables));
}

void list_secondaries(uint32_t own_id)
{
    SecondaryStart& start = secondary_start;
    start.table = this_cpu().machine.idle_cr3;
    uint32_t found = 0;
    for (uint32_t i = 0; i < acpi().cpu_count; ++i) {
        const uint32_t id = acpi().apic_ids[i];
        if (id == own_id)
            continue;
        if (!local_apic_reaches(id) || found + 1 == max_secondaries)
            log("CPU with APIC id %u cannot be reached; left out", id);
        else
            start.apic_ids[found++] = id;
    }
    start.count = found;
}

bool all_arrived()
{
    for (uint32_t i = 0; i < secondary_start.count; ++i)
        if (secondary_start.arrived[i].load(std::memory_order_acquire) == 0)
            return false;
    return true;
}

void wake_secondaries()
{
    constexpr uint64_t after_init_ns = 10'000;
    constexpr uint64_t first_wait_ns = 300'000;
    constexpr uint64_t last_wait_ns = 5'000'000'000;
    const auto page = static_cast<uint8_t>(trampoline_page.raw() >> page_shift);
    const SecondaryStart& start = secondary_start;
    for (uint32_t i = 0; i < start.count; ++i)
        send_init(start.apic_ids[i]);
    static_cast<void>(wait_for(after_init_ns, [] { return false; }));
    for (uint32_t i = 0; i < start.count; ++i)
        send_startup(start.apic_ids[i], page);
    if (wait_for(first_wait_ns, all_arrived))
        return;
    for (uint32_t i = 0; i < start.count; ++i)
        if (start.arrived[i].load(std::memory_order_acquire) == 0)
            send_startup(start.apic_ids[i], page);
    static_cast<void>(wait_for(last_wait_ns, all_arrived));
}

// Gives numbers to the CPUs that are there; one that comes later than this is not wanted any more.
void number_secondaries()
{
    SecondaryStart& start = secondary_start;
    for (uint32_t i = 0; i < start.count; ++i) {
        if (start.arrived[i].load(std::memory_order_acquire) == 0) {
            log("CPU with APIC id %u does not answer; left out", start.apic_ids[i]);
            start.number[i].store(-1, std::memory_order_release);
            continue;
        }
        prepare_cpu(CpuNumber(static_cast<uint16_t>(count)), start.apic_ids[i]);
        start.number[i].store(static_cast<int32_t>(count++), std::memory_order_release);
    }
}

void check_clocks()
{
    constexpr uint64_t longest_ns = 30'000'000'000;
    const uint32_t others = count - 1;
    if (!wait_for(longest_ns, [others] { return ready.load(std::memory_order_acquire) == others; }))
        panic("%u of %u CPUs are stuck in their start", others - ready.load(std::memory_order_relaxed), others);
    check_may_begin.store(true, std::memory_order_release);
    tsc_check.run(ticks_of(check_ns));
    if (!wait_for(longest_ns, [others] { return checked.load(std::memory_order_acquire) == others; }))
        panic("%u of %u CPUs are stuck in the check of their clocks", others - checked.load(std::memory_order_relaxed),
              others);
    set_clock_stable(tsc_check.warp() == 0);
    if (tsc_check.warp() != 0)
        log("the CPUs' time-stamp counters differ by %lu ticks", tsc_check.warp());
}

}  // namespace

void init_cpus(const BootInfo& info)
{
    Cpu& cpu = this_cpu();
    cpu.machine.apic_id = local_apic_id();
    cpu.online.store(true, std::memory_order_release);
    count = 1;
    trampoline_page = find_low_page(info);
    set_clock_stable(true);
}

uint32_t cpu_count() { return count; }

Cpu& cpu_by_number(CpuNumber number)
{
    if (number.raw() >= count) [[unlikely]]
        panic("there is no CPU %u", number.raw());
    return *reinterpret_cast<Cpu*>(cpu_block(number) + LAYOUT_CPU_DATA);
}

uint32_t machine::start_cpus(void (*entry)(Cpu& cpu))
{
    secondary_function = entry;
    list_secondaries(this_cpu().machine.apic_id);
    if (secondary_start.count == 0)
        return count;
    if (trampoline_page.raw() == 0) {
        log("no usable memory below 640 KiB: the other CPUs cannot be started");
        return count;
    }
    copy_trampoline();
    wake_secondaries();
    number_secondaries();
    if (count > 1)
        check_clocks();
    return count;
}

}  // namespace bulkhead

void secondary_main()
{
    using namespace bulkhead;
    Cpu& cpu = this_cpu();
    set_up_this_cpu(cpu);
    enable_local_apic();
    start_timer();
    ready.fetch_add(1, std::memory_order_release);
    while (!check_may_begin.load(std::memory_order_acquire))
        machine::relax();
    tsc_check.run(ticks_of(check_ns));
    cpu.online.store(true, std::memory_order_release);
    checked.fetch_add(1, std::memory_order_release);
    secondary_function(cpu);
    panic("a CPU has left its loop");
}
