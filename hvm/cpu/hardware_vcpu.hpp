// SPDX-License-Identifier: BSD-2-Clause
// The state of a hardware partition and its vCPUs, the same for both vendors, and the interface that
// a vendor's file implements. All of it belongs to the vCPU's own CPU unless it says otherwise.
#pragma once

#include "core/guest_frame.hpp"
#include "core/guest_paging.hpp"
#include "core/partition.hpp"
#include "core/vcpu.hpp"
#include "hvm/cpu/guest_window.hpp"
#include "hvm/cpu/local_apic.hpp"
#include "hvm/cpu/page_access.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

// Why the guest left. What the rest of hvm/cpu/ sees: no number of a vendor goes past its file.
enum class ExitReason : uint8_t {
    nothing,                // the vendor's file has dealt with it
    interrupt,              // for the core; taken when the run loop opens its window
    interrupt_window,       // the guest can take an interrupt now
    cpuid,
    halt,
    port,                   // Exit::port
    msr_read,
    msr_write,
    hypercall,
    set_xcr0,
    nested_fault,           // Exit::address, Exit::write
    exception,              // Exit::vector: one that the core has to see first
    no_such_instruction,    // exists on the CPU, not in the guest's
    cache_control,          // WBINVD and INVD: there is nothing to do
    task_priority,          // MOV to or from CR8: Exit::write, Exit::general_register
    triple_fault,
    task_switch,            // VT-x only: AMD's CPUs carry them out
    carried_out,            // by the vendor's file: the guest goes on behind the instruction
    entry_failed,           // the CPU refused the state: Exit::detail says what it said
    unknown,
    count,
};

struct Exit {
    ExitReason reason;
    uint8_t vector;
    bool write;             // the port's or the access's direction
    uint8_t bytes;          // of the port access
    bool string;            // INS or OUTS
    uint8_t general_register;   // number of the operand
    uint8_t length;         // of the instruction that left, where the vendor's file knows it already; else 0
    uint16_t port;
    uint32_t error_code;
    uint64_t address;       // guest-physical
    bool by_instruction;    // the access is to an operand of the instruction at RIP: no fetch, no walk of tables
    uint64_t detail;        // the vendor's own number, for people
};

// What is put into the guest at its next entry.
struct Injection {
    enum class Type : uint8_t { none, interrupt, exception, nmi };
    Type type;
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
};

namespace vector {
inline constexpr uint8_t debug = 1;
inline constexpr uint8_t invalid_opcode = 6;
inline constexpr uint8_t general_protection = 13;
inline constexpr uint8_t page_fault = 14;
inline constexpr uint8_t alignment_check = 17;
inline constexpr uint8_t machine_check = 18;
}  // namespace vector

struct ExitCounters {
    std::array<uint64_t, static_cast<size_t>(ExitReason::count)> of_reason;
};

struct HardwareVcpu {
    void* control;                      // the vendor's: VMCB, or what goes with a VMCS
    HostPhysical control_address;
    LocalApic apic;                     // hvm/cpu/local_apic.hpp
    PageAccess page;                    // hvm/cpu/page_access.hpp
    GuestWindow window;                 // hvm/cpu/guest_window.hpp
    Injection next;                     // goes in at the next entry
    std::array<uint64_t, 4> debug;      // DR0 to DR3
    GuestPaging kept_paging;            // when it last left its CPU
    std::atomic<bool> flush;            // nested tables have changed: any CPU sets it
    bool window_wanted;                 // the entry asks for an exit when interrupts can be taken
    uint8_t from_apic;                  // the vector in `next` is one that the APIC has requested
    bool interrupt_taken;               // after an entry with an interrupt in `next`; if not, it is chosen anew
    std::atomic<uint16_t> start_vector; // a start-up IPI has come: the vector with bit 8 set; any CPU
    uint8_t callback_vector;            // HVMOP_set_evtchn_upcall_vector; 0: none
    bool delivered_by_cpu;              // VendorOperations::delivers_apic; constant
    ExitCounters exits;
};

// A table that a placed page has needed, and what stood in its place before.
struct PlacedTable {
    Mfn frame;
    uint64_t* entry;
    uint64_t former;
};

struct HardwarePartition {
    Mfn nested_root;                    // constant after start
    Mfn apic_frame;                     // at the APIC's page, if the CPU works on that: nobody uses its contents
    std::atomic<uint32_t> nested_changes;   // counts them
    std::span<PlacedTable> table_pool;        // for pages that the guest places (XENMEM_add_to_physmap)
    uint32_t pool_used;                 // pages lock
    uint8_t callback_vector;            // HVM_PARAM_CALLBACK_IRQ
    uint64_t callback_parameter;        // as the guest gave it
    std::span<uint64_t> shared_gfns;    // where shared info [0] and grant frames are: gfn + 1, 0: nowhere; pages lock
};

enum class HypercallOrigin : uint8_t { kernel_64, user, other_mode };

// One for each vendor.
struct VendorOperations {
    const char* name;
    uint8_t hypercall_opcode;           // last byte of VMMCALL or VMCALL
    // Bits of an entry of nested tables.
    uint64_t table_bits;
    uint64_t page_bits;                 // read, write, execute, write-back memory
    uint64_t large_page_bits;
    unsigned (*largest_page_level)();   // of nested tables: 2 is 1 GiB, 1 is 2 MiB
    // Start-up, first: null, or what this CPU lacks, a sentence.
    const char* (*why_not)();
    void (*enable_cpu)();
    void (*make)(Vcpu& vcpu);           // start-up
    // As after INIT: real mode at F000:FFF0. Keeps the control structure's constant fields.
    void (*reset)(Vcpu& vcpu);
    // 32-bit protected mode, flat, paging off, EBX as given (PVH's entry).
    void (*set_flat_entry)(Vcpu& vcpu);
    // Real mode at vector * 0x1000 (start-up IPI).
    void (*set_real_mode_entry)(Vcpu& vcpu, uint8_t vector);
    void (*load)(Vcpu& vcpu);
    void (*save)(Vcpu& vcpu);
    // Enters with vcpu.hardware->next and returns at the next exit.
    Exit (*enter)(Vcpu& vcpu, GuestFrame& frame);
    bool (*can_take_interrupt)(const Vcpu& vcpu, const GuestFrame& frame);
    // If not, the guest leaves as soon as it can.
    bool (*can_take_nmi)(Vcpu& vcpu);
    // The CPU itself delivers what the local APIC has requested: only events are put in.
    bool (*delivers_apic)();
    // It carries out what it can of accesses to the APIC's page, if that shows HardwarePartition::apic_frame.
    bool (*works_on_apic_page)();
    GuestPaging (*paging)(const Vcpu& vcpu);
    uint64_t (*read_cr4)(const Vcpu& vcpu);     // as the guest reads it
    // What is added to RIP to find the code: 0 in 64-bit code.
    uint64_t (*code_base)(const Vcpu& vcpu);
    // Length of the instruction that left, if the CPU says it; else 0.
    unsigned (*instruction_bytes)(const Vcpu& vcpu, const GuestFrame& frame);
    // An instruction was carried out for the guest: STI and MOV SS hold off interrupts no longer.
    void (*end_shadow)(Vcpu& vcpu);
    // DR6 of a debug exception after an instruction that was carried out for the guest.
    void (*single_stepped)(Vcpu& vcpu);
    bool (*in_64_bit_code)(const Vcpu& vcpu);
    // A hypercall begins: ends the shadow. Whence it comes; only 64-bit kernel code has hypercalls.
    HypercallOrigin (*hypercall_origin)(Vcpu& vcpu);
    // Where it is not: 32-bit code, else 16-bit.
    bool (*in_32_bit_code)(const Vcpu& vcpu);
    // The bytes at RIP, if the CPU has kept them at this exit; how many, 0: fetch them.
    unsigned (*fetched_code)(const Vcpu& vcpu, std::array<uint8_t, longest_instruction>& to);
    // The caller has checked the bits; LMA follows by itself.
    uint64_t (*read_efer)(const Vcpu& vcpu);
    void (*write_efer)(Vcpu& vcpu, uint64_t value);
    // MSRs that the CPU switches with the guest and that are not passed through. False: not one.
    bool (*read_switched_msr)(const Vcpu& vcpu, uint32_t msr, uint64_t& value);
    bool (*write_switched_msr)(Vcpu& vcpu, uint32_t msr, uint64_t value);
};

extern const VendorOperations svm_operations;
extern const VendorOperations vmx_operations;

// This box's; set at start, constant afterwards, before any hardware partition is made.
extern const VendorOperations* vendor_of_box;
[[nodiscard]] inline const VendorOperations& vendor() { return *vendor_of_box; }
// Width of guest-physical addresses: what the guest's CPUID says.
[[nodiscard]] unsigned vendor_physical_bits();

// Queues an exception of the instruction that left.
void inject_exception(Vcpu& vcpu, uint8_t vector);
void inject_exception(Vcpu& vcpu, uint8_t vector, uint32_t error_code);

}  // namespace bulkhead
