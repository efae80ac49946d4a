// SPDX-License-Identifier: BSD-2-Clause
// Whole files in and out.
#pragma once

#include <string>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// The sentence follows the file's name: "does not exist".
[[nodiscard]] Outcome<Bytes> read_file(const std::string& path);

struct OutputFile {
    std::string name;  // in the folder
    View content;
};

// Writes all files beside their places first and then moves each into its place, so that a failure
// leaves what was there before. Makes the folder if need be.
[[nodiscard]] Outcome<void> write_files(const std::string& folder, const std::vector<OutputFile>& files);

}  // namespace bulkhead::tool
