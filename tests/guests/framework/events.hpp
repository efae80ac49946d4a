// SPDX-License-Identifier: BSD-2-Clause
// Event channels of a conformance guest, 2-level, vCPU 0.
#pragma once

#include "framework/traps.hpp"

extern "C" {
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
}

// Counts upcalls that found something; takes the vCPU's pending bits, leaves the ports'.
extern volatile unsigned events_seen;
void listen_to_events();         // and unmasks the vCPU

[[nodiscard]] uint32_t bind_ipi(unsigned vcpu);
[[nodiscard]] uint32_t bind_virq(unsigned virq, unsigned vcpu);
long send(uint32_t port);
long close(uint32_t port);
[[nodiscard]] bool is_pending(uint32_t port);
bool take_pending(uint32_t port);
void set_port_mask(uint32_t port, bool masked);

[[nodiscard]] uint64_t system_time(unsigned vcpu = 0);       // ns, from vcpu_time_info
[[nodiscard]] uint64_t system_time_by(const volatile vcpu_time_info_t& time);
