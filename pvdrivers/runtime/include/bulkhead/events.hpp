// SPDX-License-Identifier: BSD-2-Clause
// Event channels. A handler never interrupts the program: it runs within dispatch_events(), wait()
// and the sleeps of time.hpp, on the vCPU that its port is bound to. So nothing that only one vCPU
// uses needs a lock, and a program that computes without waiting sees no event.
#pragma once

#include <bulkhead/result.hpp>
#include <bulkhead/time.hpp>

#include <cstddef>
#include <cstdint>

namespace bulkhead {

enum class Domain : uint16_t {};        // a partition's id; 0 is the core's
enum class Port : uint32_t {};          // of this partition
enum class VcpuNumber : uint32_t {};

inline constexpr Domain core_domain{0};
inline constexpr size_t most_ports = 1024;      // the runtime serves ports below this

// Called once for any number of notifications since its last call. It may bind and unbind ports, its
// own too.
struct EventHandler {
    void (*function)(void* context, Port port) = nullptr;
    void* context = nullptr;
};

// All of these bind a new port to the calling vCPU, unmasked, with its handler.
// XEN_ENOSPC: there are no more ports. XEN_EINVAL and others as event_channel.h states.
[[nodiscard]] Result<Port> bind_interdomain(Domain remote, uint32_t remote_port, EventHandler handler);
[[nodiscard]] Result<Port> bind_virq(uint32_t virq, EventHandler handler);
// Sends on it run the handler on that vCPU: the way to wake another vCPU of the partition.
[[nodiscard]] Result<Port> bind_ipi(VcpuNumber vcpu, EventHandler handler);
// A port that `remote` may connect to with bind_interdomain.
[[nodiscard]] Result<Port> allocate_unbound(Domain remote, EventHandler handler);

// Takes over a port that exists already, such as start_info's and those that a slice names.
Result<> adopt_port(Port port, EventHandler handler);
// Closes the port. Its handler does not run any more.
Result<> unbind(Port port);
// The port's handler runs on this vCPU from now on.
Result<> move_port(Port port, VcpuNumber vcpu);

// Notifies the other end.
Result<> notify(Port port);

// A masked port keeps its notifications until it is unmasked. From any vCPU.
void mask(Port port);
void unmask(Port port);
[[nodiscard]] bool is_pending(Port port);
// Forgets a notification that has come. Says whether there was one.
bool take_pending(Port port);

// Runs the handlers of what is pending on the calling vCPU, and of timers that are due. Returns how
// many ran; 0 without waiting.
size_t dispatch_events();
// Blocks the vCPU until at least one handler has run. Returns how many.
size_t wait();
// The same, until that time at the latest. Returns 0 if nothing else came.
size_t wait_until(Time deadline);

}  // namespace bulkhead
