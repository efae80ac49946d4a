// SPDX-License-Identifier: BSD-2-Clause
// From the first C++ instruction to main(), as a PV guest. What differs for hardware guests is in pvh.cpp.
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/address_space.hpp"
#include "pvdrivers/runtime/console.hpp"
#include "pvdrivers/runtime/events.hpp"
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/fpu.hpp"
#include "pvdrivers/runtime/memory.hpp"
#include "pvdrivers/runtime/slice.hpp"
#include "pvdrivers/runtime/start.hpp"
#include "pvdrivers/runtime/traps.hpp"
#include "pvdrivers/runtime/vcpu_local.hpp"
#include "pvdrivers/runtime/window.hpp"

#include <bulkhead/slice.hpp>
#include <bulkhead/traps.hpp>

#include <cstdlib>

extern "C" {
int program() asm("main");          // C++ does not let it be called by its name
[[noreturn]] void call_on_stack(uint64_t stack_end, void (*function)());
using Constructor = void (*)();
extern const Constructor init_array_start[], init_array_end[];
extern char start_stack_end[];
}

namespace bulkhead {

start_info_t* start_info;
shared_info_t* shared_info;
const HardwareGuest* hardware_guest;

namespace {

constexpr uint64_t start_stack_bytes = 16384;       // start.S
constexpr uint64_t promised_pages = 128;            // mapped behind the boot stack, by the ABI

std::span<const std::byte> boot_module()
{
    return {reinterpret_cast<const std::byte*>(start_info->mod_start), start_info->mod_len};
}

}  // namespace

void take_memory_over(uint64_t free_address, uint64_t mapped_end)
{
    if (start_info->nr_pages > (layout::linear_end - layout::linear_base) >> layout::page_shift)
        fatal("%lu pages of memory are more than can be mapped", start_info->nr_pages);
    const uint64_t free = raw(pfn_of(reinterpret_cast<void*>(free_address + page_bytes - 1)));
    const bool has_module = start_info->mod_len != 0;
    const bool has_slice = has_module && init_slice(boot_module());
    const PageRange persistent = persistent_pages();
    if (persistent.size() != 0 && persistent.first < mapped_end)
        fatal("the persistent region begins at frame %lu, inside what the loader has used", persistent.first);
    PageRange mapped;
    const uint64_t behind_tables = take_over_tables(free, mapped_end, persistent, mapped);
    const uint64_t behind_all = map_rest(behind_tables, mapped, persistent);
    init_memory(behind_all, start_info->nr_pages, take_dma_pages(behind_all), persistent);
    map_persistent_pages(persistent);
    if (has_module && !has_slice)
        fatal("the boot module of %lu bytes is not a slice of a plan", start_info->mod_len);
    limit_heap(config().number("heap", 0) * 1024);
}

namespace {

void map_shared_info()
{
    long error = 0;
    shared_info = static_cast<shared_info_t*>(
        map_frame(Mfn(start_info->shared_info >> layout::page_shift), Rights::write, error));
    if (shared_info == nullptr)
        fatal("shared info cannot be mapped: error %ld", error);
}

// On the program's own stack, below which lies a guard page.
[[noreturn]] void run_program()
{
    for (const Constructor* constructor = init_array_start; constructor != init_array_end; ++constructor)
        (*constructor)();
    exit(program());
}

}  // namespace

extern "C" [[noreturn]] void start_pv(uint64_t loader_stack_end, start_info_t* info);

// The loader's list of frames, start info and module stay where they are; behind its stack is free.
void start_pv(uint64_t loader_stack_end, start_info_t* info)
{
    start_info = info;
    begin_vcpu();
    hypercall<__HYPERVISOR_set_segment_base>(SEGBASE_GS_KERNEL, as_argument(&vcpu_locals[0]));
    take_memory_over(loader_stack_end, raw(pfn_of(reinterpret_cast<void*>(loader_stack_end))) + promised_pages);
    map_shared_info();
    install_traps();
    go_on();
}

void begin_vcpu()
{
    VcpuLocal& vcpu = vcpu_locals[0];
    vcpu.self = &vcpu;
    vcpu.stack_end = reinterpret_cast<uint64_t>(start_stack_end);
    vcpu.stack_low = vcpu.stack_end - start_stack_bytes;
}

void go_on()
{
    VcpuLocal& vcpu = vcpu_locals[0];
    vcpu.info = &shared_info->vcpu_info[0];
    init_events();
    init_vcpu(vcpu);
    init_console();
    enable_vector_registers();
    if (!prepare_stack(vcpu))
        fatal("no memory for the stack");
    call_on_stack(vcpu.stack_end, run_program);
}

}  // namespace bulkhead
