// SPDX-License-Identifier: BSD-2-Clause
// What a program may rely on, checked from inside one: C and C++ libraries, memory, time, events,
// grants, vCPUs, vector registers. Ends with `PASS` or `FAIL`. Needs two vCPUs for the last ones.
#include "tests/programs/checks.hpp"
#include "tests/programs/vectors.hpp"

#include <bulkhead/events.hpp>
#include <bulkhead/grants.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/vcpus.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

unsigned checks_failed;

namespace {

using namespace bulkhead;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// --- Libraries --------------------------------------------------------------------

struct Constructed {
    std::vector<int> values{1, 2, 3};
} constructed;

void c_library()
{
    char text[64];
    snprintf(text, sizeof(text), "%.3f %e %g", 3.14159, 12345.678, 0.5);
    CHECK(strcmp(text, "3.142 1.234568e+04 0.5") == 0);
    snprintf(text, sizeof(text), "%lld %zu %p", -5'000'000'000ll, sizeof(text), static_cast<void*>(nullptr));
    CHECK(strncmp(text, "-5000000000 64 ", 15) == 0);
    CHECK(strtod("2.5e3", nullptr) == 2500.0);
    CHECK(std::sqrt(2.0) > 1.41421 && std::sqrt(2.0) < 1.41422 && std::sin(0.0) == 0.0);
    CHECK(time(nullptr) > 1'600'000'000);
    CHECK(printf("printf writes %d lines\n", 1) == 22 && fflush(stdout) == 0);
}

void heap()
{
    std::minstd_rand random(42);
    std::vector<std::pair<unsigned char*, size_t>> blocks;
    bool intact = true;
    for (unsigned i = 0; i < 2000; ++i) {
        if (blocks.size() > 50) {
            const size_t victim = random() % blocks.size();
            const auto [block, bytes] = blocks[victim];
            intact = intact && std::all_of(block, block + bytes, [&](auto byte) { return byte == bytes % 251; });
            free(block);
            blocks[victim] = blocks.back();
            blocks.pop_back();
        }
        const size_t bytes = random() % 5000 + 1;
        auto* block = static_cast<unsigned char*>(malloc(bytes));
        memset(block, static_cast<int>(bytes % 251), bytes);
        blocks.emplace_back(block, bytes);
    }
    CHECK(intact);
    for (const auto& [block, bytes] : blocks)
        free(block);
    const MemoryFigures figures = memory_figures();
    CHECK(figures.heap_used > 0 && figures.heap_used <= figures.heap_limit);
    CHECK(malloc(figures.partition) == nullptr);
    struct alignas(64) Line {
        char bytes[64];
    };
    const auto line = std::make_unique<Line>();
    CHECK(reinterpret_cast<uintptr_t>(line.get()) % 64 == 0);
}

void cxx_library()
{
    CHECK(constructed.values.size() == 3);
    std::map<std::string, int> map{{"one", 1}, {"two", 2}};
    map["three"] = 3;
    CHECK(map.size() == 3 && map.begin()->first == "one");
    std::unordered_map<int, std::string> hashed;
    for (int i = 0; i < 1000; ++i)
        hashed[i] = std::to_string(i);
    CHECK(hashed.at(777) == "777" && std::stoi(hashed[42]) == 42);
    std::deque<int> queue;
    for (int i = 0; i < 500; ++i)
        queue.push_back(499 - i);
    std::sort(queue.begin(), queue.end());
    CHECK(queue.front() == 0 && queue.back() == 499);
    int sum = 0;
    const std::function<void(int)> add = [&sum](int value) { sum += value; };
    std::for_each(queue.begin(), queue.end(), add);
    CHECK(sum == 499 * 500 / 2);
    static const std::string once = "made at first use";
    CHECK(once.size() == 17);
    const auto shared = std::make_shared<std::vector<double>>(10, 0.5);
    CHECK(shared.use_count() == 1 && (*shared)[9] == 0.5);
}

// --- Memory -----------------------------------------------------------------------

void pages()
{
    const size_t before = memory_figures().free_pages;
    auto first = allocate_pages(3);
    auto second = allocate_pages(1);
    CHECK(first && second && first->size() == 3 * page_bytes);
    CHECK(std::all_of(first->begin(), first->end(), [](std::byte byte) { return byte == std::byte{0}; }));
    memset(first->data(), 0xff, first->size());
    free_pages(*first);
    free_pages(*second);
    CHECK(memory_figures().free_pages == before);
    CHECK(!allocate_pages(1'000'000));
    CHECK(machine_frame(first->data()) != machine_frame(second->data()));
}

// --- Time -------------------------------------------------------------------------

void time_and_timers()
{
    Time last = Clock::now();
    for (unsigned i = 0; i < 10000; ++i) {
        const Time now = Clock::now();
        CHECK(now >= last);
        last = now;
    }
    const Time start = Clock::now();
    sleep_for(milliseconds(5));
    const Duration slept = Clock::now() - start;
    CHECK(slept >= milliseconds(5) && slept < std::chrono::seconds(5));
    sleep_until(start);         // has passed: returns

    static std::vector<int> order;
    struct Entry {
        int number;
        Timer timer{[](void* self) { order.push_back(static_cast<Entry*>(self)->number); }, this};
    };
    Entry entries[4]{{3}, {1}, {2}, {9}};
    const Time base = Clock::now();
    entries[0].timer.start(base + milliseconds(6));
    entries[1].timer.start(base + milliseconds(2));
    entries[2].timer.start(base + milliseconds(9));
    entries[2].timer.start(base + milliseconds(4));     // moved
    entries[3].timer.start(base + milliseconds(3));
    entries[3].timer.stop();
    sleep_until(base + milliseconds(10));
    CHECK((order == std::vector<int>{1, 2, 3}));
    CHECK(wait_until(Clock::now() + milliseconds(1)) == 0);
}

// --- Events and grants --------------------------------------------------------------

void events()
{
    static unsigned calls;
    const auto port = bind_ipi(current_vcpu(), {[](void*, Port) { ++calls; }, nullptr});
    CHECK(port.has_value());
    CHECK(notify(*port).has_value() && notify(*port).has_value());
    CHECK(calls == 0);                              // never in the middle of the program
    CHECK(wait() == 1 && calls == 1);
    mask(*port);
    CHECK(notify(*port).has_value() && dispatch_events() == 0 && is_pending(*port));
    unmask(*port);
    CHECK(dispatch_events() == 1 && calls == 2);
    CHECK(unbind(*port).has_value() && !notify(*port).has_value());
    // Many ports, each answers once.
    std::vector<Port> many;
    for (unsigned i = 0; i < 100; ++i)
        if (const auto one = bind_ipi(current_vcpu(), {[](void*, Port) { ++calls; }, nullptr}); one)
            many.push_back(*one);
    CHECK(many.size() == 100);
    calls = 0;
    for (const Port one : many)
        (void)notify(one);
    while (calls < 100 && wait_until(Clock::now() + milliseconds(100)) != 0) {
    }
    CHECK(calls == 100);
    for (const Port one : many)
        (void)unbind(one);
}

// With itself as the other side.
void grants()
{
    const Domain self = own_domain();
    const auto page = allocate_pages(1);
    CHECK(page.has_value());
    memcpy(page->data(), "granted", 8);
    const auto ref = grant(self, page->data(), Access::writable);
    CHECK(ref.has_value());
    {
        auto mapping = map_grant(self, *ref, Access::writable);
        CHECK(mapping.has_value());
        if (!mapping)
            return;
        CHECK(strcmp(mapping->as<char>(), "granted") == 0);
        mapping->as<char>()[0] = 'G';
        CHECK(!revoke(*ref) && revoke(*ref).error() == XEN_EBUSY);
    }
    CHECK(static_cast<char>((*page)[0]) == 'G');

    char target[8] = {};
    gnttab_copy_t copy = {};
    copy.source = foreign_side(self, *ref, 0);
    copy.dest = own_side(target);
    copy.len = 8;
    copy.flags = GNTCOPY_source_gref;
    CHECK(copy_grants({&copy, 1}).has_value() && copy.status == GNTST_okay);
    CHECK(strcmp(target, "Granted") == 0);
    CHECK(revoke(*ref).has_value() && !revoke(*ref));
    CHECK(!map_grant(self, *ref, Access::read_only));

    // More than one frame of the grant table holds; all distinct; all given back.
    std::vector<GrantRef> refs;
    for (unsigned i = 0; i < 1000; ++i)
        if (const auto one = grant(self, page->data(), Access::read_only); one)
            refs.push_back(*one);
    CHECK(refs.size() == 1000);
    auto rows = map_grants(self, std::span(refs).first(40), Access::read_only);
    CHECK(rows.has_value() && rows->size() == 40 * page_bytes);
    CHECK(rows && memcmp(rows->data() + 39 * page_bytes, "Granted", 8) == 0);
    if (rows)
        rows->unmap();
    for (const GrantRef one : refs)
        CHECK(revoke(one).has_value());
    free_pages(*page);
}

// --- vCPUs ------------------------------------------------------------------------

std::atomic<unsigned> second_runs;
std::atomic<unsigned> second_events;

bool comes_true(const std::function<bool()>& condition)
{
    // An emulator gives each CPU long turns.
    const Time end = Clock::now() + std::chrono::seconds(20);
    while (Clock::now() < end) {
        if (condition())
            return true;
        sleep_for(milliseconds(1));
    }
    return false;
}

void second_vcpu()
{
    const VcpuNumber second{1};
    const auto body = [](void* argument) {
        second_runs += *static_cast<unsigned*>(argument);
        std::vector<int> heap_use(1000, 1);         // the heap is shared
        sleep_for(milliseconds(2));
        second_runs += static_cast<unsigned>(heap_use.size());
    };
    unsigned argument = 7;
    CHECK(start_vcpu(second, body, &argument).has_value());
    CHECK(comes_true([] { return second_runs == 1007; }));
    CHECK(comes_true([second] { return !is_running(second); }));

    // Again, now with events from this one.
    static std::atomic<bool> stop;
    const auto listen = [](void*) {
        while (!stop)
            wait();
    };
    const auto port = bind_ipi(second, {[](void*, Port) { ++second_events; }, nullptr});
    CHECK(port.has_value());
    CHECK(comes_true([&] { return start_vcpu(second, listen, nullptr).has_value(); }));
    for (unsigned i = 1; i <= 20; ++i) {
        (void)notify(*port);
        CHECK(comes_true([i] { return second_events >= i; }));
    }
    stop = true;
    (void)notify(*port);
    CHECK(comes_true([second] { return !is_running(second); }));
    CHECK(!start_vcpu(VcpuNumber{31}, body, nullptr));
}

// Both vCPUs keep values of their own in the registers for a while, with sleeps in between.
void vector_registers()
{
    static std::atomic<unsigned> wrong;
    static std::atomic<bool> ready;
    const auto body = [](void* seed) {
        wrong += vectors_kept(*static_cast<unsigned*>(seed), 200);
        ready = true;
    };
    static unsigned seed = 12345;
    const bool two = vcpu_count() > 1 && start_vcpu(VcpuNumber{1}, body, &seed).has_value();
    wrong += vectors_kept(67890, 200);
    CHECK(!two || comes_true([] { return ready.load(); }));
    CHECK(wrong == 0);
}

}  // namespace

int main()
{
    CLAIM("the C library works", c_library());
    CLAIM("the C++ library works", cxx_library());
    CLAIM("the heap keeps what is put into it", heap());
    CLAIM("pages are taken and given back", pages());
    CLAIM("time goes on and timers fire in order", time_and_timers());
    CLAIM("events run handlers, in waits only", events());
    CLAIM("grants are given, mapped, copied and revoked", grants());
    if (vcpu_count() > 1)
        CLAIM("a second vCPU starts, stops and takes events", second_vcpu());
    CLAIM(vectors_name(), vector_registers());
    print("%s\n", checks_failed == 0 ? "PASS" : "FAIL");
    return 0;
}
