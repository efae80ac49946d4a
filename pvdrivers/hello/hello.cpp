// SPDX-License-Identifier: BSD-2-Clause
// The smallest program: says hello, and where it is, once.
#include <bulkhead/console.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/vcpus.hpp>

#include <chrono>

int main()
{
    using namespace bulkhead;
    using std::chrono::milliseconds;
    const std::string_view name = partition_name();
    print("hello from %.*s: %u vCPUs, %zu KiB of memory, %zu KiB of it for the heap\n",
          static_cast<int>(name.size()), name.data(), vcpu_count(), memory_figures().partition / 1024,
          memory_figures().heap_limit / 1024);
    const Time start = Clock::now();
    sleep_for(milliseconds(10));
    print("slept for %ld us\n", static_cast<long>((Clock::now() - start).count() / 1000));
    return 0;
}
