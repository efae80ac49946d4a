// SPDX-License-Identifier: BSD-2-Clause
// Two partitions of two vCPUs with everything that a hypercall can reach: memory, page tables, event
// channels, grants, shared memory, timers, a device, a console; and what must hold between operations.
// The second partition is a service that may ask questions, decodes instructions for a hardware partition
// and owns the device.
#pragma once

#include "input.hpp"
#include "tests/unit/pv_memory/partitions.hpp"

#include "core/console/source.hpp"
#include "core/devices/devices.hpp"
#include "core/plan.hpp"

#include <array>
#include <memory>
#include <optional>

namespace bulkhead::fuzz {

inline constexpr size_t vcpu_count = 4;
inline constexpr uint64_t pool_frames = 96;          // of each partition, that operations name
inline constexpr uint32_t handles = 32;              // of grants, a partition
inline constexpr uint64_t buffer_bytes = 4 * page_size;

// Where a vCPU's arguments lie, writable and read-only; nothing is mapped between.
constexpr uint64_t buffer_of(size_t vcpu) { return 0x7100'0000'0000 + vcpu * 0x10'0000; }
constexpr uint64_t read_only_buffer_of(size_t vcpu) { return 0x7200'0000'0000 + vcpu * 0x10'0000; }

struct Continuation {
    uint64_t number;
    HypercallArguments arguments;
};

class World {
public:
    explicit World(Input& input);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // One operation of one vCPU, or something that happens meanwhile; then everything is checked.
    void step();
    // Ends both lives: nothing may be held after that.
    void finish();

    Input& input;
    fake::TwoPartitions two;
    std::array<std::array<uint8_t, buffer_bytes>, vcpu_count> buffers{};
    std::array<std::optional<Continuation>, vcpu_count> continuations;
    std::array<bool, 2> ended{};         // shut down or crashed: it waits for its next life

    Partition& partition(size_t which) { return two.partitions[which]; }
    Vcpu& vcpu(size_t index) { return two.vcpus[index / 2][index % 2]; }
    // A frame by its number at start.
    Mfn frame(size_t which, uint64_t pfn) { return initial_frame(partition(which).memory, Pfn(pfn)); }
    void be(Vcpu& vcpu);                 // goes on as its CPU, which runs it
    void decide(size_t cpu);             // the CPU chooses anew: deadlines, turns, budgets
    void end_life(size_t which);
    void begin_life(size_t which);

private:
    struct SharedPlan {
        plan::Header header;
        plan::SharedRegion regions[2];
        plan::SharedMember members[3];
    };

    void make_partition(size_t which);
    void make_shared_memory();
    void make_devices();
    void load_tables(size_t which);
    void start_kernel(size_t which);
    void grant_memory(size_t which, domid_t peer, Vcpu& boot);
    Vcpu* choose_vcpu();
    void go_on(size_t index);
    void call(Vcpu& vcpu);
    void finish_ended();

    // What must hold.
    void check();
    void check_core_frames();
    void check_locks();
    void check_vcpus();
    void check_pins();
    void count_references();

    SharedPlan shared_plan_{};
    bool kernels_start_ = false;         // as real ones do, so that an input need not
    std::array<ConsoleSource, 2> consoles_;
    std::array<std::array<char, 1024>, 2> logs_{};
    Partition client_{};                 // a hardware partition: the second one is its machine service
    std::array<Vcpu, 2> client_vcpus_{};
};

// The outside of the core: what was asked for.
extern World* world;
extern std::array<AssignedDevice, 2> devices;

// A hypercall as the vCPU's kernel makes it, to its end.
long ask(Vcpu& vcpu, uint64_t number, const HypercallArguments& arguments);

// What happens beside hypercalls: between.cpp.
void happen(World& world, Vcpu& vcpu);

}  // namespace bulkhead::fuzz
