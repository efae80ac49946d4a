// SPDX-License-Identifier: BSD-2-Clause
// Words of a command line, and finding what they mean in a list of names: exactly, by an unambiguous
// beginning, or, for the error's sentence, by likeness.
#pragma once

#include "core/console/text_out.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bulkhead {

struct Words {
    static constexpr size_t max = 6;
    std::array<std::string_view, max> word;
    size_t count = 0;
    bool too_many = false;

    // Empty if there is none.
    [[nodiscard]] std::string_view operator[](size_t index) const
    {
        return index < count ? word[index] : std::string_view();
    }
};
[[nodiscard]] Words split_words(std::string_view line);

// Names by number, wherever they are kept.
struct NameList {
    size_t count;
    std::string_view (*at)(size_t index);
};

enum class Meaning : uint8_t { none, one, several };
struct Match {
    Meaning meaning;
    size_t index;             // of the one
};
// The whole name, else the beginning of exactly one. Capital letters do not matter.
[[nodiscard]] Match find_name(const NameList& names, std::string_view word);
[[nodiscard]] bool begins_with(std::string_view name, std::string_view beginning);
// The name that was most likely meant; names.count if none is close.
[[nodiscard]] size_t closest_name(const NameList& names, std::string_view word);

// "a, b and c": those that begin with `beginning`, with `last_word` ("and", "or") before the last;
// no more than 12 of them by name.
void put_names(const NameList& names, std::string_view beginning, std::string_view last_word, TextOut& out);
// The sentence when find_name() found none or several. `what`: "partition", "command".
void put_no_match(const NameList& names, std::string_view word, const Match& match, std::string_view command,
                  std::string_view what, TextOut& out);

// Hexadecimal with or without 0x; decimal unless it begins with 0x. None: no number, or too big.
[[nodiscard]] std::optional<uint64_t> parse_hexadecimal(std::string_view word);
[[nodiscard]] std::optional<uint64_t> parse_number(std::string_view word);

}  // namespace bulkhead
