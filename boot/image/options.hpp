// SPDX-License-Identifier: BSD-2-Clause
// What the command line of bulkhead-image says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct ImageOptions {
    std::string image;
    std::string loaders;
    std::string key;
    std::string output;
    uint64_t version = 1;
    uint64_t minimum_version = 0;
    uint64_t tries = 3;
    uint64_t slot_mib = 0;
    uint64_t flash_mib = 0;         // 0: what fits
    uint64_t payload_mib = 16;      // the flash that a coreboot payload has to fit into
    bool help = false;
};
[[nodiscard]] Outcome<ImageOptions> parse_image_options(const std::vector<std::string_view>& arguments);
extern const std::string_view image_usage;

}  // namespace bulkhead::tool
