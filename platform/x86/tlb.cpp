// SPDX-License-Identifier: BSD-2-Clause
// TLB flushes on other CPUs. Each CPU has one request of its own and a word with one bit for every
// CPU whose request waits for it. Nobody waits with interrupts off and deaf: whoever waits for
// anything answers others from relax().
#include "machine/tlb.hpp"

#include "core/cpu.hpp"
#include "core/panic.hpp"
#include "machine/clock.hpp"
#include "machine/relax.hpp"
#include "platform/x86/flush_requests.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/vectors.hpp"

#include <bit>

namespace bulkhead {

namespace machine {
constinit std::atomic<uint64_t> flush_clock_value{1};
}

namespace {

uint64_t bit_of(const Cpu& cpu) { return uint64_t{1} << cpu.number.raw(); }

void flush(uint64_t address)
{
    if (address == machine::flush_everything)
        machine::flush_local();
    else
        machine::flush_page_local(GuestVirtual(address));
}

// One bit of a set after the other.
template <class Function>
void for_each_cpu(uint64_t bits, Function function)
{
    for (; bits != 0; bits &= bits - 1)
        function(cpu_by_number(CpuNumber(static_cast<uint16_t>(std::countr_zero(bits)))));
}

void wait_for_others(const Cpu& self)
{
    // Emulators on busy machines may not run a CPU for seconds.
    constexpr uint64_t longest = 30'000'000'000;
    const uint64_t start = machine::read_tsc().raw();
    const uint64_t patience = machine::to_ticks(Nanoseconds(longest)) - machine::to_ticks(Nanoseconds(0));
    // Acquire pairs with the release of the CPUs that have flushed.
    while (self.machine.flush_request.waiting_for.load(std::memory_order_acquire) != 0) {
        machine::relax();
        if (machine::read_tsc().raw() - start > patience)
            panic("CPUs %#lx do not answer a request to flush their TLB",
                  self.machine.flush_request.waiting_for.load(std::memory_order_relaxed));
    }
}

void request(uint64_t cpus, uint64_t address)
{
    Cpu& self = this_cpu();
    const uint64_t others = cpus & ~bit_of(self);
    if (others != 0) {
        self.machine.flush_request.address = address;
        self.machine.flush_request.waiting_for.store(others, std::memory_order_relaxed);
        for_each_cpu(others, [&self](Cpu& other) {
            // Release publishes the request; the order against the page tables' change is total.
            other.machine.flush_from.fetch_or(bit_of(self), std::memory_order_seq_cst);
            send_interrupt(other.machine.apic_id, vector_flush);
        });
    }
    if ((cpus & bit_of(self)) != 0)
        flush(address);
    if (others != 0)
        wait_for_others(self);
}

}  // namespace

void answer_flush_requests()
{
    Cpu& self = this_cpu();
    const uint64_t from = self.machine.flush_from.exchange(0, std::memory_order_seq_cst);
    for_each_cpu(from, [&self](Cpu& other) {
        flush(other.machine.flush_request.address);
        // Release: the flush is done before the other CPU goes on.
        other.machine.flush_request.waiting_for.fetch_and(~bit_of(self), std::memory_order_release);
    });
}

namespace machine {

void flush_cpus(CpuSet cpus) { request(cpus.bits, flush_everything); }
void flush_page_cpus(CpuSet cpus, GuestVirtual address) { request(cpus.bits, address.raw()); }

void relax()
{
    if (this_cpu().machine.flush_from.load(std::memory_order_relaxed) != 0) [[unlikely]]
        answer_flush_requests();
    x86::pause();
}

}  // namespace machine

}  // namespace bulkhead
