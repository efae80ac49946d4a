// SPDX-License-Identifier: BSD-2-Clause
// Collects everything that is wrong with a plan, so that one run shows all of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bulkhead::tool {

struct Location {
    std::string file;
    unsigned line = 0;  // 0: the file as a whole

    bool operator==(const Location&) const = default;
};

// "file:line", or "file" where there is no line.
[[nodiscard]] std::string to_text(const Location& at);

class Report {
public:
    void error(const Location& at, std::string message);
    void warning(const Location& at, std::string message);

    [[nodiscard]] bool failed() const { return errors_ != 0; }
    [[nodiscard]] size_t errors() const { return errors_; }
    [[nodiscard]] size_t warnings() const { return entries_.size() - errors_; }

    // One line each, "file:line: error: message", in the order of the files and lines.
    [[nodiscard]] std::string text() const;

private:
    struct Entry {
        Location at;
        bool is_error;
        std::string message;

        bool operator==(const Entry&) const = default;
    };
    void add(Entry entry);

    std::vector<Entry> entries_;
    size_t errors_ = 0;
};

}  // namespace bulkhead::tool
