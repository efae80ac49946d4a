// SPDX-License-Identifier: BSD-2-Clause
// Linux's bzImage: a boot loader's header around a compressed ELF kernel.
#pragma once

#include <string>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct BzImage {
    View payload;         // as stored, the appended length included
    std::string version;  // "6.1.0-18-amd64 (...) #1 SMP ...", empty if the header has none
};

[[nodiscard]] bool is_bzimage(View file);
[[nodiscard]] Outcome<BzImage> parse_bzimage(View file);

}  // namespace bulkhead::tool
