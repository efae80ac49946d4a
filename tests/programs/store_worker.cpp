// SPDX-License-Identifier: BSD-2-Clause
// Writes, reads, waits for events and commits transactions as fast as the store serves it, and checks all
// that it gets back: the store is killed under it. Prints the time that has passed every 100 rounds.
#include <bulkhead/console.hpp>
#include <bulkhead/store.hpp>
#include <bulkhead/time.hpp>

#include <chrono>
#include <cstdlib>
#include <string>

namespace {

using namespace bulkhead;
using namespace std::chrono_literals;

uint64_t round_number;

[[noreturn]] void lost(const char* what, const char* why)
{
    print("FAIL: round %lu: %s: %s\n", round_number, what, why);
    exit(1);
}

void must(const char* what, const Result<>& result)
{
    if (!result)
        lost(what, name_of(result.error()));
}

uint64_t number(const char* what, const Result<uint64_t>& result)
{
    if (!result)
        lost(what, name_of(result.error()));
    return *result;
}

unsigned events;

void wait_for_event()
{
    const Time latest = Clock::now() + 20s;
    while (events == 0) {
        if (Clock::now() > latest)
            lost("watch", "its event does not come");
        wait_until(latest);
    }
    events = 0;
}

// Two nodes that always agree, as one step.
Result<> move_pair(Store& store)
{
    return store.transact([&](Transaction transaction) -> Result<> {
        const auto value = store.read_number("data/pair/a", transaction);
        if (!value)
            return failure(value.error());
        if (const auto other = store.read_number("data/pair/b", transaction); !other || *other != *value)
            lost("pair", "its halves differ");
        if (auto done = store.write_number("data/pair/a", *value + 1, transaction); !done)
            return done;
        return store.write_number("data/pair/b", *value + 1, transaction);
    });
}

void do_round(Store& store)
{
    const std::string child = "data/list/" + std::to_string(round_number % 8);
    must("write", store.write_number("data/count", round_number));
    if (number("read", store.read_number("data/count")) != round_number)
        lost("read", "another number than was written");
    wait_for_event();
    must("pair", move_pair(store));
    if (number("pair", store.read_number("data/pair/b")) != round_number)
        lost("pair", "a commit is missing or came twice");
    must("write", store.write(child, std::string(round_number % 300, 'x')));
    const auto text = store.read(child);
    if (!text || text->size() != round_number % 300)
        lost("read", "another text than was written");
    if (round_number % 8 == 7)
        must("remove", store.remove("data/list"));
}

}  // namespace

int main()
{
    const auto opened = Store::open();
    if (!opened)
        lost("open", name_of(opened.error()));
    Store& store = **opened;
    must("write", store.write_number("data/pair/a", 0));
    must("write", store.write_number("data/pair/b", 0));
    if (!store.watch("data/count", {[](void*, std::string_view) { ++events; }, nullptr}))
        lost("watch", "refused");
    wait_for_event();
    const Time start = Clock::now();
    for (round_number = 1;; ++round_number) {
        do_round(store);
        if (round_number % 100 == 0)
            print("%lu rounds, %lld ms\n", round_number,
                  static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count()));
    }
}
