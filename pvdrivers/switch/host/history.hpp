// SPDX-License-Identifier: BSD-2-Clause
// The last five minutes of traffic and CPU time, in memory of a fixed size, and the rates of now: what
// counters have grown by between the last two samples.
#pragma once

#include "pvdrivers/switch/figures.hpp"
#include "pvdrivers/switch/host/box.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::net {

class History {
public:
    static constexpr size_t length = 100;
    static constexpr uint32_t interval_s = 3;
    // Those beyond have no rates.
    static constexpr size_t most_partitions = 64;
    static constexpr size_t most_ports = 96;
    static constexpr size_t most_cpus = 64;

    struct Sample {
        uint64_t delivered = 0;     // bits a second, to all ports of all networks
        uint64_t uplink = 0;        // of them through uplinks, in both directions
        uint16_t busy = 0;          // thousandths of all CPUs
    };
    struct Rate {
        uint64_t in = 0;            // bits a second
        uint64_t out = 0;
    };

    // Every interval_s.
    void sample(const Figures& figures, const Box& box, uint64_t now_ns);

    [[nodiscard]] size_t size() const { return size_; }
    // 0 is the oldest.
    [[nodiscard]] const Sample& at(size_t index) const { return samples_[(next_ + length - size_ + index) % length]; }
    [[nodiscard]] Sample latest() const { return size_ == 0 ? Sample{} : at(size_ - 1); }
    // Thousandths of one CPU.
    [[nodiscard]] uint32_t share(size_t partition) const { return partition < most_partitions ? partitions_[partition].now : 0; }
    [[nodiscard]] uint32_t busy(size_t cpu) const { return cpu < most_cpus ? cpus_[cpu].now : 0; }
    [[nodiscard]] Rate rate(size_t port) const { return port < most_ports ? ports_[port].now : Rate{}; }

private:
    struct Share {
        uint64_t before = 0;        // nanoseconds
        uint32_t now = 0;
    };
    struct PortRate {
        uint64_t in = 0;            // bytes before
        uint64_t out = 0;
        Rate now;
    };
    uint16_t sample_cpus(const Box& box, uint64_t elapsed_ns);
    void sample_partitions(const Box& box, uint64_t elapsed_ns);
    void sample_ports(const Figures& figures, uint64_t elapsed_ns, Sample& sample);

    std::array<Sample, length> samples_{};
    std::array<Share, most_partitions> partitions_{};
    std::array<Share, most_cpus> cpus_{};
    std::array<PortRate, most_ports> ports_{};
    size_t size_ = 0;
    size_t next_ = 0;
    uint64_t last_ns_ = 0;
    bool started_ = false;
};

}  // namespace bulkhead::net
