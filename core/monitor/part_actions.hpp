// SPDX-License-Identifier: BSD-2-Clause
// What `part NAME` can do. Started with run.partition set and all words of the line.
#pragma once

#include "core/monitor/command.hpp"

namespace bulkhead {

struct PartAction {
    std::string_view name;
    std::string_view arguments;
    std::string_view summary;
    void (*start)(CommandRun& run, const Words& words, TextOut& out);
    size_t words_at_most = 3;              // of the whole line
};

[[nodiscard]] std::span<const PartAction> part_actions();

}  // namespace bulkhead
