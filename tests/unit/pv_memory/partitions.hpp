// SPDX-License-Identifier: BSD-2-Clause
// Two small partitions on real page tables in the arena, two vCPUs each on CPUs 0 and 1, and helpers
// that speak as a guest would. Every test ends with a check of the invariants of both.
#pragma once

#include "core/frames.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/pv/free_frames.hpp"
#include "core/pv/invariants.hpp"
#include "core/pv/page_table.hpp"
#include "fake_core.hpp"
#include "machine/core_space.hpp"
#include "machine/frame_tables.hpp"
#include "machine/switch.hpp"
#include "machine/tlb.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>
#include <vector>

namespace bulkhead::machine {

inline std::vector<const Vcpu*> ldts_loaded;
inline void load_ldt(Vcpu& vcpu) { ldts_loaded.push_back(&vcpu); }

}  // namespace bulkhead::machine

namespace bulkhead::fake {

// What a broken rule leads to; the unit tests let the test fail instead (harness.hpp).
inline void (*on_broken)(const char* text) = [](const char* text) {
    std::fprintf(stderr, "%s\n", text);
    std::abort();
};
inline void require(bool holds, const char* text)
{
    if (!holds)
        on_broken(text);
}

inline constexpr uint64_t frames_each = 700;
inline constexpr uint64_t given_each = 640;     // the rest is on the free list
inline constexpr uint64_t rw = pte::present | pte::writable | pte::user | pte::accessed | pte::dirty;
inline constexpr uint64_t ro = rw & ~pte::writable;

struct TwoPartitions {
    plan::Partition plans[2]{};
    alignas(Partition) unsigned char storage[2 * sizeof(Partition)];
    Partition* partitions;
    Vcpu vcpus[2][2]{};
    // References that the test holds itself.
    std::map<uint64_t, FrameRecount> held;
    std::vector<FrameRecount> recount{machine::frame_limit};

    TwoPartitions()
    {
        reset_core();
        reset_frame_tables();
        reset_core_space();
        flushes.clear();
        loaded_tables.clear();
        on_flush = nullptr;
        clock_of_flushes = 1;
        machine::ldts_loaded.clear();
        for (Cpu& cpu : cpus)
            cpu.flush_stamp = 0;
        partitions = reinterpret_cast<Partition*>(storage);
        for (unsigned i = 0; i < 2; ++i)
            make(i);
        fake::partitions = std::span(partitions, 2);
        for (unsigned i = 0; i < 2; ++i) {
            init_frames(partitions[i]);
            init_shared_frame(partitions[i].shared_frame, partitions[i].id);
            give_frames(partitions[i]);
        }
    }
    ~TwoPartitions()
    {
        for (unsigned i = 0; i < 2; ++i)
            partitions[i].~Partition();
        fake::partitions = {};
    }

    void make(unsigned i)
    {
        plans[i].memory_frames = given_each;
        plans[i].max_frames = frames_each;
        Partition& partition = *new (&partitions[i]) Partition{};
        partition.id = DomainId(static_cast<uint16_t>(i + 1));
        partition.plan = &plans[i];
        partition.vcpus = std::span(vcpus[i], 2);
        partition.memory.ranges[0] = {new_frame(frames_each / 2), frames_each / 2};
        (void)new_frame(3);
        partition.memory.ranges[1] = {new_frame(frames_each / 2), frames_each / 2};
        partition.memory.range_count = 2;
        partition.memory.max_frames = frames_each;
        partition.memory.running_on = 3;
        partition.shared_frame = new_frame();
        partition.shared = machine::frame_pointer<shared_info_t>(partition.shared_frame);
        for (uint16_t number = 0; number < 2; ++number) {
            Vcpu& vcpu = vcpus[i][number];
            vcpu.partition = &partition;
            vcpu.number = VcpuNumber(number);
            vcpu.cpu = CpuNumber(number);
            vcpu.index = static_cast<uint16_t>(2 * i + number);
            vcpu.pv.kernel_mode = true;
        }
    }
    void give_frames(Partition& partition)
    {
        for (uint64_t pfn = frames_each; pfn-- > given_each;)
            put_on_free_list(partition, initial_frame(partition.memory, Pfn(pfn)));
        for (uint64_t pfn = 0; pfn < given_each; ++pfn) {
            const Mfn number = initial_frame(partition.memory, Pfn(pfn));
            frame_table[number.raw()].state = frame::given;
            m2p[number.raw()] = pfn;
            ++partition.memory.frames;
        }
    }

    Partition& a() { return partitions[0]; }
    Partition& b() { return partitions[1]; }
    Vcpu& a0() { return vcpus[0][0]; }
    Vcpu& a1() { return vcpus[0][1]; }
    Vcpu& b0() { return vcpus[1][0]; }
    // Frame of partition a (or b) by its number at start.
    Mfn fa(uint64_t pfn) { return initial_frame(a().memory, Pfn(pfn)); }
    Mfn fb(uint64_t pfn) { return initial_frame(b().memory, Pfn(pfn)); }

    [[nodiscard]] InvariantReport check(const Partition& partition)
    {
        const auto tell = [](const Partition& owner, ReferenceSink& sink, void* context) {
            for (const auto& [frame, references] : static_cast<TwoPartitions*>(context)->held) {
                if (frame_owner(Mfn(frame)) == owner.id && references.existence != 0)
                    sink.add(Mfn(frame), references, {"the test", 0, 0});
            }
        };
        return check_memory(partition, recount, {tell, nullptr, this});
    }
    void check_all()
    {
        for (unsigned i = 0; i < 2; ++i) {
            const InvariantReport report = check(partitions[i]);
            if (report.broken != nullptr) {
                char text[200];
                std::snprintf(text, sizeof(text), "partition %u, frame %#llx: %s (state %#llx)", i + 1,
                              static_cast<unsigned long long>(report.frame.raw()), report.broken,
                              static_cast<unsigned long long>(frame_table[report.frame.raw()].state.load()));
                on_broken(text);
            }
        }
    }
};

inline uint64_t* words(Mfn frame) { return machine::frame_pointer<uint64_t>(frame); }
inline uint64_t state_of(Mfn frame) { return frame_table[frame.raw()].state.load(); }
inline uint64_t typed(Mfn frame) { return frame::typed_count(state_of(frame)); }
inline uint64_t existing(Mfn frame) { return frame::count(state_of(frame)); }

// Virtual address by its indices, canonical.
constexpr uint64_t at(uint64_t i4, uint64_t i3, uint64_t i2, uint64_t i1)
{
    const uint64_t address = i4 << 39 | i3 << 30 | i2 << 21 | i1 << 12;
    return (i4 & 256) != 0 ? address | 0xFFFF'0000'0000'0000 : address;
}

// One L4, L3, L2 and L1 at frames 0 to 3 of partition a, reachable at slot 0 of each; the L1's entries
// 0 to 15 map frames 16 to 31 writable, and entries 32 to 35 map the tables read-only. Written as the
// guest would before pinning.
inline void write_small_tree(TwoPartitions& two, uint64_t base = 0)
{
    words(two.fa(base))[0] = pte::make(two.fa(base + 1), rw);
    words(two.fa(base + 1))[0] = pte::make(two.fa(base + 2), rw);
    words(two.fa(base + 2))[0] = pte::make(two.fa(base + 3), rw);
    uint64_t* l1 = words(two.fa(base + 3));
    for (uint64_t i = 0; i < 16; ++i)
        l1[i] = pte::make(two.fa(16 + i), rw);
    for (uint64_t i = 0; i < 4; ++i)
        l1[32 + i] = pte::make(two.fa(base + i), ro);
}

inline long call(HypercallHandler handler, Vcpu& vcpu, uint64_t one = 0, uint64_t two = 0, uint64_t three = 0,
                 uint64_t four = 0)
{
    HypercallArguments arguments{{one, two, three, four, 0, 0}};
    current_cpu = vcpu.cpu.raw();
    long result = handler(vcpu, arguments);
    for (unsigned i = 0; result == hypercall_continue; ++i) {
        require(i < 100000, "a hypercall goes on for ever");
        result = handler(vcpu, arguments);
    }
    return result;
}

// One mmuext operation; its result.
inline long mmuext(Vcpu& vcpu, unsigned command, uint64_t one = 0, uint64_t two = 0, uint32_t domain = DOMID_SELF)
{
    constexpr uint64_t place = 0x7000'0000'0000;
    mmuext_op_t operation{};
    operation.cmd = command;
    operation.arg1.mfn = one;
    operation.arg2.src_mfn = two;
    map_guest(place, operation);
    const long result = call(do_mmuext_op, vcpu, place, 1, 0, domain);
    unmap_guest(GuestVirtual(place));
    return result;
}

inline long update_table(Vcpu& vcpu, uint64_t pointer, uint64_t value, uint32_t domains = DOMID_SELF)
{
    constexpr uint64_t place = 0x7000'0000'0000;
    mmu_update_t request{pointer, value};
    map_guest(place, request);
    const long result = call(do_mmu_update, vcpu, place, 1, 0, domains);
    unmap_guest(GuestVirtual(place));
    return result;
}

inline uint64_t entry_address(Mfn table, uint64_t index, uint64_t command = 0)
{
    return address_of(table).raw() + index * 8 + command;
}

// Pins the small tree and runs on it.
inline void run_on_small_tree(TwoPartitions& two)
{
    write_small_tree(two);
    require(mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()) == 0, "the small tree is refused");
    for (Vcpu* vcpu : {&two.a0(), &two.a1()}) {
        WorkBudget budget;
        require(acquire_table(*vcpu, two.fa(0), FrameType::l4, budget).has_value(), "no reference to the small tree");
        vcpu->pv.kernel_table = two.fa(0);
    }
}

}  // namespace bulkhead::fake
