// SPDX-License-Identifier: BSD-2-Clause
// What libstdc++'s headers call when a precondition is broken. Ring 0 has no exceptions: each is a
// bug of the core.
#include "core/panic.hpp"

namespace std {

[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...);

[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...)
{
    bulkhead::panic("out of range in a library call: %s", format);
}

}  // namespace std
