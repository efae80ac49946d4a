// SPDX-License-Identifier: BSD-2-Clause
// Lists of physical CPUs as xl writes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// How many CPUs there are to choose from, and who says so, for the error message.
struct CpuBound {
    uint16_t count;
    bool is_machine;  // said by the plan's machine node; else Bulkhead's own limit
};

// "0-3,5,^1", "2", "all", "^1" (all but 1): CPUs in the order written, each once.
[[nodiscard]] Outcome<std::vector<uint8_t>> parse_cpu_list(std::string_view list, CpuBound bound);

// A cpus property: one text as above, a text for each vCPU ("2", "3"), or cells <0 1>.
[[nodiscard]] Outcome<std::vector<uint8_t>> parse_cpus(View value, CpuBound bound);

// "0-1,3" of {0, 1, 3}.
[[nodiscard]] std::string cpu_list_text(const std::vector<uint8_t>& cpus);

}  // namespace bulkhead::tool
