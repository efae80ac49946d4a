// SPDX-License-Identifier: BSD-2-Clause
// newlib's locks: recursive ones, between vCPUs. The standard streams' and the heap's are the few
// that exist before main().
#include "pvdrivers/runtime/vcpu_local.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"

#include <new>

#include <sys/lock.h>

struct __lock {
    bulkhead::SpinLock lock;
    std::atomic<const bulkhead::VcpuLocal*> owner = nullptr;
    unsigned depth = 0;
};

extern "C" {
__lock __lock___sinit_recursive_mutex;
__lock __lock___sfp_recursive_mutex;
__lock __lock___atexit_recursive_mutex;
__lock __lock___at_quick_exit_mutex;
__lock __lock___malloc_recursive_mutex;
__lock __lock___env_recursive_mutex;
__lock __lock___tz_mutex;
__lock __lock___dd_hash_mutex;
__lock __lock___arc4random_mutex;
}

void __retarget_lock_init_recursive(_LOCK_T* lock) { *lock = new (std::nothrow) __lock; }
void __retarget_lock_close_recursive(_LOCK_T lock) { delete lock; }

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (lock == nullptr)
        return;
    const bulkhead::VcpuLocal* self = &bulkhead::this_vcpu();
    if (lock->owner.load(std::memory_order_relaxed) != self) {
        lock->lock.lock();
        lock->owner.store(self, std::memory_order_relaxed);
    }
    ++lock->depth;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    if (lock == nullptr)
        return 1;
    const bulkhead::VcpuLocal* self = &bulkhead::this_vcpu();
    if (lock->owner.load(std::memory_order_relaxed) != self) {
        if (!lock->lock.try_lock())
            return 0;
        lock->owner.store(self, std::memory_order_relaxed);
    }
    ++lock->depth;
    return 1;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (lock == nullptr || --lock->depth != 0)
        return;
    lock->owner.store(nullptr, std::memory_order_relaxed);
    lock->lock.unlock();
}

void __retarget_lock_init(_LOCK_T* lock) { __retarget_lock_init_recursive(lock); }
void __retarget_lock_close(_LOCK_T lock) { __retarget_lock_close_recursive(lock); }
void __retarget_lock_acquire(_LOCK_T lock) { __retarget_lock_acquire_recursive(lock); }
int __retarget_lock_try_acquire(_LOCK_T lock) { return __retarget_lock_try_acquire_recursive(lock); }
void __retarget_lock_release(_LOCK_T lock) { __retarget_lock_release_recursive(lock); }
