// SPDX-License-Identifier: BSD-2-Clause
// See local_apic.hpp.
#include "hvm/cpu/local_apic.hpp"

#include "core/hardware.hpp"
#include "core/schedule.hpp"
#include "hvm/cpu/apic_registers.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/xapic.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/this_cpu.hpp"

#include <bit>

namespace bulkhead {

namespace {

using namespace apic;

constexpr uint32_t deadline_register = 0x6E0;
constexpr uint32_t enabled = 0x100;
constexpr uint32_t masked = 1u << 16;
constexpr unsigned lvt_timer = 1;
constexpr uint32_t timer_mode = 3u << 17;
constexpr uint32_t timer_periodic = 1u << 17;
constexpr uint32_t timer_by_deadline = 2u << 17;
// Version 0x14, seven entries, no suppression of EOI broadcasts.
constexpr uint32_t version_value = 0x14 | (6u << 16);
constexpr uint64_t bus_hz = 1'000'000'000;          // one count a nanosecond before the divider

uint32_t logical_id(uint32_t id) { return (id >> 4) << 16 | 1u << (id & 15); }

unsigned highest(const std::array<uint32_t, 8>& bits)
{
    for (unsigned i = 8; i-- > 0;) {
        if (bits[i] != 0)
            return i * 32 + 31 - static_cast<unsigned>(std::countl_zero(bits[i]));
    }
    return 0;
}

unsigned highest_request(const LocalApic& apic)
{
    for (unsigned i = 8; i-- > 0;) {
        if (const uint32_t word = apic.requests[i].load(std::memory_order_relaxed); word != 0)
            return i * 32 + 31 - static_cast<unsigned>(std::countl_zero(word));
    }
    return 0;
}

uint32_t processor_priority(const LocalApic& apic)
{
    const unsigned serving = highest(apic.in_service) & 0xF0;
    return (apic.task_priority & 0xF0) >= serving ? apic.task_priority : serving;
}

// The vector, if software has enabled the APIC and the priority lets it through; else 0.
uint8_t unless_held_off(const LocalApic& apic, unsigned vector)
{
    if ((apic.spurious & enabled) == 0)
        return 0;
    return vector >= 16 && (vector & 0xF0) > (processor_priority(apic) & 0xF0) ? static_cast<uint8_t>(vector) : 0;
}

// --- Timer ---------------------------------------------------------------------------------------

uint64_t divider(const LocalApic& apic)
{
    const uint32_t code = (apic.timer_divide & 3) | (apic.timer_divide & 8) >> 1;
    return code == 7 ? 1 : uint64_t{2} << code;
}

uint64_t period_ns(const LocalApic& apic) { return apic.timer_initial * divider(apic); }

void timer_changed(Vcpu& vcpu)
{
    vcpu.time.apic_deadline = apic_timer_deadline(vcpu);
    timers_changed(vcpu);
}

uint32_t current_count(const LocalApic& apic)
{
    if (apic.timer_initial == 0 || (apic.local_vectors[lvt_timer] & timer_mode) == timer_by_deadline)
        return 0;
    const uint64_t counts = (machine::now().raw() - apic.timer_started) / divider(apic);
    if (counts < apic.timer_initial)
        return static_cast<uint32_t>(apic.timer_initial - counts);
    const bool periodic = (apic.local_vectors[lvt_timer] & timer_periodic) != 0;
    return periodic ? static_cast<uint32_t>(apic.timer_initial - counts % apic.timer_initial) : 0;
}

// --- Interrupts between CPUs ----------------------------------------------------------------------

void wake(Vcpu& vcpu)
{
    release(vcpu, hold_blocked);
    if (vcpu.cpu != this_cpu().number)
        machine::poke(vcpu.cpu);
}

// It waits for a start-up IPI from now on, whatever it did; its state is reset when that comes.
void send_init(Vcpu& target)
{
    hold(target, hold_down);
    target.hardware->start_vector.store(0, std::memory_order_relaxed);
}

// The first after INIT counts. The target's own CPU sets it up (hvm/cpu/run.cpp).
void send_start(Vcpu& target, uint8_t vector)
{
    if ((target.hold.load(std::memory_order_acquire) & hold_down) == 0)
        return;
    target.hardware->start_vector.store(static_cast<uint16_t>(0x100 | vector), std::memory_order_release);
    release(target, hold_down | hold_blocked | hold_polling | hold_machine);
}

bool is_addressed(const Vcpu& target, uint32_t destination, bool logical)
{
    const LocalApic& apic = target.hardware->apic;
    const uint32_t id = apic.id;
    if (apic.by_page)
        return is_addressed_by_page(apic, id, destination, logical);
    if (destination == 0xFFFF'FFFF)
        return true;
    if (!logical)
        return destination == id;
    const uint32_t own = logical_id(id);
    return (own >> 16) == (destination >> 16) && (own & destination & 0xFFFF) != 0;
}

void deliver_to(Vcpu& target, uint32_t mode, uint8_t vector)
{
    switch (mode) {
    case 0:                                         // fixed
    case 1:                                         // lowest priority: one addressee is as good as another
        request_interrupt(target, vector);
        return;
    case 4:
        __atomic_store_n(&target.pv.nmi_pending, true, __ATOMIC_SEQ_CST);
        wake(target);
        return;
    case 5:
        return send_init(target);
    case 6:
        return send_start(target, vector);
    default:
        return;
    }
}

bool write_command(Vcpu& vcpu, uint64_t command)
{
    constexpr uint32_t assert_level = 0x4000;
    const auto low = static_cast<uint32_t>(command);
    if ((low & command_reserved) != 0)
        return false;
    const uint32_t mode = (low >> 8) & 7;
    const auto vector = static_cast<uint8_t>(low);
    if (mode <= 1 && vector < 16) {
        vcpu.hardware->apic.error_status |= 1u << 5;    // illegal vector sent
        return true;
    }
    if (mode == 5 && (low & assert_level) == 0 && (low & 0x8000) != 0)
        return true;                                // INIT level de-assert: for CPUs of long ago
    const uint32_t shorthand = (low >> 18) & 3;
    for (Vcpu& target : vcpu.partition->vcpus) {
        const bool self = &target == &vcpu;
        const bool wanted = shorthand == 0 ? is_addressed(target, static_cast<uint32_t>(command >> 32), (low & 0x800) != 0)
                          : shorthand == 1 ? self
                          : shorthand == 2 || !self;
        if (!wanted)
            continue;
        deliver_to(target, mode, vector);
        if (mode == 1)
            break;
    }
    return true;
}

void end_of_interrupt(LocalApic& apic)
{
    const unsigned vector = highest(apic.in_service);
    apic.in_service[vector / 32] &= ~(1u << (vector % 32));
}

bool write_lvt(Vcpu& vcpu, unsigned index, uint64_t value)
{
    LocalApic& apic = vcpu.hardware->apic;
    if ((value & ~uint64_t{lvt_bits[index]}) != 0)
        return false;
    const bool other_mode = ((apic.local_vectors[index] ^ value) & timer_mode) != 0;
    apic.local_vectors[index] = static_cast<uint32_t>(value) | ((apic.spurious & enabled) != 0 ? 0 : masked);
    if (index != lvt_timer)
        return true;
    if (other_mode) {
        apic.timer_initial = 0;
        apic.deadline = 0;
    }
    timer_changed(vcpu);
    return true;
}

}  // namespace

void reset_apic(LocalApic& apic)
{
    for (auto& word : apic.requests)
        word.store(0, std::memory_order_relaxed);
    apic.in_service = {};
    apic.task_priority = 0;
    apic.spurious = 0xFF;
    apic.error_status = 0;
    apic.local_vectors.fill(masked);
    apic.timer_initial = 0;
    apic.timer_divide = 0;
    apic.timer_started = 0;
    apic.deadline = 0;
    apic.logical_destination = 0;
    apic.destination_format = ~0u;
    apic.command = 0;
    apic.command_destination = 0;
}

bool read_apic(Vcpu& vcpu, uint32_t msr, uint64_t& value)
{
    const LocalApic& apic = vcpu.hardware->apic;
    if (msr == deadline_register) {
        value = apic.deadline;
        return true;
    }
    const uint32_t reg = msr - first_register;
    if (is_lvt(reg)) {
        value = apic.local_vectors[lvt_index(reg)];
        return true;
    }
    if (reg >= reg_isr && reg < reg_tmr)
        value = apic.in_service[reg - reg_isr];
    else if (reg >= reg_tmr && reg < reg_irr)
        value = 0;                                  // all are edges
    else if (reg >= reg_irr && reg < reg_esr)
        value = apic.requests[reg - reg_irr].load(std::memory_order_relaxed);
    else {
        switch (reg) {
        case reg_id: value = apic.id; break;
        case reg_version: value = version_value; break;
        case reg_tpr: value = apic.task_priority; break;
        case reg_ppr: value = processor_priority(apic); break;
        case reg_ldr: value = logical_id(apic.id); break;
        case reg_svr: value = apic.spurious; break;
        case reg_esr: value = apic.error_status; break;
        case reg_icr: value = 0; break;
        case reg_timer_initial: value = apic.timer_initial; break;
        case reg_timer_current: value = current_count(apic); break;
        case reg_timer_divide: value = apic.timer_divide; break;
        default: return false;
        }
    }
    return true;
}

bool write_apic(Vcpu& vcpu, uint32_t msr, uint64_t value)
{
    LocalApic& apic = vcpu.hardware->apic;
    if (msr == deadline_register) {
        if ((apic.local_vectors[lvt_timer] & timer_mode) != timer_by_deadline)
            return true;                            // ignored, as the manual says
        apic.deadline = value;
        timer_changed(vcpu);
        return true;
    }
    const uint32_t reg = msr - first_register;
    if (reg != reg_icr && value >> 32 != 0)
        return false;
    const auto low = static_cast<uint32_t>(value);
    if (is_lvt(reg))
        return write_lvt(vcpu, lvt_index(reg), value);
    switch (reg) {
    case reg_tpr:
        if (low > 0xFF)
            return false;
        apic.task_priority = low;
        return true;
    case reg_eoi:
        if (low != 0)
            return false;
        end_of_interrupt(apic);
        return true;
    case reg_svr:
        if ((low & ~0x1FFu) != 0)
            return false;
        apic.spurious = low;
        if ((low & enabled) == 0) {
            for (uint32_t& entry : apic.local_vectors)
                entry |= masked;
        }
        return true;
    case reg_esr:
        if (low != 0)
            return false;
        apic.error_status = 0;
        return true;
    case reg_icr:
        return write_command(vcpu, value);
    case reg_timer_initial:
        if ((apic.local_vectors[lvt_timer] & timer_mode) == timer_by_deadline)
            return true;
        apic.timer_initial = low;
        apic.timer_started = machine::now().raw();
        timer_changed(vcpu);
        return true;
    case reg_timer_divide:
        if ((low & ~0xBu) != 0)
            return false;
        apic.timer_divide = low;
        timer_changed(vcpu);
        return true;
    case reg_self_ipi:
        if (low > 0xFF)
            return false;
        if (low < 16)
            apic.error_status |= 1u << 5;
        else
            request_interrupt(vcpu, static_cast<uint8_t>(low));
        return true;
    default:
        return false;
    }
}

void request_interrupt(Vcpu& vcpu, uint8_t vector)
{
    LocalApic& apic = vcpu.hardware->apic;
    // Release: what the sender wrote before comes with it.
    apic.requests[vector / 32].fetch_or(1u << (vector % 32), std::memory_order_seq_cst);
    apic.requested.store(true, std::memory_order_seq_cst);
    wake(vcpu);
}

uint8_t deliverable(const LocalApic& apic) { return unless_held_off(apic, highest_request(apic)); }

uint8_t deliverable_now(LocalApic& apic)
{
    if (!apic.requested.load(std::memory_order_relaxed)) [[likely]]
        return 0;
    // Before the look, so that a request that comes behind it sets it again.
    (void)apic.requested.exchange(false, std::memory_order_seq_cst);
    const unsigned vector = highest_request(apic);
    if (vector == 0)
        return 0;
    apic.requested.store(true, std::memory_order_relaxed);
    return unless_held_off(apic, vector);
}

bool waits_for_task_priority(const LocalApic& apic)
{
    if ((apic.spurious & enabled) == 0)
        return false;
    const unsigned vector = highest_request(apic);
    return vector >= 16 && (vector & 0xF0) > (highest(apic.in_service) & 0xF0) && (vector & 0xF0) <= (apic.task_priority & 0xF0);
}

void accept(LocalApic& apic, uint8_t vector)
{
    apic.requests[vector / 32].fetch_and(~(1u << (vector % 32)), std::memory_order_acquire);
    apic.in_service[vector / 32] |= 1u << (vector % 32);
}

Nanoseconds apic_timer_deadline(const Vcpu& vcpu)
{
    const LocalApic& apic = vcpu.hardware->apic;
    const uint32_t entry = apic.local_vectors[lvt_timer];
    if ((entry & timer_mode) == timer_by_deadline)
        return apic.deadline == 0 ? never : machine::to_time(TscTicks(apic.deadline));
    return apic.timer_initial == 0 ? never : Nanoseconds(apic.timer_started + period_ns(apic));
}

void apic_timer_expired(Vcpu& vcpu, Nanoseconds now)
{
    LocalApic& apic = vcpu.hardware->apic;
    const uint32_t entry = apic.local_vectors[lvt_timer];
    if ((entry & timer_mode) == timer_periodic) {
        // Ticks that were missed are one.
        const uint64_t late = now.raw() - apic.timer_started;
        apic.timer_started += late - late % period_ns(apic);
    } else {
        apic.timer_initial = 0;
        apic.deadline = 0;
    }
    vcpu.time.apic_deadline = apic_timer_deadline(vcpu);
    if ((entry & masked) == 0)
        request_interrupt(vcpu, static_cast<uint8_t>(entry));
}

}  // namespace bulkhead
