// SPDX-License-Identifier: BSD-2-Clause
// What must hold after each operation; compiled without the fuzzer's eyes, which are for the core.
#include "world.hpp"

#include "tests/unit/events/event_invariants.hpp"

#include "core/grants.hpp"
#include "core/shared_memory.hpp"
#include "machine/interrupts.hpp"
#include "machine/registers.hpp"
#include "machine/tlb.hpp"

#include "core/pv/invariants.cpp"

namespace bulkhead::fuzz {

void World::count_references()
{
    two.held.clear();
    const auto note = [this](Mfn frame, bool writable) {
        FrameRecount& record = two.held[frame.raw()];
        ++record.existence;
        record.typed += writable;
    };
    for (size_t which = 0; which < 2; ++which) {
        const Partition& self = partition(which);
        for (uint32_t handle = 0; handle < handles; ++handle) {
            const GrantMapping& mapping = self.grants.mappings[handle];
            require(mapping.state != MappingState::reserved, "a handle is left reserved");
            if (mapping.state == MappingState::mapped)
                note(mapping.frame, (mapping.flags & GNTMAP_readonly) == 0);
        }
        const FifoEvents& fifo = self.events.fifo;
        for (uint32_t page = 0; page < fifo.page_count; ++page)
            note(fifo.pages[page], true);
        for (const Vcpu& each : self.vcpus) {
            if (fifo.in_use && fifo.vcpus[each.number.raw()].block != nullptr)
                note(fifo.vcpus[each.number.raw()].frame, true);
            if (each.info != &self.shared->vcpu_info[each.number.raw()])
                note(frame_of(machine::physical_of(each.info)), true);
        }
    }
}

void World::check_core_frames()
{
    for (const uint32_t ref : {8u, 9u, 10u}) {
        const uint64_t number = shared_frame(partition(1), ref, false).value().raw();
        const FrameRecount& held = two.held[number];
        const uint64_t wanted = frame::shared_state + held.existence * frame::one + held.typed * frame::typed_one;
        const uint64_t counts = ~uint64_t{frame::turning};
        require((fake::state_of(Mfn(number)) & counts) == (wanted & counts), "a shared frame's counts are wrong");
    }
}

void World::check_locks()
{
    for (size_t which = 0; which < 2; ++which) {
        const Partition& self = partition(which);
        const bool held = self.memory.lock.is_locked() || self.grants.lock.is_locked() || self.events.lock.is_locked()
            || self.lifecycle.vcpu_lock.is_locked() || self.lifecycle.watchdog_lock.is_locked()
            || consoles_[which].lock.is_locked() || assigned_lock.is_locked();
        require(!held, "a lock is held");
    }
}

void World::check_vcpus()
{
    for (size_t i = 0; i < vcpu_count; ++i) {
        const PvVcpuState& pv = vcpu(i).pv;
        for (const PvTrap& trap : pv.traps)
            require(layout::is_canonical(trap.address), "a trap's handler is not canonical");
        for (const PvCallback* callback : {&pv.event, &pv.failsafe, &pv.syscall, &pv.syscall32, &pv.sysenter, &pv.nmi})
            require(layout::is_canonical(callback->address), "a callback is not canonical");
        require(pv.iopl <= 3 && (pv.kernel_ss & 3) == (pv.kernel_ss == 0 ? 0 : 3), "IOPL or the kernel's SS");
    }
    require(layout::is_canonical(fake::registers.fs_base) && layout::is_canonical(fake::registers.gs_base)
                && layout::is_canonical(fake::registers.kernel_gs_base), "a segment's base");
    for (unsigned i = 0; i < 4; ++i)
        require(layout::guest_range_ok(fake::registers.debug.address[i], 1), "a breakpoint on the core");
}

void World::check()
{
    count_references();
    two.check_all();
    check_core_frames();
    check_locks();
    check_vcpus();
    const char* broken = broken_event_invariant({two.partitions, 2});
    require(broken == nullptr, broken != nullptr ? broken : "");
    check_pins();
    require(fake::log_lines.size() < 400, "a guest fills the log");
    fake::flushes.clear();
    fake::loaded_tables.clear();
    fake::pokes.clear();
    fake::timers_set.clear();
}

// Every pin of an entry belongs to a mapping, and every announced holder has one.
void World::check_pins()
{
    for (size_t which = 0; which < 2; ++which) {
        const GrantTable& table = partition(which).grants;
        std::map<uint32_t, std::pair<uint32_t, uint32_t>> pins;
        std::array<uint32_t, 2> held{};
        for (size_t mapper = 0; mapper < 2; ++mapper) {
            const GrantTable& theirs = partition(mapper).grants;
            for (uint32_t handle = 0; handle < handles; ++handle) {
                const GrantMapping& mapping = theirs.mappings[handle];
                if (mapping.state != MappingState::mapped || mapping.granter != partition(which).id)
                    continue;
                ++pins[mapping.ref].first;
                pins[mapping.ref].second += (mapping.flags & GNTMAP_readonly) == 0;
                ++held[mapper];
            }
            require(table.held_by[mapper] == held[mapper], "an announced holder holds nothing");
        }
        for (uint32_t ref = 0; ref < table.max_frames * grant_entries_per_frame; ++ref) {
            const auto found = pins.find(ref);
            const auto wanted = found != pins.end() ? found->second : std::pair<uint32_t, uint32_t>{};
            require(table.uses[ref].pins() == wanted.first && table.uses[ref].writers() == wanted.second,
                    "an entry's pins are not its mappings");
        }
    }
}

}  // namespace bulkhead::fuzz
