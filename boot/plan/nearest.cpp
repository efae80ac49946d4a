// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/nearest.hpp"

#include <algorithm>
#include <vector>

#include "boot/plan/text.hpp"

namespace bulkhead::tool {

namespace {

char folded(char character)
{
    if (character >= 'A' && character <= 'Z')
        return static_cast<char>(character - 'A' + 'a');
    return character == '_' ? '-' : character;
}

constexpr size_t letter_cost = 4;
constexpr size_t fold_cost = 1;

// What it costs to insert, remove, change or swap letters, and less to change case or dash.
size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i)
        table[i][0] = letter_cost * i;
    for (size_t j = 0; j <= b.size(); ++j)
        table[0][j] = letter_cost * j;
    for (size_t i = 1; i <= a.size(); ++i) {
        for (size_t j = 1; j <= b.size(); ++j) {
            const bool alike = folded(a[i - 1]) == folded(b[j - 1]);
            const size_t change = a[i - 1] == b[j - 1] ? 0 : (alike ? fold_cost : letter_cost);
            table[i][j] = std::min(
                {table[i - 1][j] + letter_cost, table[i][j - 1] + letter_cost, table[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + letter_cost);
        }
    }
    return table[a.size()][b.size()];
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> known)
{
    static constexpr size_t longest = 64;
    if (name.size() > longest)
        return {};
    std::string_view best;
    size_t best_distance = letter_cost * std::max<size_t>(1, name.size() / 3) + 1;
    for (const auto candidate : known) {
        // What was only begun ("mem") or said with more ("memory-size") is near too.
        const bool begun = name.size() >= 3 && candidate.starts_with(name);
        const bool extended = candidate.size() >= 3 && name.starts_with(candidate);
        const size_t apart = begun || extended ? letter_cost : distance(name, candidate);
        if (apart < best_distance) {
            best = candidate;
            best_distance = apart;
        }
    }
    return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> known,
                       std::string_view otherwise)
{
    const auto meant = nearest(name, known);
    return meant.empty() ? std::string(otherwise) : sentence("did you mean ", Quoted{meant}, "?");
}

}  // namespace bulkhead::tool
