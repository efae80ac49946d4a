// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/runtime/page_pool.hpp"

#include <CppUTest/TestHarness.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

namespace {

using bulkhead::PagePool;

constexpr size_t pages = 64;

TEST_GROUP(page_pool)
{
    std::byte* memory = static_cast<std::byte*>(std::aligned_alloc(PagePool::page, pages * PagePool::page));
    PagePool pool;

    void teardown() override { std::free(memory); }
    std::byte* page(size_t number) const { return memory + number * PagePool::page; }
};

TEST(page_pool, an_empty_pool_gives_nothing)
{
    POINTERS_EQUAL(nullptr, pool.take(1));
    CHECK_FALSE(pool.take_at(page(0), 1));
    CHECK_EQUAL(0u, pool.free());
}

TEST(page_pool, pages_are_taken_from_the_high_end)
{
    pool.add(page(0), 4);
    POINTERS_EQUAL(page(3), pool.take(1));
    POINTERS_EQUAL(page(1), pool.take(2));
    POINTERS_EQUAL(nullptr, pool.take(2));
    POINTERS_EQUAL(page(0), pool.take(1));
    CHECK_EQUAL(0u, pool.free());
}

TEST(page_pool, nothing_is_not_a_number_of_pages)
{
    pool.add(page(0), 4);
    POINTERS_EQUAL(nullptr, pool.take(0));
    pool.add(page(8), 0);
    CHECK_EQUAL(4u, pool.free());
}

TEST(page_pool, the_heap_takes_the_pages_that_follow_it)
{
    pool.add(page(0), 8);
    CHECK(pool.take_at(page(0), 3));
    CHECK_FALSE(pool.take_at(page(4), 1));       // does not begin a run
    CHECK_FALSE(pool.take_at(page(3), 6));
    CHECK_EQUAL(5u, pool.count_at(page(3)));
    CHECK(pool.take_at(page(3), 5));
    CHECK_EQUAL(0u, pool.count_at(page(3)));
}

TEST(page_pool, neighbours_become_one_run_in_any_order)
{
    pool.add(page(2), 1);
    pool.add(page(0), 1);
    pool.add(page(1), 1);
    CHECK_EQUAL(3u, pool.count_at(page(0)));
    POINTERS_EQUAL(page(0), pool.take(3));
}

TEST(page_pool, a_run_that_fits_is_found_below_one_that_does_not)
{
    pool.add(page(0), 3);
    pool.add(page(10), 1);
    POINTERS_EQUAL(page(0), pool.take(3));
    POINTERS_EQUAL(page(10), pool.take(1));
}

TEST(page_pool, no_page_is_given_twice_or_lost_whatever_the_order)
{
    std::mt19937 random(7);
    std::map<std::byte*, size_t> taken;
    std::vector<bool> used(pages);
    pool.add(page(0), pages);
    for (unsigned step = 0; step < 20000; ++step) {
        if (random() % 2 == 0 || taken.empty()) {
            const size_t count = random() % 6 + 1;
            auto* at = static_cast<std::byte*>(pool.take(count));
            if (at == nullptr)
                continue;
            for (size_t i = 0; i < count; ++i) {
                const auto number = static_cast<size_t>(at - memory) / PagePool::page + i;
                CHECK_FALSE(used.at(number));
                used[number] = true;
            }
            taken[at] = count;
        } else {
            auto victim = taken.begin();
            std::advance(victim, random() % taken.size());
            for (size_t i = 0; i < victim->second; ++i)
                used[static_cast<size_t>(victim->first - memory) / PagePool::page + i] = false;
            pool.add(victim->first, victim->second);
            taken.erase(victim);
        }
    }
    for (const auto& [at, count] : taken)
        pool.add(at, count);
    CHECK_EQUAL(pages, pool.count_at(page(0)));
}

}  // namespace
