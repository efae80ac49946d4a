// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 3, "Advanced Programmable Interrupt Controller (APIC)".
#include "platform/x86/local_apic.hpp"

#include "machine/core_space.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/vectors.hpp"

namespace bulkhead {

namespace {

// Offsets of the memory-mapped registers; register n of x2APIC is MSR 0x800 + n / 16.
enum ApicRegister : uint32_t {
    apic_id = 0x020,
    apic_task_priority = 0x080,
    apic_eoi = 0x0B0,
    apic_spurious = 0x0F0,
    apic_error_status = 0x280,
    apic_command_low = 0x300,
    apic_command_high = 0x310,
    apic_timer_vector = 0x320,
    apic_thermal_vector = 0x330,
    apic_counter_vector = 0x340,
    apic_pin0_vector = 0x350,
    apic_pin1_vector = 0x360,
    apic_error_vector = 0x370,
    apic_initial_count = 0x380,
    apic_current_count = 0x390,
    apic_divide = 0x3E0,
};

constexpr uint32_t msr_x2apic = 0x800;
constexpr uint64_t base_enable = 1u << 11;
constexpr uint64_t base_x2apic = 1u << 10;
constexpr uint32_t spurious_enable = 1u << 8;
constexpr uint32_t vector_masked = 1u << 16;
constexpr uint32_t timer_deadline_mode = 2u << 17;
constexpr uint32_t divide_by_1 = 0xB;
constexpr uint32_t delivery_nmi = 4u << 8;
constexpr uint32_t delivery_init = 5u << 8;
constexpr uint32_t delivery_startup = 6u << 8;
constexpr uint32_t delivery_pending = 1u << 12;
constexpr uint32_t level_assert = 1u << 14;
constexpr uint32_t to_all_others = 3u << 18;

constinit bool x2{false};
constinit volatile void* window{nullptr};

uint32_t read(ApicRegister reg)
{
    if (x2)
        return static_cast<uint32_t>(read_msr(static_cast<Msr>(msr_x2apic + (reg >> 4))));
    return x86::read_register<uint32_t>(window, reg);
}

void write(ApicRegister reg, uint32_t value)
{
    if (x2)
        write_msr(static_cast<Msr>(msr_x2apic + (reg >> 4)), value);
    else
        x86::write_register<uint32_t>(window, reg, value);
}

void send(uint32_t target, uint32_t command)
{
    if (x2) {
        // Unlike a write to memory, this MSR does not wait for earlier stores to be seen.
        asm volatile("mfence; lfence" : : : "memory");
        write_msr(static_cast<Msr>(msr_x2apic + (apic_command_low >> 4)), (uint64_t{target} << 32) | command);
        return;
    }
    while ((read(apic_command_low) & delivery_pending) != 0)
        x86::pause();
    write(apic_command_high, target << 24);
    write(apic_command_low, command);
}

}  // namespace

void init_local_apic()
{
    x2 = features().x2apic;
    if (!x2) {
        constexpr uint64_t default_base = 0xFEE0'0000;
        const uint64_t told = acpi().local_apic.raw();
        const HostPhysical base(told != 0 ? told : default_base);
        window = machine::map_device(base, page_size);
    }
}

void enable_local_apic()
{
    uint64_t base = read_msr(Msr::IA32_APIC_BASE) | base_enable;
    // The firmware may have turned x2APIC mode on, which only a reset of the APIC turns off.
    if (!x2 && (base & base_x2apic) != 0) {
        write_msr(Msr::IA32_APIC_BASE, base & ~(base_enable | base_x2apic));
        base &= ~base_x2apic;
    }
    write_msr(Msr::IA32_APIC_BASE, base);
    if (x2)
        write_msr(Msr::IA32_APIC_BASE, base | base_x2apic);
    write(apic_task_priority, 0);
    for (const ApicRegister reg :
         {apic_timer_vector, apic_thermal_vector, apic_counter_vector, apic_pin0_vector, apic_pin1_vector})
        write(reg, vector_masked);
    if (acpi().has_nmi_pin)
        write(acpi().nmi_pin == 0 ? apic_pin0_vector : apic_pin1_vector, delivery_nmi);
    write(apic_error_vector, vector_apic_error);
    write(apic_spurious, spurious_enable | vector_spurious);
    write(apic_error_status, 0);
    write(apic_divide, divide_by_1);
    write(apic_eoi, 0);
}

uint32_t local_apic_id() { return x2 ? read(apic_id) : read(apic_id) >> 24; }
bool local_apic_is_x2() { return x2; }
bool local_apic_reaches(uint32_t id) { return x2 || id < 0xFF; }

void end_of_interrupt() { write(apic_eoi, 0); }

void send_interrupt(uint32_t id, uint8_t vector) { send(id, vector | level_assert); }
void send_nmi_to_others() { send(0, delivery_nmi | level_assert | to_all_others); }
void send_init(uint32_t id) { send(id, delivery_init | level_assert); }
void send_startup(uint32_t id, uint8_t page) { send(id, delivery_startup | level_assert | page); }

void set_timer_hardware(bool deadline_mode)
{
    write(apic_timer_vector, vector_timer | (deadline_mode ? timer_deadline_mode : 0));
    // Source: "TSC-Deadline Mode": orders the write of a memory-mapped mode before the MSR's.
    asm volatile("mfence" : : : "memory");
}

void write_timer_count(uint32_t count) { write(apic_initial_count, count); }
uint32_t read_timer_count() { return read(apic_current_count); }
void write_timer_deadline(uint64_t tsc) { write_msr(Msr::IA32_TSC_DEADLINE, tsc); }

}  // namespace bulkhead
