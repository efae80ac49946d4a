// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace bulkhead::tool {

bool is_text(View value)
{
    if (value.empty() || value.back() != 0 || (value.size() > 1 && value.front() == 0))
        return false;
    return std::all_of(value.begin(), value.end(), [](uint8_t byte) {
        return byte == 0 || byte == '\t' || byte == '\n' || (byte >= 0x20 && byte != 0x7f);
    });
}

Outcome<std::vector<std::string>> texts(View value)
{
    if (!is_text(value))
        return refuse(value.empty() ? "has no value" : "is not text", "; text in double quotes is expected");
    std::vector<std::string> out;
    const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size() - 1);
    for (const auto part : split(all, '\0'))
        out.emplace_back(part);
    return out;
}

Outcome<std::string> text(View value)
{
    auto all = ATTEMPT(texts(value));
    if (all.size() != 1)
        return refuse("has ", all.size(), " texts; one is expected");
    return std::move(all.front());
}

Outcome<std::vector<uint32_t>> cells(View value)
{
    if (is_text(value) || value.empty() || value.size() % 4 != 0)
        return refuse("is not a list of 32-bit cells such as <1 2>");
    std::vector<uint32_t> out;
    for (size_t i = 0; i < value.size(); i += 4)
        out.push_back(uint32_t{value[i]} << 24 | uint32_t{value[i + 1]} << 16 |
                      uint32_t{value[i + 2]} << 8 | uint32_t{value[i + 3]});
    return out;
}

Outcome<std::vector<uint64_t>> wide_cells(View value)
{
    const auto halves = cells(value);
    if (!halves || halves->size() % 2 != 0)
        return refuse("is not a list of 64-bit numbers such as /bits/ 64 <0x40000000 0x10000000>");
    std::vector<uint64_t> out;
    for (size_t i = 0; i < halves->size(); i += 2)
        out.push_back(uint64_t{(*halves)[i]} << 32 | (*halves)[i + 1]);
    return out;
}

Outcome<uint64_t> parse_number(std::string_view digits)
{
    const bool hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    const auto body = digits.substr(hexadecimal ? 2 : 0);
    uint64_t out = 0;
    const auto [end, error] =
        std::from_chars(body.data(), body.data() + body.size(), out, hexadecimal ? 16 : 10);
    if (error == std::errc::result_out_of_range)
        return refuse(Quoted{digits}, " is too large a number");
    if (error != std::errc{} || end != body.data() + body.size())
        return refuse(Quoted{digits}, " has other characters than digits");
    return out;
}

Outcome<uint64_t> number(View value, uint64_t least, uint64_t most)
{
    uint64_t out = 0;
    if (is_text(value)) {
        const std::string digits = ATTEMPT(text(value));
        const auto parsed = parse_number(trim(digits));
        if (!parsed)
            return refuse("is not a number: ", parsed.error(), "; such as <", least == 0 ? 1 : least,
                          "> is expected");
        out = *parsed;
    } else {
        const auto list = cells(value);
        if (!list || list->size() != 1)
            return refuse("is not one number; such as <", least == 0 ? 1 : least, "> is expected");
        out = list->front();
    }
    if (out < least || out > most)
        return refuse("is ", out, "; from ", least, " to ", most, " is possible");
    return out;
}

Outcome<bool> boolean(View value)
{
    if (value.empty())
        return true;
    if (is_text(value)) {
        static constexpr std::array<std::string_view, 4> truths{"1", "yes", "true", "on"};
        static constexpr std::array<std::string_view, 4> lies{"0", "no", "false", "off"};
        const auto word = text(value);
        if (word && std::find(truths.begin(), truths.end(), *word) != truths.end())
            return true;
        if (word && std::find(lies.begin(), lies.end(), *word) != lies.end())
            return false;
    } else if (const auto list = cells(value); list && list->size() == 1 && list->front() <= 1) {
        return list->front() == 1;
    }
    return refuse("is neither yes nor no; <1> or <0>, \"yes\" or \"no\", or no value for yes is expected");
}

std::string_view trim(std::string_view text)
{
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> out;
    for (;;) {
        const size_t end = text.find(separator);
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return out;
        text.remove_prefix(end + 1);
    }
}

}  // namespace bulkhead::tool
