// SPDX-License-Identifier: BSD-2-Clause
// Lines of aligned columns.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace bulkhead::tool {

class Columns {
public:
    explicit Columns(std::string indent) : indent_(std::move(indent)) {}

    void row(std::vector<std::string> cells)
    {
        for (size_t i = 0; i < cells.size(); ++i) {
            if (i == widths_.size())
                widths_.push_back(0);
            // The last cell of a row is prose; it moves nothing.
            if (i + 1 < cells.size())
                widths_[i] = std::max(widths_[i], cells[i].size());
        }
        rows_.push_back(std::move(cells));
    }

    [[nodiscard]] std::string text() const
    {
        std::string out;
        for (const auto& cells : rows_) {
            std::string line = indent_;
            for (size_t i = 0; i < cells.size(); ++i) {
                line += cells[i];
                if (i + 1 < cells.size())
                    line.append(widths_[i] - cells[i].size() + 2, ' ');
            }
            line.erase(line.find_last_not_of(' ') + 1);
            out += line + '\n';
        }
        return out;
    }

private:
    std::string indent_;
    std::vector<size_t> widths_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace bulkhead::tool
