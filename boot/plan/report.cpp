// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/report.hpp"

#include <algorithm>
#include <utility>

namespace bulkhead::tool {

std::string to_text(const Location& at)
{
    return at.line == 0 ? at.file : at.file + ':' + std::to_string(at.line);
}

void Report::add(Entry entry)
{
    if (std::find(entries_.begin(), entries_.end(), entry) != entries_.end())
        return;
    errors_ += entry.is_error ? 1 : 0;
    entries_.push_back(std::move(entry));
}

void Report::error(const Location& at, std::string message)
{
    add({at, true, std::move(message)});
}

void Report::warning(const Location& at, std::string message)
{
    add({at, false, std::move(message)});
}

std::string Report::text() const
{
    std::vector<std::string> files;  // in the order in which they are first mentioned
    for (const auto& entry : entries_)
        if (std::find(files.begin(), files.end(), entry.at.file) == files.end())
            files.push_back(entry.at.file);
    const auto rank = [&files](const Entry& entry) {
        return std::pair(std::find(files.begin(), files.end(), entry.at.file), entry.at.line);
    };
    auto sorted = entries_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&rank](const Entry& a, const Entry& b) { return rank(a) < rank(b); });
    std::string out;
    for (const auto& entry : sorted)
        out += to_text(entry.at) + (entry.is_error ? ": error: " : ": warning: ") + entry.message + '\n';
    return out;
}

}  // namespace bulkhead::tool
