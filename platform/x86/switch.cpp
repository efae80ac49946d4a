// SPDX-License-Identifier: BSD-2-Clause
// See machine/switch.hpp. Own CPU, interrupts off.
#include "machine/switch.hpp"

#include "machine/clock.hpp"
#include "machine/vcpu_switch.hpp"
#include "platform/x86/instructions.hpp"

namespace bulkhead::machine {

void load_ldt(Vcpu& vcpu) { load_ldt_of(vcpu); }

void save_guest(Vcpu& vcpu) { save_vcpu(vcpu); }

void load_guest(Vcpu& vcpu) { load_vcpu(vcpu, nullptr); }

// Without a frame pointer: a back trace leaves it out.
[[gnu::optimize("omit-frame-pointer")]] void exchange_guests(Vcpu& from, Vcpu& to)
{
    save_vcpu(from);
    load_vcpu(to, &from.pv);
}

void load_idle()
{
    Cpu& cpu = this_cpu();
    load_ldt_register(0);
    (void)load_selectors({});
    x86::write_cr3(cpu.machine.idle_cr3);
}

void halt_until_work()
{
    Cpu& cpu = this_cpu();
    const uint64_t before = read_tsc().raw();
    if (cpu.work.load(std::memory_order_acquire) == 0)
        asm volatile("sti; hlt; cli" : : : "memory");
    cpu.idle_ticks += read_tsc().raw() - before;
}

// STI lets one more instruction pass before the first interrupt.
void take_interrupts()
{
    asm volatile("sti; nop; cli" : : : "memory");
}

void take_machine_check() { asm volatile("int $18" : : : "memory"); }

}  // namespace bulkhead::machine
