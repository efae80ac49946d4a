// SPDX-License-Identifier: BSD-2-Clause
// Partitions with vCPUs, made as the core's start makes them, for tests of what works on them. The
// first has domain id 1. Include it after fake_core.hpp and before the .cpp files under test.
#pragma once

#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "fake_core.hpp"

#include <cstdio>
#include <map>
#include <memory>
#include <vector>

namespace bulkhead {

namespace fake {

struct Release {
    Vcpu* vcpu;
    uint32_t reasons;
};
inline std::vector<Release> releases;         // in order

struct World {
    std::vector<plan::Partition> plans;
    std::vector<std::vector<Vcpu>> vcpus;
    std::vector<Partition> partitions;

    explicit World(size_t count, uint16_t vcpus_each = 2)
        : plans(count), vcpus(count), partitions(count)
    {
        releases.clear();
        for (size_t i = 0; i < count; ++i)
            make(i, vcpus_each);
        fake::partitions = partitions;
    }
    ~World() { fake::partitions = {}; }

    Partition& operator[](size_t index) { return partitions[index]; }
    Vcpu& vcpu(size_t partition, size_t number = 0) { return vcpus[partition][number]; }

    // The vCPU is what its CPU runs, and the test goes on as that CPU.
    Vcpu& run(Vcpu& which)
    {
        current_cpu = which.cpu.raw();
        this_cpu().current = &which;
        return which;
    }

private:
    void make(size_t i, uint16_t vcpu_count)
    {
        Partition& partition = partitions[i];
        plan::Partition& plan = plans[i];
        std::snprintf(plan.name.data(), plan.name.size(), "part%zu", i + 1);
        plan.domain = static_cast<uint16_t>(i + 1);
        plan.vcpus = vcpu_count;
        plan.grant_frames = 4;
        plan.max_frames = 64;
        partition.id = DomainId(plan.domain);
        partition.plan = &plan;
        partition.state = PartitionState::running;
        partition.memory.max_frames = plan.max_frames;
        partition.shared_frame = new_frame();
        partition.shared = machine::frame_pointer<shared_info_t>(partition.shared_frame);
        vcpus[i] = std::vector<Vcpu>(vcpu_count);
        partition.vcpus = vcpus[i];
        for (uint16_t n = 0; n < vcpu_count; ++n) {
            Vcpu& vcpu = vcpus[i][n];
            vcpu.partition = &partition;
            vcpu.number = VcpuNumber(n);
            vcpu.cpu = CpuNumber(static_cast<uint16_t>(n % max_cpus));
            vcpu.info = &partition.shared->vcpu_info[n];
        }
    }
};

}  // namespace fake

// Weak, so that a test of the scheduler itself can bring the real ones.
[[gnu::weak]] void hold(Vcpu& vcpu, uint32_t reasons) { vcpu.hold |= reasons; }
[[gnu::weak]] void release(Vcpu& vcpu, uint32_t reasons)
{
    vcpu.hold &= ~reasons;
    fake::releases.push_back({&vcpu, reasons});
}

}  // namespace bulkhead
