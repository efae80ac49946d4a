// SPDX-License-Identifier: BSD-2-Clause
#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/bulkhead_op.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

// Of their own: test_questions.cpp.
long bulkhead::answer_question(const Partition&, uint32_t, GuestVirtual) { return negative(XEN_ENOSYS); }

// Of their own: hvm/test_page_access.cpp.
long bulkhead::machine_page(const Partition&, GuestVirtual) { return negative(XEN_EPERM); }
long bulkhead::machine_turn(Vcpu&, uint32_t, uint64_t) { return negative(XEN_EPERM); }

TEST_GROUP(BulkheadOp)
{
    static constexpr uint64_t answer_at = 0x20000;
    std::unique_ptr<fake::World> world;
    bulkhead_service_info answer{};

    void setup() override
    {
        fake::reset_core();
        world = std::make_unique<fake::World>(2);
        fake::map_guest(answer_at, answer);
    }
    void teardown() override { world.reset(); }
    void make_service()
    {
        Partition& service = (*world)[1];
        service.service.clients_frame = fake::new_frame();
        service.service.clients = machine::frame_pointer<std::atomic<uint64_t>>(service.service.clients_frame);
        service.generation = 3;
    }
    long call(size_t partition, uint64_t operation = BULKHEADOP_service_info, uint64_t argument = answer_at)
    {
        HypercallArguments arguments{{operation, argument}};
        return do_bulkhead_op(world->vcpu(partition), arguments);
    }
};

TEST(BulkheadOp, a_service_learns_where_its_clients_page_is)
{
    make_service();
    LONGS_EQUAL(0, call(1));
    UNSIGNED_LONGLONGS_EQUAL((*world)[1].service.clients_frame.raw(), answer.clients_mfn);
    LONGS_EQUAL(2, answer.clients);
    LONGS_EQUAL(3, answer.life);
    LONGS_EQUAL(0, answer.flags);
    LONGS_EQUAL(0, answer.reserved);
    (*world)[1].memory.region_was_kept = true;
    LONGS_EQUAL(0, call(1));
    LONGS_EQUAL(BULKHEAD_SERVICE_REGION_KEPT, answer.flags);
}

TEST(BulkheadOp, others_are_refused)
{
    make_service();
    LONGS_EQUAL(-XEN_EPERM, call(0));
    LONGS_EQUAL(-XEN_ENOSYS, call(1, 1));
    LONGS_EQUAL(-XEN_EFAULT, call(1, BULKHEADOP_service_info, 0x90000));
    LONGS_EQUAL(0, answer.clients_mfn);
}
