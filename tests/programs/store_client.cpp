// SPDX-License-Identifier: BSD-2-Clause
// Uses the store for ever: nodes, a transaction and a watch each round, a line each second.
#include <bulkhead/console.hpp>
#include <bulkhead/store.hpp>
#include <bulkhead/time.hpp>

#include <chrono>
#include <cstdlib>

namespace {

using namespace bulkhead;
using namespace std::chrono_literals;

template <class T>
T must(const char* what, Result<T> result)
{
    if (!result) {
        print("FAIL: %s: %s\n", what, name_of(result.error()));
        exit(1);
    }
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

unsigned events;

Result<> count_up(Store& store)
{
    return store.transact([&](Transaction transaction) -> Result<> {
        const auto value = store.read_number("data/count", transaction);
        if (!value)
            return failure(value.error());
        return store.write_number("data/count", *value + 1, transaction);
    });
}

}  // namespace

int main()
{
    const auto opened = Store::open();
    if (!opened) {
        print("no store: %s\n", name_of(opened.error()));
        return 0;
    }
    Store& store = **opened;
    print("I am %s\n", must("name", store.read("name")).c_str());
    must("write", store.write("data/list/alpha", "1"));
    must("mkdir", store.make_directory("data/list/beta"));
    const auto list = must("directory", store.directory("data/list"));
    print("children: %s %s\n", list.at(0).c_str(), list.at(1).c_str());
    must("remove", store.remove("data/list"));
    must("watch", store.watch("data/count", {[](void*, std::string_view) { ++events; }, nullptr}));
    must("write", store.write_number("data/count", 0));
    for (uint64_t round = 1;; ++round) {
        for (int i = 0; i < 50; ++i)
            must("transaction", count_up(store));
        if (must("read", store.read_number("data/count")) != round * 50)
            print("FAIL: the count is wrong\n");
        sleep_for(100ms);
        print("round %lu, %u events\n", round, events);
    }
}
