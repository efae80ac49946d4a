// SPDX-License-Identifier: BSD-2-Clause
// Runs another program and collects what it writes; no shell is involved.
#pragma once

#include <string>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct Finished {
    int status = -1;  // exit status; -1 if a signal ended it
    Bytes output;
    std::string messages;  // standard error
};

// Fails if the program cannot be started.
[[nodiscard]] Outcome<Finished> run(const std::vector<std::string>& command);

}  // namespace bulkhead::tool
