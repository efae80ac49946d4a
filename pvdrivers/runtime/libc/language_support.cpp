// SPDX-License-Identifier: BSD-2-Clause
// What the compiler and libstdc++'s headers call, without exceptions: memory that cannot be had ends
// the program with a sentence.
#include "pvdrivers/runtime/memory.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"

#include <bulkhead/traps.hpp>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <new>

const std::nothrow_t std::nothrow{};

void* operator new(size_t bytes)
{
    void* block = malloc(bytes == 0 ? 1 : bytes);
    if (block == nullptr)
        bulkhead::heap_is_exhausted(bytes);
    return block;
}

void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return malloc(bytes == 0 ? 1 : bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return malloc(bytes == 0 ? 1 : bytes); }

void* operator new(size_t bytes, std::align_val_t alignment)
{
    void* block = memalign(static_cast<size_t>(alignment), bytes == 0 ? 1 : bytes);
    if (block == nullptr)
        bulkhead::heap_is_exhausted(bytes);
    return block;
}

void* operator new[](size_t bytes, std::align_val_t alignment) { return operator new(bytes, alignment); }

void operator delete(void* block) noexcept { free(block); }
void operator delete[](void* block) noexcept { free(block); }
void operator delete(void* block, size_t) noexcept { free(block); }
void operator delete[](void* block, size_t) noexcept { free(block); }
void operator delete(void* block, std::align_val_t) noexcept { free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { free(block); }

namespace std {

[[noreturn]] void __throw_length_error(const char* what) { bulkhead::crash("length error: %s", what); }
[[noreturn]] void __throw_logic_error(const char* what) { bulkhead::crash("logic error: %s", what); }
[[noreturn]] void __throw_invalid_argument(const char* what) { bulkhead::crash("invalid argument: %s", what); }
[[noreturn]] void __throw_out_of_range(const char* what) { bulkhead::crash("out of range: %s", what); }
[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, what);
    vsniprintf(text, sizeof(text), what, arguments);
    va_end(arguments);
    bulkhead::crash("out of range: %s", text);
}
[[noreturn]] void __throw_runtime_error(const char* what) { bulkhead::crash("runtime error: %s", what); }
[[noreturn]] void __throw_bad_alloc() { bulkhead::crash("no memory"); }
[[noreturn]] void __throw_bad_array_new_length() { bulkhead::crash("an array of impossible length"); }
[[noreturn]] void __throw_bad_function_call() { bulkhead::crash("a call of an empty std::function"); }
[[noreturn]] void __throw_bad_optional_access() { bulkhead::crash("the value of an empty std::optional"); }
[[noreturn]] void __throw_bad_variant_access(const char* what) { bulkhead::crash("std::variant: %s", what); }
[[noreturn]] void __glibcxx_assert_fail(const char* file, int line, const char*, const char* condition) noexcept
{
    bulkhead::crash("%s:%d: %s", file, line, condition);
}
void terminate() noexcept { bulkhead::crash("std::terminate"); }

}  // namespace std

extern "C" {

void* __dso_handle;

[[noreturn]] void __cxa_pure_virtual() { bulkhead::crash("a call of a pure virtual function"); }

[[noreturn]] void __assert_func(const char* file, int line, const char* function, const char* condition)
{
    bulkhead::crash("%s:%d: %s: assertion failed: %s", file, line, function == nullptr ? "?" : function, condition);
}

// Function-local statics. The first byte of a guard says "done", as the compiler tests it; the second
// "under way". Source: Itanium C++ ABI, "One-time Construction API".
using Guard = long;

int __cxa_guard_acquire(Guard* guard)
{
    auto* bytes = reinterpret_cast<uint8_t*>(guard);
    for (;;) {
        if (std::atomic_ref(bytes[0]).load(std::memory_order_acquire) != 0)
            return 0;
        if (std::atomic_ref(bytes[1]).exchange(1, std::memory_order_acquire) == 0)
            break;
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield);
    }
    if (std::atomic_ref(bytes[0]).load(std::memory_order_acquire) != 0) {
        std::atomic_ref(bytes[1]).store(0, std::memory_order_release);
        return 0;
    }
    return 1;
}

void __cxa_guard_release(Guard* guard)
{
    auto* bytes = reinterpret_cast<uint8_t*>(guard);
    std::atomic_ref(bytes[0]).store(1, std::memory_order_release);
    std::atomic_ref(bytes[1]).store(0, std::memory_order_release);
}

}  // extern "C"
