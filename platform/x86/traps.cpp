// SPDX-License-Identifier: BSD-2-Clause
// Exceptions in ring 0: those that were foreseen have a fixup; a #DB there is the delayed end of a
// guest's MOV SS and means nothing; everything else is a broken core.
#include "core/hardware.hpp"
#include "core/panic.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/entry_points.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/traps.hpp"

namespace bulkhead {

namespace {

struct FixupEntry {
    uint64_t fault;
    uint64_t target;
};

extern "C" const FixupEntry exception_table_begin[];
extern "C" const FixupEntry exception_table_end[];

constexpr uint32_t vector_debug = 1;
constexpr uint32_t vector_nmi = 2;
constexpr uint32_t vector_double_fault = 8;
constexpr uint32_t vector_page_fault = 14;

const FixupEntry* find_fixup(uint64_t rip)
{
    for (const FixupEntry* entry = exception_table_begin; entry != exception_table_end; ++entry) {
        if (entry->fault == rip)
            return entry;
    }
    return nullptr;
}

}  // namespace

// Loading a selector for the guest may touch a page of its LDT that was not mapped yet.
bool is_missing_ldt_page(const GuestFrame& frame)
{
    Vcpu* vcpu = this_cpu().loaded;
    return frame.vector == vector_page_fault && vcpu != nullptr && map_ldt_page(*vcpu, machine::read_cr2());
}

// The core's access to a hardware guest's memory: its own tables have not shown the page so far.
bool is_hardware_guest_page(const GuestFrame& frame)
{
    constexpr uint32_t present_or_fetch = 0x11;
    Vcpu* vcpu = this_cpu().current;
    if (frame.vector != vector_page_fault || vcpu == nullptr || vcpu->hardware == nullptr)
        return false;
    const uint64_t address = machine::read_cr2();
    const bool write = (frame.error_code & 2) != 0;
    if ((frame.error_code & 0x10) != 0 || ((frame.error_code & present_or_fetch) != 0 && !write))
        return false;
    return layout::guest_range_ok(address, 1) && hardware_operations.map_guest_page(*vcpu, address, write);
}

void handle_core_exception(GuestFrame& frame)
{
    if (is_missing_ldt_page(frame) || is_hardware_guest_page(frame))
        return;
    if (const FixupEntry* entry = find_fixup(frame.rip); entry != nullptr) {
        frame.rip = entry->target;
        return;
    }
    if (frame.vector == vector_debug) {
        (void)machine::read_debug_status();
        return;
    }
    panic_at(frame, "exception %u in the core, error %#x, address %#lx", frame.vector, frame.error_code,
             machine::read_cr2());
}

void handle_own_stack_exception(GuestFrame& frame)
{
    if (frame.vector == vector_nmi)
        return handle_nmi(frame);
    panic_at(frame, frame.vector == vector_double_fault ? "double fault, address %#lx" : "machine check, address %#lx",
             machine::read_cr2());
}

}  // namespace bulkhead
