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
extern "C" const char return_by_iret[], again_by_iret[];

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
bool is_missing_ldt_page()
{
    Vcpu* vcpu = this_cpu().loaded;
    return vcpu != nullptr && map_ldt_page(*vcpu, machine::read_cr2());
}

// The core's access to a hardware guest's memory: its own tables have not shown the page so far.
bool is_hardware_guest_page(Vcpu& vcpu, const GuestFrame& frame)
{
    constexpr uint32_t present = 1, by_write = 2, fetch = 0x10;
    const uint64_t address = machine::read_cr2();
    const bool write = (frame.error_code & by_write) != 0;
    if ((frame.error_code & fetch) != 0 || ((frame.error_code & present) != 0 && !write))
        return false;
    return layout::guest_range_ok(address, 1) && hardware_operations.map_guest_page(vcpu, address, write);
}

bool has_come_by_now(const GuestFrame& frame)
{
    Vcpu* vcpu = this_cpu().current;
    return (vcpu != nullptr && vcpu->hardware != nullptr && is_hardware_guest_page(*vcpu, frame)) ||
           is_missing_ldt_page();
}

void handle_core_exception(GuestFrame& frame)
{
    if (frame.vector == vector_page_fault && has_come_by_now(frame)) {
        if (frame.rip == reinterpret_cast<uint64_t>(return_by_iret)) [[unlikely]]
            frame.rip = reinterpret_cast<uint64_t>(again_by_iret);
        return;
    }
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
