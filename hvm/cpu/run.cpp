// SPDX-License-Identifier: BSD-2-Clause
// The loop of a hardware vCPU on its CPU: what goes in, the guest, what comes out.
#include "core/partition_fault.hpp"
#include "core/schedule.hpp"
#include "core/trace.hpp"
#include "hvm/cpu/exits.hpp"
#include "hvm/cpu/guest_look.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/operations.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"
#include "machine/switch.hpp"
#include "machine/this_cpu.hpp"
#include "machine/tlb.hpp"

namespace bulkhead {

namespace {

uint8_t event_flag(const uint8_t& flag) { return __atomic_load_n(&flag, __ATOMIC_ACQUIRE); }

// For the call-back that does not come through the APIC.
bool events_wait(const Vcpu& vcpu)
{
    return vcpu.hardware->callback_vector == 0 && vcpu.partition->hardware->callback_vector != 0 &&
           event_flag(vcpu.info->evtchn_upcall_pending) != 0;
}

// What the APIC has that the core is to put in.
uint8_t vector_of_apic(Vcpu& vcpu)
{
    return vcpu.hardware->delivered_by_cpu ? 0 : deliverable_now(vcpu.hardware->apic);
}

void choose_injection(Vcpu& vcpu, const GuestFrame& frame)
{
    HardwareVcpu& hardware = *vcpu.hardware;
    hardware.window_wanted = false;
    hardware.from_apic = 0;
    if (hardware.next.type != Injection::Type::none) {
        hardware.window_wanted = events_wait(vcpu) || vector_of_apic(vcpu) != 0;
        return;
    }
    if (vcpu.pv.nmi_pending && vendor().can_take_nmi(vcpu)) {
        vcpu.pv.nmi_pending = false;
        hardware.next = {Injection::Type::nmi, 2, false, 0};
        return;
    }
    // Events come before what the APIC has.
    const bool events = events_wait(vcpu);
    const uint8_t of_apic = vector_of_apic(vcpu);
    const uint8_t vector = events ? vcpu.partition->hardware->callback_vector : of_apic;
    if (vector == 0) [[likely]]
        return;
    if (!vendor().can_take_interrupt(vcpu, frame)) {
        hardware.window_wanted = true;
        return;
    }
    const bool by_apic = vector == of_apic;
    hardware.from_apic = by_apic ? vector : 0;
    hardware.next = {Injection::Type::interrupt, vector, false, 0};
    // Events stay pending until the guest's handler has looked, so they do not count again here.
    hardware.window_wanted = by_apic ? events : of_apic != 0;
}

// A start-up IPI has come for a vCPU that waits for one.
void take_start(Vcpu& vcpu, GuestFrame& frame)
{
    const uint16_t start = vcpu.hardware->start_vector.exchange(0, std::memory_order_acquire);
    if (start == 0)
        return;
    reset_hardware_vcpu(vcpu);
    vendor().set_real_mode_entry(vcpu, static_cast<uint8_t>(start));
    vcpu.initialised = true;
    frame = vcpu.registers;
    frame.rip = 0;
}

}  // namespace

// A call-back vector of the vCPU's own (HVMOP_set_evtchn_upcall_vector) comes through its APIC, once
// for each time that events begin to wait.
void raise_callback(Vcpu& vcpu)
{
    const uint8_t vector = __atomic_load_n(&vcpu.hardware->callback_vector, __ATOMIC_RELAXED);
    if (vector != 0)
        request_interrupt(vcpu, vector);
}

bool hardware_must_run(const Vcpu& vcpu)
{
    return vcpu.pv.nmi_pending || events_wait(vcpu) || deliverable(vcpu.hardware->apic) != 0;
}

void run_hardware_vcpu(Vcpu& vcpu, GuestFrame& frame)
{
    Cpu& cpu = this_cpu();
    take_start(vcpu, frame);
    if (vcpu.hardware->page.open)
        resume_page_access(vcpu, frame);
    if (cpu.work.load(std::memory_order_acquire) != 0)
        return;
    do {
        choose_injection(vcpu, frame);
        const Exit exit = vendor().enter(vcpu, frame);
        HardwareVcpu& hardware = *vcpu.hardware;
        if (hardware.from_apic != 0 && hardware.interrupt_taken)
            accept(hardware.apic, hardware.from_apic);
        ++hardware.exits.of_reason[static_cast<size_t>(exit.reason)];
        if (exit.reason == ExitReason::interrupt) {
            machine::take_interrupts();
            continue;
        }
        handle_exit(vcpu, frame, exit);
        if (hardware.window.shown_used != 0)
            forget_mappings(hardware.window);
    } while (cpu.work.load(std::memory_order_acquire) == 0);
    keep_paging(vcpu);
}

void load_hardware_vcpu(Vcpu& vcpu)
{
    machine::load_idle();
    machine::load_table(vcpu.hardware->window.root);
    const auto& debug = vcpu.hardware->debug;
    machine::write_debug_addresses(debug);
    machine::restore_fpu(vcpu.fpu_area, vcpu.pv.xcr0);
    machine::write_tsc_aux(vcpu.pv.emulation.tsc_aux);
    vendor().load(vcpu);
}

void save_hardware_vcpu(Vcpu& vcpu)
{
    vendor().save(vcpu);
    forget_mappings(vcpu.hardware->window);
    // QEMU 7.2 does not intercept XSETBV.
    if (machine::fpu_components() != 0)
        vcpu.pv.xcr0 = machine::read_xcr0();
    machine::save_fpu(vcpu.fpu_area, vcpu.pv.xcr0);
    machine::read_debug_addresses(vcpu.hardware->debug);
}

}  // namespace bulkhead
