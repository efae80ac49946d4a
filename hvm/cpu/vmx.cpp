// SPDX-License-Identifier: BSD-2-Clause
// Intel VT-x. Source: Intel SDM vol 3, chapters "Introduction to Virtual Machine Extensions" to "VMX
// Instruction Reference".
#include "core/boot_allocator.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "hvm/cpu/guest_registers.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/vmx_checks.hpp"
#include "hvm/cpu/vmx_exit.hpp"
#include "hvm/cpu/vmx_instructions.hpp"
#include "hvm/cpu/vmx_vcpu.hpp"
#include "hvm/cpu/xapic.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "machine/switch.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/msr.hpp"

#include <cstring>
#include <new>

// False: the CPU did not try.
extern "C" bool vmx_enter(bulkhead::GuestFrame* frame, bool launched);

namespace bulkhead {

namespace {

using namespace vmx;

constexpr uint64_t efer_lme = 0x100;
constexpr uint64_t efer_lma = 0x400;
constexpr uint64_t cr0_pe = 1;
constexpr uint64_t cr0_pg = uint64_t{1} << 31;
constexpr uint64_t flags_interrupts = 0x200;
constexpr uint32_t shadows = blocked_by_sti | blocked_by_mov_ss;

struct Shared {
    Capabilities cpu;
    HostPhysical msr_bitmap;
    HostPhysical msr_bitmap_by_page;    // for vCPUs with their local APIC in xAPIC mode
    uint64_t regions;               // VMXON regions, a page a CPU, physical
    uint16_t vpids;                 // given out so far; 0 is the core's
};
constinit Shared shared{};

VmxVcpu& own_of(const Vcpu& vcpu) { return *static_cast<VmxVcpu*>(vcpu.hardware->control); }

void* make_region()
{
    void* region = boot_allocate(page_size, page_size);
    memset(region, 0, page_size);
    memcpy(region, &shared.cpu.revision, sizeof(shared.cpu.revision));
    return region;
}

void make_shared()
{
    if (shared.regions != 0)
        return;
    shared.msr_bitmap = make_msr_bitmap(shared.cpu.virtual_apic);
    shared.msr_bitmap_by_page = make_msr_bitmap(false);
    auto* regions = static_cast<char*>(boot_allocate(cpu_count() * page_size, page_size));
    memset(regions, 0, cpu_count() * page_size);
    for (uint32_t cpu = 0; cpu < cpu_count(); ++cpu)
        memcpy(regions + cpu * page_size, &shared.cpu.revision, sizeof(shared.cpu.revision));
    shared.regions = machine::physical_of(regions).raw();
    log("VT-x: %s VPID; %s delivers the local APIC's interrupts", shared.cpu.vpid ? "with" : "without",
        shared.cpu.virtual_apic ? "the CPU" : "the core");
}

// --- Start-up -----------------------------------------------------------------------------------

uint64_t rdmsr_instruction(uint32_t msr) { return read_msr(static_cast<Msr>(msr)); }

const char* why_not()
{
    if (shared.cpu.revision == 0)
        shared.cpu = decode_capabilities(rdmsr_instruction);
    return shared.cpu.lacks[0] == '\0' ? nullptr : shared.cpu.lacks.data();
}

// Source: "Enabling and Entering VMX Operation".
void unlock(uint32_t cpu)
{
    constexpr uint64_t locked = 1, outside_smx = 4;
    const uint64_t control = read_msr(Msr::IA32_FEATURE_CONTROL);
    if ((control & locked) == 0)
        write_msr(Msr::IA32_FEATURE_CONTROL, control | outside_smx | locked);
    else if ((control & outside_smx) == 0)
        panic("the firmware has switched VT-x off on CPU %u, but not on the first one", cpu);
}

void enable_cpu()
{
    constexpr uint64_t cr4_vmxe = 0x2000;
    constexpr uint64_t all_contexts = 2;
    const uint32_t cpu = this_cpu().number.raw();
    unlock(cpu);
    x86::write_cr4(x86::read_cr4() | cr4_vmxe);
    if ((x86::read_cr0() & shared.cpu.cr0_fixed0) != shared.cpu.cr0_fixed0 || !vmxon(shared.regions + cpu * page_size))
        panic("CPU %u refuses VMXON", cpu);
    if (shared.cpu.invept_all)
        invept(all_contexts, 0);
    if (shared.cpu.invvpid_all)
        invvpid(all_contexts, 0);
}

// L1TF: a guest's own page tables can name any address of the box, whose contents it then reads out of
// the CPU's first-level data cache, past the nested tables.
bool must_flush_data_cache(const Vcpu& vcpu)
{
    constexpr unsigned skip_l1dfl_vmentry = 3;
    const Features& cpu = features();
    const Partition& partition = *vcpu.partition;
    if (!cpu.leaks_l1tf || (cpu.arch_capabilities >> skip_l1dfl_vmentry & 1) != 0 || partition.is_trusted(plan::trust_l1tf))
        return false;
    if (!cpu.has_l1d_flush && vcpu.number == VcpuNumber(0))
        log("%s: may read others' memory by L1TF: the CPU's microcode lacks L1D_FLUSH", partition.name());
    return cpu.has_l1d_flush;
}

void make(Vcpu& vcpu)
{
    constexpr uint64_t write_back = 6, four_levels = 3 << 3;
    make_shared();
    auto* own = new (boot_allocate(sizeof(VmxVcpu), alignof(VmxVcpu))) VmxVcpu{};
    own->vmcs = machine::physical_of(make_region());
    own->vpid = ++shared.vpids;
    if (shared.cpu.virtual_apic)
        own->virtual_apic = machine::frame_pointer<uint32_t>(boot_allocate_frame());
    own->works_on_page = shared.cpu.apic_page && vcpu.hardware->apic.by_page;
    own->flush_data_cache = must_flush_data_cache(vcpu);
    own->ept_pointer = address_of(vcpu.partition->hardware->nested_root).raw() | write_back | four_levels;
    vcpu.hardware->control = own;
    vcpu.hardware->control_address = own->vmcs;
}

void reset(Vcpu& vcpu)
{
    VmxVcpu& own = own_of(vcpu);
    reset_start(own.start);
    own.start_pending = true;
    vcpu.hardware->flush.store(true, std::memory_order_relaxed);
}

void set_flat_entry(Vcpu& vcpu) { set_flat_start(own_of(vcpu).start); }
void set_real_mode_entry(Vcpu& vcpu, uint8_t vector) { set_real_mode_start(own_of(vcpu).start, vector); }

// --- Switches of vCPUs ----------------------------------------------------------------------------

void load(Vcpu& vcpu)
{
    VmxVcpu& own = own_of(vcpu);
    const bool first = !own.made;
    if ((first && !clear(own.vmcs.raw())) || !make_current(own.vmcs.raw()))
        panic("CPU %u refuses a VMCS", this_cpu().number.raw());
    if (first) {
        own.host_msrs = read_switched_msrs();
        write_constant_fields(vcpu, own, shared.cpu,
                              vcpu.hardware->apic.by_page ? shared.msr_bitmap_by_page : shared.msr_bitmap);
        own.made = true;
    }
    write_switched_msrs(own.guest_msrs);
    machine::write_debug_status(own.dr6);
}

void save(Vcpu& vcpu)
{
    VmxVcpu& own = own_of(vcpu);
    own.guest_msrs = read_switched_msrs();
    own.dr6 = machine::read_debug_status();
    write_switched_msrs(own.host_msrs);
}

// --- Entry ----------------------------------------------------------------------------------------

void set_interruptibility(VmxVcpu& own, uint32_t value)
{
    if (own.interruptibility == value)
        return;
    own.interruptibility = value;
    write(Field::GUEST_INTERRUPTIBILITY, value);
}

void set_windows(VmxVcpu& own, bool interrupt)
{
    uint32_t wanted = shared.cpu.primary;
    if (interrupt)
        wanted |= primary_interrupt_window;
    if (own.nmi_window_wanted)
        wanted |= primary_nmi_window;
    if (own.primary_controls == wanted)
        return;
    own.primary_controls = wanted;
    write(Field::PRIMARY_CONTROLS, wanted);
}

// Bochs 2.7 holds interrupts of the box back from a guest that was entered with IF off until it changes
// IF. So that no guest keeps its CPU, such a run ends by the preemption timer, on other CPUs too, where
// it costs an exit at most.
void bound_deaf_run(VmxVcpu& own, uint64_t flags)
{
    if (!shared.cpu.preemption_timer)
        return;
    uint32_t wanted = shared.cpu.pin;
    if ((flags & flags_interrupts) == 0)
        wanted |= pin_preemption_timer;
    if (own.pin_controls == wanted)
        return;
    own.pin_controls = wanted;
    write(Field::PIN_CONTROLS, wanted);
}

void put_in(VmxVcpu& own, Injection& next)
{
    if (next.type == Injection::Type::none)
        return;
    const bool protected_mode = (read(Field::GUEST_CR0) & cr0_pe) != 0;
    if (next.type != Injection::Type::interrupt && (own.interruptibility & shadows) != 0) {
        // Delivery ends the shadow, and with it what the CPU expects to be pending.
        set_interruptibility(own, own.interruptibility & ~shadows);
        write(Field::GUEST_PENDING_DEBUG, 0);
    }
    write(Field::ENTRY_EVENT, encode_event(next, protected_mode));
    if (next.has_error_code)
        write(Field::ENTRY_ERROR_CODE, next.error_code);
    next.type = Injection::Type::none;
}

void flush(const VmxVcpu& own)
{
    constexpr uint64_t single_context = 1, all_contexts = 2;
    if (shared.cpu.invept_single)
        invept(single_context, own.ept_pointer);
    else
        invept(all_contexts, 0);
}

Exit refused(const Vcpu& vcpu)
{
    Exit exit{};
    exit.reason = ExitReason::entry_failed;
    exit.detail = read(Field::INSTRUCTION_ERROR);
    log("%s: vCPU %u: VM entry: error %lu", vcpu.partition->name(), vcpu.number.raw(),
        static_cast<unsigned long>(exit.detail));
    return exit;
}

void tell_bad_field(const Vcpu& vcpu, uint32_t reason)
{
    log("%s: vCPU %u: VM entry, reason %#x, qualification %lu: %s", vcpu.partition->name(), vcpu.number.raw(), reason,
        static_cast<unsigned long>(read(Field::QUALIFICATION)), bad_guest_field(shared.cpu));
}

// The CPU leaves DR6 and DR7 as they were when a debug exception makes the guest leave.
// Source: "Architectural State Before a VM Exit".
void finish_debug_exception(GuestFrame& frame, uint32_t event)
{
    constexpr uint64_t status_bits = 0x600F, breakpoints = 0xF, general_detect = 0x2000;
    const uint64_t status = machine::read_debug_status();
    machine::write_debug_status((status & ~breakpoints) | (read(Field::QUALIFICATION) & status_bits));
    write(Field::GUEST_DR7, read(Field::GUEST_DR7) & ~general_detect);
    // INT1 is a trap whose RIP the CPU has not moved on yet.
    if ((event >> event_type_shift & 7) == event_privileged_exception)
        frame.rip += read(Field::INSTRUCTION_LENGTH);
}

// Exceptions that are the box's, or that need a hand before the guest gets them.
Exit finish_exception(VmxVcpu& own, GuestFrame& frame, Exit exit)
{
    constexpr uint32_t unblocked_by_iret = 1u << 12;
    const auto event = static_cast<uint32_t>(read(Field::EXIT_EVENT));
    if ((event >> event_type_shift & 7) == event_nmi) {
        take_nmi();
        return exit;
    }
    if ((event & unblocked_by_iret) != 0)
        set_interruptibility(own, own.interruptibility | blocked_by_nmi);
    if (exit.vector == vector::machine_check)
        machine::take_machine_check();
    if (exit.vector == vector::debug)
        finish_debug_exception(frame, event);
    return exit;
}

// CR0 and CR4: the guest has changed a bit that is the core's.
Exit finish_control_register(Vcpu& vcpu, const GuestFrame& frame, Exit exit)
{
    const ControlAccess access = decode_control_access(read(Field::QUALIFICATION));
    if (exit.reason == ExitReason::task_priority || access.kind != ControlAccess::Kind::write)
        return exit;
    const uint64_t value = general_register(frame, access.general_register);
    if (access.number != 0 && access.number != 4)
        return exit;
    if (!(access.number == 0 ? allow_cr0(value) : allow_cr4(value)))
        inject_exception(vcpu, vector::general_protection, 0);
    exit.reason = ExitReason::nothing;
    return exit;
}

// The instruction is done, and what it wrote is in the page. Source: "APIC-Write Emulation".
Exit finish_apic_write(Vcpu& vcpu, const VmxVcpu& own, Exit exit)
{
    const auto offset = static_cast<uint32_t>(read(Field::QUALIFICATION) & page_mask);
    write_apic_page(vcpu, offset, own.virtual_apic[offset / sizeof(uint32_t)]);
    exit.reason = ExitReason::nothing;
    return exit;
}

Exit finish(Vcpu& vcpu, GuestFrame& frame)
{
    VmxVcpu& own = own_of(vcpu);
    const auto reason = static_cast<uint32_t>(read(Field::EXIT_REASON));
    frame.rip = read(Field::GUEST_RIP);
    frame.rsp = read(Field::GUEST_RSP);
    frame.rflags = read(Field::GUEST_RFLAGS);
    frame.cs = static_cast<uint16_t>(read(Field::GUEST_CS_SELECTOR));
    frame.ss = static_cast<uint16_t>(read(Field::GUEST_SS_SELECTOR));
    own.interruptibility = static_cast<uint32_t>(read(Field::GUEST_INTERRUPTIBILITY));
    const Exit exit = decode_exit(reason);
    if (exit.reason == ExitReason::entry_failed) {
        tell_bad_field(vcpu, reason);
        return exit;
    }
    own.launched = true;
    const auto interrupted = static_cast<uint32_t>(read(Field::INTERRUPTED_EVENT));
    if ((interrupted & event_valid) != 0) {
        const auto error_code = static_cast<uint32_t>(read(Field::INTERRUPTED_ERROR_CODE));
        vcpu.hardware->next = decode_interrupted(interrupted, error_code);
        if (vcpu.hardware->next.type == Injection::Type::nmi)
            set_interruptibility(own, own.interruptibility & ~blocked_by_nmi);
    }
    switch (reason & reason_mask) {
    case reason_exception:
        return finish_exception(own, frame, exit);
    case reason_control_register:
        return finish_control_register(vcpu, frame, exit);
    case reason_apic_write:
        return finish_apic_write(vcpu, own, exit);
    default:
        return exit;
    }
}

// Own CPU, loaded: what is in the CPU's registers comes first.
void begin_anew(VmxVcpu& own)
{
    constexpr uint64_t dr6_after_reset = 0xFFFF'0FF0;
    apply_start(own, shared.cpu);
    machine::write_debug_status(dr6_after_reset);
    write_switched_msrs({});
    own.start_pending = false;
}

Exit enter(Vcpu& vcpu, GuestFrame& frame)
{
    HardwareVcpu& hardware = *vcpu.hardware;
    VmxVcpu& own = own_of(vcpu);
    if (own.start_pending)
        begin_anew(own);
    write(Field::GUEST_RIP, frame.rip);
    write(Field::GUEST_RSP, frame.rsp);
    write(Field::GUEST_RFLAGS, frame.rflags);
    put_in(own, hardware.next);
    set_windows(own, hardware.window_wanted);
    bound_deaf_run(own, frame.rflags);
    if (own.virtual_apic != nullptr)
        put_apic(hardware.apic, own);
    if (own.works_on_page) [[unlikely]]
        put_apic_page(vcpu, own);
    hardware.interrupt_taken = true;
    // Acquire pairs with the release of who changed the nested tables.
    if (hardware.flush.load(std::memory_order_relaxed) && hardware.flush.exchange(false, std::memory_order_acquire))
        flush(own);
    if (machine::read_cr2() != own.cr2)
        machine::write_cr2(own.cr2);
    if (own.flush_data_cache)
        write_msr(Msr::IA32_FLUSH_CMD, 1);
    const bool entered = vmx_enter(&frame, own.launched);
    own.cr2 = machine::read_cr2();
    if (own.virtual_apic != nullptr)
        take_apic(hardware.apic, own);
    if (own.works_on_page) [[unlikely]]
        take_apic_page(hardware.apic, own);
    return entered ? finish(vcpu, frame) : refused(vcpu);
}

bool can_take_interrupt(const Vcpu& vcpu, const GuestFrame& frame)
{
    return (frame.rflags & flags_interrupts) != 0 && (own_of(vcpu).interruptibility & shadows) == 0;
}

bool can_take_nmi(Vcpu& vcpu)
{
    VmxVcpu& own = own_of(vcpu);
    const bool can = (own.interruptibility & (blocked_by_nmi | blocked_by_mov_ss)) == 0;
    own.nmi_window_wanted = !can;
    return can;
}

// --- What the guest is doing ----------------------------------------------------------------------

GuestPaging paging(const Vcpu&)
{
    return {read(Field::GUEST_CR0), read(Field::GUEST_CR3), read(Field::GUEST_CR4), read(Field::GUEST_EFER),
            read(Field::GUEST_RFLAGS), static_cast<uint8_t>(rights_dpl(read(Field::GUEST_SS_RIGHTS)))};
}

bool in_64_bit_code(const Vcpu&)
{
    return (read(Field::GUEST_EFER) & efer_lma) != 0 && (read(Field::GUEST_CS_RIGHTS) & rights_long) != 0;
}

bool in_32_bit_code(const Vcpu&) { return (read(Field::GUEST_CS_RIGHTS) & rights_default_32) != 0; }
unsigned fetched_code(const Vcpu&, std::array<uint8_t, longest_instruction>&) { return 0; }

uint64_t code_base(const Vcpu& vcpu) { return in_64_bit_code(vcpu) ? 0 : read(Field::GUEST_CS_BASE); }

unsigned instruction_bytes(const Vcpu&, const GuestFrame&)
{
    return static_cast<unsigned>(read(Field::INSTRUCTION_LENGTH));
}

void end_shadow(Vcpu& vcpu)
{
    VmxVcpu& own = own_of(vcpu);
    set_interruptibility(own, own.interruptibility & ~shadows);
}

HypercallOrigin hypercall_origin(Vcpu& vcpu)
{
    end_shadow(vcpu);
    if (paging(vcpu).cpl != 0)
        return HypercallOrigin::user;
    return in_64_bit_code(vcpu) ? HypercallOrigin::kernel_64 : HypercallOrigin::other_mode;
}

void single_stepped(Vcpu&)
{
    constexpr uint64_t single_step = 0x4000;
    machine::write_debug_status(machine::read_debug_status() | single_step);
}

uint64_t read_efer(const Vcpu&) { return read(Field::GUEST_EFER); }

void write_efer(Vcpu&, uint64_t value)
{
    const bool active = (value & efer_lme) != 0 && (read(Field::GUEST_CR0) & cr0_pg) != 0;
    write(Field::GUEST_EFER, (value & ~efer_lma) | (active ? efer_lma : 0));
}

bool read_switched_msr(const Vcpu&, uint32_t msr, uint64_t& value)
{
    if (msr != static_cast<uint32_t>(Msr::IA32_PAT))
        return false;
    value = read(Field::GUEST_PAT);
    return true;
}

bool write_switched_msr(Vcpu&, uint32_t msr, uint64_t value)
{
    if (msr != static_cast<uint32_t>(Msr::IA32_PAT))
        return false;
    write(Field::GUEST_PAT, value);
    return true;
}

bool delivers_apic() { return shared.cpu.virtual_apic; }
bool works_on_apic_page() { return shared.cpu.apic_page; }
unsigned largest_page_level() { return shared.cpu.pages_1g ? 2 : shared.cpu.pages_2m ? 1 : 0; }

constexpr uint64_t read_write_execute = 7;
constexpr uint64_t write_back_memory = 6 << 3;

}  // namespace

constinit const VendorOperations vmx_operations{
    .name = "VT-x",
    .hypercall_opcode = 0xC1,
    .table_bits = read_write_execute,
    .page_bits = read_write_execute | write_back_memory,
    .large_page_bits = read_write_execute | write_back_memory | 0x80,
    .largest_page_level = largest_page_level,
    .why_not = why_not,
    .enable_cpu = enable_cpu,
    .make = make,
    .reset = reset,
    .set_flat_entry = set_flat_entry,
    .set_real_mode_entry = set_real_mode_entry,
    .load = load,
    .save = save,
    .enter = enter,
    .can_take_interrupt = can_take_interrupt,
    .can_take_nmi = can_take_nmi,
    .delivers_apic = delivers_apic,
    .works_on_apic_page = works_on_apic_page,
    .paging = paging,
    .read_cr4 = [](const Vcpu& vcpu) { return paging(vcpu).cr4; },
    .code_base = code_base,
    .instruction_bytes = instruction_bytes,
    .end_shadow = end_shadow,
    .single_stepped = single_stepped,
    .in_64_bit_code = in_64_bit_code,
    .hypercall_origin = hypercall_origin,
    .in_32_bit_code = in_32_bit_code,
    .fetched_code = fetched_code,
    .read_efer = read_efer,
    .write_efer = write_efer,
    .read_switched_msr = read_switched_msr,
    .write_switched_msr = write_switched_msr,
};

}  // namespace bulkhead
