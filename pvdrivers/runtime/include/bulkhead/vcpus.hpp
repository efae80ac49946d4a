// SPDX-License-Identifier: BSD-2-Clause
// The partition's vCPUs. main() runs on vCPU 0; the others do nothing until they are started. Every
// vCPU has its own stack, timers and handlers; the heap and the console are shared.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>

#include <cstdint>

namespace bulkhead {

inline constexpr uint32_t most_vcpus = 32;

[[nodiscard]] uint32_t vcpu_count();
[[nodiscard]] VcpuNumber current_vcpu();

// Runs the function on that vCPU with a stack and event handling of its own. When it returns the vCPU
// goes down, and can be started again. XEN_ENOENT: there is no such vCPU; XEN_EEXIST: it runs;
// XEN_ENOMEM: no memory for its stack; XEN_ENOSYS: in a hardware partition only vCPU 0 runs.
Result<> start_vcpu(VcpuNumber vcpu, void (*function)(void* context), void* context);
[[nodiscard]] bool is_running(VcpuNumber vcpu);

}  // namespace bulkhead
