// SPDX-License-Identifier: BSD-2-Clause
// What can fail in this tool fails with a sentence for the plan's author, without a full stop:
// what is wrong; what would be right. Not std::expected, which clang 14 (the fuzz targets' compiler)
// cannot use with types that have destructors.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "boot/plan/text.hpp"

namespace bulkhead::tool {

struct Refusal {
    std::string sentence;
};

template <class... Parts>
[[nodiscard]] Refusal refuse(const Parts&... parts)
{
    return {sentence(parts...)};
}

// A value, or the sentence that says why there is none.
template <class T>
class [[nodiscard]] Outcome {
public:
    Outcome(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Outcome(Refusal refusal) : held_(std::in_place_index<1>, std::move(refusal)) {}

    [[nodiscard]] bool has_value() const { return held_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& operator*() & { return std::get<0>(held_); }
    const T& operator*() const& { return std::get<0>(held_); }
    T&& operator*() && { return std::get<0>(std::move(held_)); }
    T* operator->() { return &std::get<0>(held_); }
    const T* operator->() const { return &std::get<0>(held_); }
    T value() && { return std::get<0>(std::move(held_)); }
    const T& value() const& { return std::get<0>(held_); }
    [[nodiscard]] const std::string& error() const { return std::get<1>(held_).sentence; }

private:
    std::variant<T, Refusal> held_;
};

template <>
class [[nodiscard]] Outcome<void> {
public:
    Outcome() = default;
    Outcome(Refusal refusal) : refusal_(std::move(refusal.sentence)), refused_(true) {}

    [[nodiscard]] bool has_value() const { return !refused_; }
    explicit operator bool() const { return has_value(); }
    [[nodiscard]] const std::string& error() const { return refusal_; }

private:
    std::string refusal_;
    bool refused_ = false;
};

}  // namespace bulkhead::tool

// Evaluates to the value of an Outcome, or returns its sentence from the enclosing function.
#define ATTEMPT(expression)                                   \
    __extension__({                                           \
        auto attempt_ = (expression);                         \
        if (!attempt_.has_value())                            \
            return ::bulkhead::tool::Refusal{attempt_.error()}; \
        std::move(*attempt_);                                 \
    })
