// SPDX-License-Identifier: BSD-2-Clause
// A program of one's own: copy this folder, change this file. It counts, and answers keys.
#include <bulkhead/console.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>

#include <chrono>

namespace {

void key_came(void*)
{
    char keys[16];
    const size_t count = bulkhead::read_console(keys);
    bulkhead::print("you typed: %.*s\n", static_cast<int>(count), keys);
}

}  // namespace

int main()
{
    using namespace bulkhead;
    const auto interval = std::chrono::milliseconds(config().number("interval", 1000));
    on_console_input(key_came, nullptr);
    Time next = Clock::now();
    for (unsigned count = 1;; ++count) {
        print("tick %u, %lu s since 1970\n", count,
              static_cast<unsigned long>(std::chrono::duration_cast<std::chrono::seconds>(wall_clock()).count()));
        next += interval;
        sleep_until(next);      // handlers, such as key_came(), run meanwhile
    }
}
