// SPDX-License-Identifier: BSD-2-Clause
// Ticket locks. The core runs with interrupts off, so a CPU that waits must go on answering other
// CPUs' requests (TLB shoot-downs); machine::relax() does that.
//
// Order (a CPU may take a lock only if it holds none of the same or a higher rank):
//   LockRank::lifecycle  start, stop and restart of one partition
//   LockRank::pages      page-table operations of one partition, once a hypercall
//   LockRank::grants     one partition's grant table; two partitions': lower domain id first
//   LockRank::events     one partition's event channels; two partitions': lower domain id first
//   LockRank::assigned   devices of partitions: command registers, interrupts
//   LockRank::console    multiplexer and logs
//   LockRank::device     UART, PCI configuration space, I/O APICs, IOMMUs
#pragma once

#include "machine/relax.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

enum class LockRank : uint8_t { lifecycle, pages, grants, events, assigned, console, device };

class Spinlock {
public:
    constexpr explicit Spinlock(LockRank rank) : rank_(rank) {}
    Spinlock(const Spinlock&) = delete;
    Spinlock& operator=(const Spinlock&) = delete;

    void lock()
    {
        const uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
        // Acquire pairs with the release in unlock().
        while (serving_.load(std::memory_order_acquire) != ticket) [[unlikely]]
            machine::relax();
    }
    [[nodiscard]] bool try_lock()
    {
        uint32_t ticket = serving_.load(std::memory_order_relaxed);
        return next_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acquire);
    }
    // Only the holder writes serving_.
    void unlock()
    {
        serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    [[nodiscard]] bool is_locked() const
    {
        return serving_.load(std::memory_order_relaxed) != next_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] LockRank rank() const { return rank_; }

private:
    std::atomic<uint32_t> next_{0};
    std::atomic<uint32_t> serving_{0};
    LockRank rank_;
};

class [[nodiscard]] LockGuard {
public:
    explicit LockGuard(Spinlock& lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    Spinlock& lock_;
};

}  // namespace bulkhead
