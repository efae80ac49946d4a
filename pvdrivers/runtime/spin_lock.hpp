// SPDX-License-Identifier: BSD-2-Clause
// A lock between vCPUs. A vCPU that waits yields its CPU, because the holder may be waiting for it.
#pragma once

#include "pvdrivers/abi/hypercall.hpp"

#include <atomic>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

class SpinLock {
public:
    void lock()
    {
        while (!try_lock())
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield);
    }
    [[nodiscard]] bool try_lock() { return !held_.exchange(true, std::memory_order_acquire); }
    void unlock() { held_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> held_ = false;
};

class [[nodiscard]] Locked {
public:
    explicit Locked(SpinLock& lock) : lock_(lock) { lock_.lock(); }
    ~Locked() { lock_.unlock(); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

private:
    SpinLock& lock_;
};

}  // namespace bulkhead
