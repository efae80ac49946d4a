// SPDX-License-Identifier: BSD-2-Clause
// Watches the core's ticket locks (core/spinlock.hpp) from outside: how long each is held, and how long a
// CPU waits for one, in instructions of those that held it meanwhile. So neither depends on how the host
// gives its CPUs to those of the box. But whether a CPU waits at all does: QEMU runs the box's CPUs in turn,
// and seldom ends a turn while a lock is held. So the longest hold of a lock that several CPUs take is told,
// too: that long another one might have waited, had it come just behind. Locks that are only tried
// (Spinlock::try_lock) make nobody wait, and are not seen. A lock is recognised by its code: an atomic addition that takes the
// ticket and, right behind it, a load of the word beside it; it is released by a store there.
#pragma once

#include "tests/bench/plugin/qemu_plugin.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

class LockWatch {
public:
    struct Lock {
        std::atomic<uint64_t> progress;   // executed by those that held it
        const void* taken_last;           // the CPU
        bool shared;                      // by more than one CPU
        uint64_t longest, longest_by;     // hold
    };
    struct Held {
        uint64_t address;            // of the lock
        uint64_t taken_by;           // address of the code that took the ticket
        uint64_t ticket_at;          // what the CPU had executed then,
        uint64_t held_from;          // and when it stopped waiting
        const Lock* lock;
        uint64_t others_before;      // what others had executed while they held it, up to the ticket
        uint64_t others_since;       // and up to the last look, at which the CPU waited or held it
    };
    struct Cpu {
        uint64_t executed;           // in the core, without turns of waiting
        uint64_t candidate, candidate_code;
        unsigned candidate_loads;    // that may still show that it is one
        std::vector<Held> held;
    };
    struct Result {
        uint64_t hold, wait, taken_by;
        uint64_t shared, shared_taken_by;    // the longest hold of a lock that several CPUs take
    };

    // The word that waits are for.
    static uint64_t serving(const Held& held) { return held.address + serving_offset; }

    // The ticket of what may be a lock.
    void add(Cpu& cpu, uint64_t address, uint64_t code)
    {
        cpu.candidate = address;
        cpu.candidate_code = code;
        cpu.candidate_loads = 3;
    }

    // A load behind it.
    void load(Cpu& cpu, uint64_t address)
    {
        if (cpu.candidate_loads == 0)
            return;
        --cpu.candidate_loads;
        if (address != cpu.candidate + serving_offset)
            return;
        const std::lock_guard guard(mutex_);
        Lock& lock = locks_[cpu.candidate];
        lock.shared |= lock.taken_last != nullptr && lock.taken_last != &cpu;
        lock.taken_last = &cpu;
        cpu.held.push_back({cpu.candidate, cpu.candidate_code, cpu.executed, cpu.executed, &lock,
                            lock.progress, lock.progress});
        cpu.candidate_loads = 0;
    }

    // The CPU goes on, and has released nothing since the last look. When it is told of a store, others may have
    // had the lock meanwhile.
    static void look(Cpu& cpu)
    {
        for (Held& held : cpu.held)
            held.others_since = held.lock->progress;
    }

    // One turn of waiting: for the lock whose ticket was taken last, if nothing else was done since.
    static void waits(Cpu& cpu)
    {
        if (!cpu.held.empty() && cpu.executed - cpu.held.back().held_from <= executed_in_a_turn)
            cpu.held.back().held_from = cpu.executed;
    }

    // A store: whether it releases a lock, and what that cost.
    bool store(Cpu& cpu, uint64_t address, Result& result)
    {
        const auto found = std::find_if(cpu.held.begin(), cpu.held.end(),
                                        [&](const Held& held) { return held.address + serving_offset == address; });
        if (found == cpu.held.end())
            return false;
        const std::lock_guard guard(mutex_);
        Lock& lock = locks_[found->address];
        const uint64_t own = cpu.executed - found->held_from;
        const uint64_t wait = found->held_from != found->ticket_at ? found->others_since - found->others_before : 0;
        lock.progress += own;
        if (own > lock.longest) {
            lock.longest = own;
            lock.longest_by = found->taken_by;
        }
        result = {own, wait, found->taken_by, lock.shared ? lock.longest : 0, lock.longest_by};
        cpu.held.erase(found);
        return true;
    }

    // The box starts again: its locks are others.
    void forget()
    {
        const std::lock_guard guard(mutex_);
        for (auto& [address, lock] : locks_) {
            lock.shared = false;
            lock.taken_last = nullptr;
            lock.longest = 0;
        }
    }

private:
    static constexpr uint64_t serving_offset = 4;
    // At most, between two turns of waiting for a lock: a look, and an answer to another CPU's request.
    static constexpr uint64_t executed_in_a_turn = 200;
    std::mutex mutex_;
    std::map<uint64_t, Lock> locks_;
};

// LOCK XADD of 32 bits: with an optional REX prefix that does not widen it.
inline bool takes_ticket(const uint8_t* code, size_t bytes)
{
    if (bytes < 4 || code[0] != 0xF0)
        return false;
    const uint8_t* opcode = code + 1;
    if ((*opcode & 0xF8) == 0x40)
        ++opcode;
    return opcode[0] == 0x0F && opcode[1] == 0xC1;
}
