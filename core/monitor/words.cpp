// SPDX-License-Identifier: BSD-2-Clause
// Parsing of what a person typed; at most one line of it.
#include "core/monitor/words.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr size_t names_at_most = 12;
constexpr size_t compared_bytes = 31;
constexpr size_t looks_at_most = 800;                  // some 25,000 instructions

constexpr char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; }

bool same(std::string_view a, std::string_view b) { return a.size() == b.size() && begins_with(a, b); }

// Letters to add, drop, change or swap with the next one, up to `most`: more count as that many. Only what may
// still lead to fewer is looked at: pairs of letters whose places differ by less. `looks` is how many are left.
size_t distance(std::string_view a, std::string_view b, size_t most, size_t& looks)
{
    a = a.substr(0, compared_bytes);
    b = b.substr(0, compared_bytes);
    if (most == 0 || a.size() >= b.size() + most || b.size() >= a.size() + most)
        return most;
    std::array<std::array<uint8_t, compared_bytes + 2>, 3> rows;
    for (auto& row : rows)
        row.fill(static_cast<uint8_t>(most));
    for (size_t k = 0; k < std::min(most, b.size() + 1); ++k)
        rows[0][k] = static_cast<uint8_t>(k);
    size_t least_above = 0;
    for (size_t i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& above2 = rows[(i + 1) % 3];
        const size_t first = i >= most ? i - most + 1 : 1;
        const size_t last = std::min(i + most - 1, b.size());
        if (last - first + 1 > looks)
            return most;
        looks -= last - first + 1;
        row[first - 1] = static_cast<uint8_t>(first == 1 ? std::min(i, most) : most);
        size_t least_here = row[first - 1];
        for (size_t k = first; k <= last; ++k) {
            const bool equal = lower(a[i - 1]) == lower(b[k - 1]);
            size_t least = std::min({above[k] + size_t{1}, row[k - 1] + size_t{1}, above[k - 1] + size_t{!equal}, most});
            if (i > 1 && k > 1 && lower(a[i - 1]) == lower(b[k - 2]) && lower(a[i - 2]) == lower(b[k - 1]))
                least = std::min(least, above2[k - 2] + size_t{1});
            row[k] = static_cast<uint8_t>(least);
            least_here = std::min(least_here, least);
        }
        if (least_here == most && least_above == most)
            return most;
        least_above = least_here;
    }
    return rows[a.size() % 3][b.size()];
}

std::optional<uint64_t> parse(std::string_view digits, unsigned base)
{
    if (digits.empty())
        return {};
    uint64_t value = 0;
    for (const char byte : digits) {
        const char digit = lower(byte);
        unsigned number = base;
        if (digit >= '0' && digit <= '9')
            number = static_cast<unsigned>(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            number = static_cast<unsigned>(digit - 'a') + 10;
        if (number >= base || value > (~uint64_t{0} - number) / base)
            return {};
        value = value * base + number;
    }
    return value;
}

bool has_prefix_0x(std::string_view word) { return word.starts_with("0x") || word.starts_with("0X"); }

}  // namespace

Words split_words(std::string_view line)
{
    Words words;
    for (;;) {
        const size_t begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos)
            return words;
        line.remove_prefix(begin);
        const size_t length = std::min(line.find_first_of(" \t"), line.size());
        if (words.count == Words::max) {
            words.too_many = true;
            return words;
        }
        words.word[words.count++] = line.substr(0, length);
        line.remove_prefix(length);
    }
}

bool begins_with(std::string_view name, std::string_view beginning)
{
    return name.size() >= beginning.size() &&
           std::equal(beginning.begin(), beginning.end(), name.begin(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

Match find_name(const NameList& names, std::string_view word)
{
    Match match{Meaning::none, names.count};
    for (size_t i = 0; i < names.count; ++i) {
        if (same(names.at(i), word))
            return {Meaning::one, i};
        if (word.empty() || !begins_with(names.at(i), word))
            continue;
        match = {match.meaning == Meaning::none ? Meaning::one : Meaning::several, i};
    }
    return match;
}

size_t closest_name(const NameList& names, std::string_view word)
{
    size_t closest = names.count;
    size_t least = std::min<size_t>(3, word.size());   // a third letter wrong is another word
    size_t looks = looks_at_most;
    for (size_t i = 0; i < names.count; ++i) {
        const size_t letters = distance(names.at(i), word, least, looks);
        if (letters < least) {
            least = letters;
            closest = i;
        }
    }
    return closest;
}

void put_names(const NameList& names, std::string_view beginning, std::string_view last_word, TextOut& out)
{
    size_t total = 0;
    for (size_t i = 0; i < names.count; ++i)
        total += begins_with(names.at(i), beginning);
    const size_t shown = total > names_at_most ? names_at_most - 1 : total;
    size_t done = 0;
    for (size_t i = 0; i < names.count && done < shown; ++i) {
        if (!begins_with(names.at(i), beginning))
            continue;
        if (done != 0)
            out.put(done + 1 == total ? " " : ", ");
        if (done != 0 && done + 1 == total) {
            out.put(last_word);
            out.put(" ");
        }
        out.put(names.at(i));
        ++done;
    }
    if (shown < total)
        out.print(" %.*s %zu more", static_cast<int>(last_word.size()), last_word.data(), total - shown);
}

void put_no_match(const NameList& names, std::string_view word, const Match& match, std::string_view command,
                  std::string_view what, TextOut& out)
{
    if (!command.empty()) {
        out.put(command);
        out.put(": ");
    }
    if (match.meaning == Meaning::several) {
        out.print("'%.*s' may mean ", static_cast<int>(word.size()), word.data());
        put_names(names, word, "or", out);
        out.put(".\n");
        return;
    }
    out.print("no %.*s is named '%.*s'; ", static_cast<int>(what.size()), what.data(), static_cast<int>(word.size()),
              word.data());
    if (names.count == 0) {
        out.put("there is none.\n");
        return;
    }
    out.put("there are: ");
    put_names(names, {}, "and", out);
    out.put(".");
    const size_t closest = closest_name(names, word);
    if (closest < names.count) {
        out.put(" Did you mean ");
        out.put(names.at(closest));
        out.put("?");
    }
    out.put("\n");
}

std::optional<uint64_t> parse_hexadecimal(std::string_view word)
{
    return parse(has_prefix_0x(word) ? word.substr(2) : word, 16);
}

std::optional<uint64_t> parse_number(std::string_view word)
{
    return has_prefix_0x(word) ? parse(word.substr(2), 16) : parse(word, 10);
}

}  // namespace bulkhead
