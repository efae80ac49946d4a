// SPDX-License-Identifier: BSD-2-Clause
// Readers that several tables of fields share.
#pragma once

#include "boot/plan/fields.hpp"
#include "boot/plan/value.hpp"

namespace bulkhead::tool {

template <auto Member, uint64_t Least, uint64_t Most, class Target>
Outcome<void> read_number(const Property& property, Target& target, Report&)
{
    auto& stated = target.*Member;
    const uint64_t value = ATTEMPT(number(property.value, Least, Most));
    stated.state(static_cast<decltype(stated.value)>(value), property.at);
    return {};
}

template <auto Member, class Target>
Outcome<void> read_boolean(const Property& property, Target& target, Report&)
{
    (target.*Member).state(ATTEMPT(boolean(property.value)), property.at);
    return {};
}

// A text that is not empty.
template <auto Member, class Target>
Outcome<void> read_text(const Property& property, Target& target, Report&)
{
    auto value = ATTEMPT(text(property.value));
    if (trim(value).empty())
        return refuse("is empty; leave the property out or give it a value");
    (target.*Member).state(std::move(value), property.at);
    return {};
}

// What names a partition, network or service: letters, digits, '-', '_', '.', a letter first.
[[nodiscard]] inline Outcome<void> check_name(std::string_view name)
{
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool valid = !name.empty() && letter(name.front()) &&
                       std::all_of(name.begin(), name.end(), [&letter](char c) {
                           return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                       });
    if (!valid)
        return refuse(Quoted{name}, " is not a name; a letter, then letters, digits, '-', '_' and '.' make one");
    if (name.size() >= plan::name_bytes)
        return refuse(Quoted{name}, " has ", name.size(), " characters; a name has at most ",
                      plan::name_bytes - 1);
    return {};
}

}  // namespace bulkhead::tool
