// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/history.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

// How much it has grown, and remembers it. A counter that went back began anew.
uint64_t growth(uint64_t& before, uint64_t now)
{
    const uint64_t grown = now >= before ? now - before : 0;
    before = now;
    return grown;
}

// Thousandths; more than `most` comes from reading two clocks one after the other.
uint32_t thousandths(uint64_t part_ns, uint64_t whole_ns, uint32_t most)
{
    return static_cast<uint32_t>(std::min<uint64_t>(part_ns * 1000 / whole_ns, most));
}

uint64_t bits_per_second(uint64_t bytes, uint64_t elapsed_ns)
{
    return bytes * 8000 / std::max<uint64_t>(elapsed_ns / 1'000'000, 1);
}

}  // namespace

void History::sample(const Figures& figures, const Box& box, uint64_t now_ns)
{
    const uint64_t elapsed_ns = std::max<uint64_t>(growth(last_ns_, now_ns), 1);
    Sample sample;
    sample.busy = sample_cpus(box, elapsed_ns);
    sample_partitions(box, elapsed_ns);
    sample_ports(figures, elapsed_ns, sample);
    if (!started_) {
        // Only where the counters stand: there is no rate yet.
        started_ = true;
        for (Share& cpu : cpus_)
            cpu.now = 0;
        for (Share& partition : partitions_)
            partition.now = 0;
        for (PortRate& port : ports_)
            port.now = {};
        return;
    }
    samples_[next_] = sample;
    next_ = (next_ + 1) % length;
    size_ = std::min(size_ + 1, length);
}

uint16_t History::sample_cpus(const Box& box, uint64_t elapsed_ns)
{
    uint32_t sum = 0;
    uint32_t count = 0;
    CpuFigures figures;
    for (; count < most_cpus && box.cpu(count, figures); ++count) {
        Share& cpu = cpus_[count];
        cpu.now = thousandths(growth(cpu.before, figures.used_ns), elapsed_ns, 1000);
        sum += cpu.now;
    }
    return static_cast<uint16_t>(count == 0 ? 0 : sum / count);
}

void History::sample_partitions(const Box& box, uint64_t elapsed_ns)
{
    PartitionFigures figures;
    for (uint32_t i = 0; i < most_partitions && box.partition(i, figures); ++i) {
        Share& share = partitions_[i];
        share.now = thousandths(growth(share.before, figures.cpu_ns), elapsed_ns, figures.vcpus * 1000);
    }
}

void History::sample_ports(const Figures& figures, uint64_t elapsed_ns, Sample& sample)
{
    for (size_t i = 0; i < std::min(most_ports, figures.ports()); ++i) {
        const PortFigures port = figures.port(i);
        PortRate& rate = ports_[i];
        rate.now.in = bits_per_second(growth(rate.in, port.in.bytes), elapsed_ns);
        rate.now.out = bits_per_second(growth(rate.out, port.out.bytes), elapsed_ns);
        sample.delivered += rate.now.out;
        if (port.kind == PortKind::uplink)
            sample.uplink += rate.now.in + rate.now.out;
    }
}

}  // namespace bulkhead::net
