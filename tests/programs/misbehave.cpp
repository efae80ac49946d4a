// SPDX-License-Identifier: BSD-2-Clause
// Does what its config node says under `crash`, one mistake a life, so that a system test can see how
// each is reported. An optimiser must not see through any of them.
#include <bulkhead/console.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>
#include <bulkhead/vcpus.hpp>

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace {

using namespace bulkhead;

volatile uint64_t zero;
volatile uint64_t ten = 10;
const int constants[] = {1, 2, 3};

[[gnu::noinline]] uint64_t deeper(uint64_t depth)
{
    volatile char room[1024];
    room[depth % sizeof(room)] = 1;
    return depth == zero + 1'000'000 ? depth : deeper(depth + 1) + static_cast<uint64_t>(room[0]);
}

template <class Function>
Function as_function(const volatile void* address)
{
    return reinterpret_cast<Function>(reinterpret_cast<uint64_t>(address) + zero);
}

void misbehave(std::string_view how)
{
    if (how == "null")
        *as_function<volatile int*>(nullptr) = 1;
    if (how == "null-read")
        (void)*as_function<volatile int*>(reinterpret_cast<void*>(8));
    if (how == "stack")
        print("%lu\n", deeper(0));
    if (how == "heap")
        for (std::vector<std::unique_ptr<char[]>> blocks;;)
            blocks.push_back(std::make_unique<char[]>(10'000));
    if (how == "code")
        *as_function<volatile char*>(reinterpret_cast<void*>(&deeper)) = 1;
    if (how == "constant")
        *as_function<volatile int*>(&constants[ten - 10]) = 2;
    if (how == "execute-data") {
        static char data[16];
        data[0] = static_cast<char>(0xc3);
        as_function<void (*)()>(data)();
    }
    if (how == "divide")
        print("%lu\n", ten / zero);
    if (how == "invalid")
        __builtin_trap();
    if (how == "abort")
        abort();
    if (how == "assert")
        assert(zero == 1);
    if (how == "vector")
        print("%d\n", std::vector<int>(3).at(zero + 3));
    if (how == "return")
        return;
    if (how == "last-words") {
        on_crash([] { print("these are the last words\n"); });
        crash("it is enough: %d", 42);
    }
    if (how == "vcpu") {
        (void)start_vcpu(VcpuNumber{1}, [](void*) { print("%lu\n", ten / zero); }, nullptr);
        sleep_for(std::chrono::seconds(100));
    }
    if (how == "spin")
        for (;;)
            zero = 0;
}

}  // namespace

int main()
{
    const std::string_view how = config().text("crash").value_or("return");
    print("about to misbehave: %.*s\n", static_cast<int>(how.size()), how.data());
    misbehave(how);
    return 3;
}
