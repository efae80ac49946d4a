// SPDX-License-Identifier: BSD-2-Clause
// A box with two partitions for the console's tests: everything around the console is a fake, the
// console itself is the shipped source. Include it after the headers, before the .cpp files.
#pragma once

#include "core/boot_allocator.hpp"
#include "core/console/console.hpp"
#include "core/console/source.hpp"
#include "core/cpu.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/lifecycle.hpp"
#include "core/log.hpp"
#include "core/monitor/monitor.hpp"
#include "core/partition.hpp"
#include "core/trace.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "machine/uart.hpp"

#include <cstring>
#include <string>
#include <vector>

namespace bulkhead {

namespace fake {

inline plan::Partition plans[12];
inline Partition partitions[12];
inline Vcpu vcpus[12];
inline size_t partition_count = 2;
inline std::vector<uint16_t> notified;           // domains, in order
inline std::vector<uint16_t> virqs;              // domains that got VIRQ_CONSOLE
inline std::vector<uint64_t> writable_held;      // frames
inline CorePortHandler handler;
inline bool refuse_frame;
inline bool refuse_port;

inline Mfn ring_frame[12];
inline xencons_interface& ring(size_t i) { return *reinterpret_cast<xencons_interface*>(frame_bytes(ring_frame[i])); }

inline void make_partitions(size_t count, std::vector<std::string> names)
{
    partition_count = count;
    for (size_t i = 0; i < count; ++i) {
        plans[i] = {};
        const std::string name = i < names.size() ? names[i] : "part" + std::to_string(i + 1);
        memcpy(plans[i].name.data(), name.c_str(), name.size() + 1);
        plans[i].console_port = 1;
        partitions[i].id = DomainId(static_cast<uint16_t>(i + 1));
        partitions[i].plan = &plans[i];
        partitions[i].state = PartitionState::running;
        partitions[i].vcpus = {&vcpus[i], 1};
        partitions[i].console = {};
        vcpus[i].partition = &partitions[i];
    }
}

inline void reset_box()
{
    reset_memory();
    reset_uart();
    notified.clear();
    virqs.clear();
    writable_held.clear();
    pokes.clear();
    handler = nullptr;
    refuse_frame = refuse_port = false;
    tsc = 1'000'000'000;
    tsc_step = 0;
    for (size_t i = 0; i < max_cpus; ++i) {
        cpus[i].number = CpuNumber(static_cast<uint16_t>(i));
        cpus[i].work = 0;
    }
}

// CppUTest takes what containers keep for later for a leak.
inline void free_box()
{
    std::string().swap(uart_sent);
    std::string().swap(uart_typed);
    std::vector<uint16_t>().swap(notified);
    std::vector<uint16_t>().swap(virqs);
    std::vector<uint64_t>().swap(writable_held);
    std::vector<CpuNumber>().swap(pokes);
    std::vector<GuestRegion>().swap(guest_regions);
}

}  // namespace fake

inline const char* state_name(PartitionState) { return "crashed"; }
inline uint32_t cpu_count() { return fake::max_cpus; }
inline Cpu& cpu_by_number(CpuNumber number) { return fake::cpus[number.raw()]; }
inline std::span<Partition> all_partitions() { return {fake::partitions, fake::partition_count}; }
inline void* boot_allocate(size_t bytes, size_t) { return fake::frame_bytes(fake::new_frame(frames_for(bytes))); }

inline Result<> get_writable_frame(Mfn frame, DomainId)
{
    if (fake::refuse_frame)
        return fail(XEN_EINVAL);
    fake::writable_held.push_back(frame.raw());
    return {};
}
inline void put_writable_frame(Mfn frame) { std::erase(fake::writable_held, frame.raw()); }
inline Result<Port> bind_core_port(Partition&, Port wanted, CorePortHandler handler)
{
    if (fake::refuse_port)
        return fail(XEN_EBUSY);
    fake::handler = handler;
    return wanted;
}
inline void notify_core_port(Partition& partition, Port) { fake::notified.push_back(partition.id.raw()); }
inline void send_virq(Vcpu& vcpu, unsigned virq)
{
    if (virq == VIRQ_CONSOLE)
        fake::virqs.push_back(vcpu.partition->id.raw());
}

namespace fake {

// The guest's side of a console ring, as stock front ends have it: the text, then the event.
inline size_t guest_write(size_t i, std::string_view text)
{
    xencons_interface& page = ring(i);
    size_t sent = 0;
    while (sent < text.size() && page.out_prod - page.out_cons < sizeof(page.out))
        page.out[page.out_prod++ % sizeof(page.out)] = text[sent++];
    handler(partitions[i], Port(1));
    return sent;
}
inline void guest_write_all(size_t i, std::string_view text)
{
    while (!text.empty())
        text.remove_prefix(guest_write(i, text));
}
inline std::string guest_read(size_t i)
{
    xencons_interface& page = ring(i);
    std::string text;
    while (page.in_cons != page.in_prod)
        text += page.in[page.in_cons++ % sizeof(page.in)];
    handler(partitions[i], Port(1));
    return text;
}

}  // namespace fake

}  // namespace bulkhead
