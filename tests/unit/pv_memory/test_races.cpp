// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs at once, as threads: two vCPUs that validate, release and change the same tables, and
// the core's users of frames, which take no lock. In the end all counts are right; while somebody
// holds a writable reference the frame is nothing else.
#include "core/pv/page_table.hpp"

#include "harness.hpp"
#include "units.hpp"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::fake;

TEST_GROUP(Races)
{
    TwoPartitions two;
    std::atomic<bool> wrong{false};
    static constexpr unsigned rounds = 20'000;

    void setup() override
    {
        run_on_small_tree(two);
        one_thread = false;
    }
    void teardown() override
    {
        one_thread = true;
        two.check_all();
    }

    // A vCPU without guest memory, which the fake cannot share between threads.
    void pin_and_unpin(Vcpu& vcpu, uint64_t seed)
    {
        current_cpu = vcpu.cpu.raw();
        std::mt19937_64 generator(seed);
        for (unsigned i = 0; i < rounds; ++i) {
            const Mfn table = two.fa(50 + generator() % 6);
            WorkBudget budget(static_cast<int32_t>(generator() % 300));
            const LockGuard guard(two.a().memory.lock);
            if (!finish_walk(two.a(), budget) || !acquire_table(vcpu, table, FrameType::l1, budget).has_value())
                continue;
            WorkBudget less(static_cast<int32_t>(generator() % 100));
            release_table(two.a(), table, FrameType::l1, less);
        }
    }
    void map_and_unmap(Vcpu& vcpu, uint64_t seed)
    {
        current_cpu = vcpu.cpu.raw();
        std::mt19937_64 generator(seed);
        for (unsigned i = 0; i < rounds; ++i) {
            const uint64_t bits = generator() % 2 == 0 ? rw : ro;
            const uint64_t value = generator() % 3 == 0 ? 0 : pte::make(two.fa(50 + generator() % 6), bits);
            HypercallArguments arguments{{at(0, 0, 0, generator() % 8), value, UVMF_NONE, 0, 0, 0}};
            (void)do_update_va_mapping(vcpu, arguments);
        }
    }
    void use_frames(uint64_t seed)
    {
        current_cpu = 2;
        std::mt19937_64 generator(seed);
        for (unsigned i = 0; i < 2 * rounds; ++i) {
            const Mfn frame = two.fa(50 + generator() % 6);
            if (generator() % 2 == 0) {
                if (get_frame(frame, two.a().id).has_value())
                    put_frame(frame);
                continue;
            }
            if (!get_writable_frame(frame, two.a().id).has_value())
                continue;
            const uint64_t state = state_of(frame);
            if (frame::type_of(state) != FrameType::writable || frame::typed_count(state) == 0)
                wrong = true;
            put_writable_frame(frame);
        }
    }
    void finish()
    {
        WorkBudget enough(1'000'000);
        for (Vcpu* vcpu : {&two.a0(), &two.a1()}) {
            const LockGuard guard(two.a().memory.lock);
            while (!finish_walk(two.a(), enough)) {
            }
            // Another table drops what is parked.
            (void)acquire_table(*vcpu, two.fb(0), FrameType::l1, enough);
        }
        CHECK_FALSE(wrong);
    }
};

TEST(Races, TablesAndWritersOfTheSameFramesExcludeEachOther)
{
    std::vector<std::thread> threads;
    threads.emplace_back([&] { pin_and_unpin(two.a0(), 1); });
    threads.emplace_back([&] { pin_and_unpin(two.a1(), 2); });
    threads.emplace_back([&] { use_frames(3); });
    threads.emplace_back([&] { use_frames(4); });
    for (std::thread& thread : threads)
        thread.join();
    finish();
    for (uint64_t pfn = 50; pfn < 56; ++pfn)
        LONGS_EQUAL(0, existing(two.fa(pfn)));
}

TEST(Races, MappingsChangeWhileTheirFramesAreTakenForTables)
{
    std::vector<std::thread> threads;
    threads.emplace_back([&] { map_and_unmap(two.a0(), 5); });
    threads.emplace_back([&] { pin_and_unpin(two.a1(), 6); });
    threads.emplace_back([&] { use_frames(7); });
    for (std::thread& thread : threads)
        thread.join();
    finish();
}
