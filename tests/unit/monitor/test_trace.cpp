// SPDX-License-Identifier: BSD-2-Clause
// Trace points: nothing while off, one ring a CPU, the oldest record gives way.
#include "core/trace.hpp"

#include "fake_core.hpp"

#include "core/trace.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(Trace)
{
    void setup() override
    {
        fake::reset_core();
        fake::cpus_in_use = 2;
        trace_enabled = false;
        init_trace();
    }
};

TEST(Trace, records_nothing_while_it_is_off)
{
    trace(TraceEvent::interrupt, 1);
    LONGS_EQUAL(0, trace_rings()[0].count.load());
}

TEST(Trace, records_on_the_cpu_that_it_happens_on)
{
    trace_enabled = true;
    fake::current_cpu = 1;
    fake::tsc = 77;
    trace(TraceEvent::hypercall, 17, 3);
    LONGS_EQUAL(0, trace_rings()[0].count.load());
    LONGS_EQUAL(1, trace_rings()[1].count.load());
    const TraceRecord& record = trace_rings()[1].records[0];
    CHECK(record.event == TraceEvent::hypercall);
    LONGS_EQUAL(77, record.time.raw());
    LONGS_EQUAL(17, record.a);
    LONGS_EQUAL(3, record.b);
}

TEST(Trace, keeps_the_last_records_of_a_cpu)
{
    trace_enabled = true;
    const uint64_t size = trace_rings()[0].records.size();
    for (uint64_t i = 0; i <= size; ++i)
        trace(TraceEvent::interrupt, i);
    LONGS_EQUAL(size + 1, trace_rings()[0].count.load());
    LONGS_EQUAL(size, trace_rings()[0].records[0].a);
    LONGS_EQUAL(1, trace_rings()[0].records[1].a);
}

TEST(Trace, ignores_a_cpu_without_a_ring)
{
    trace_enabled = true;
    fake::current_cpu = 5;
    trace(TraceEvent::interrupt, 1);
    LONGS_EQUAL(2, trace_rings().size());
}
