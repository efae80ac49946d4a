// SPDX-License-Identifier: BSD-2-Clause
// A line for the log, put together without printf, whose code is as large as all of the store's.
#pragma once

#include "pvdrivers/store/number.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace bulkhead::store {

class Line {
public:
    // What does not fit is left out.
    Line& operator<<(std::string_view text)
    {
        length_ = static_cast<size_t>(std::copy_n(text.data(), std::min(text.size(), text_.size() - length_),
                                                  text_.begin() + static_cast<ptrdiff_t>(length_)) -
                                      text_.begin());
        return *this;
    }
    Line& operator<<(uint32_t number)
    {
        std::array<char, number_bytes> digits;
        const char* const end = write_number(digits.data(), number);
        return *this << std::string_view(digits.data(), static_cast<size_t>(end - digits.data()));
    }
    [[nodiscard]] std::string_view text() const { return {text_.data(), length_}; }

private:
    std::array<char, 160> text_;
    size_t length_ = 0;
};

}  // namespace bulkhead::store
