// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/panic_record.hpp"

#include "core/crc32.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead {

void PanicRecord::clear()
{
    magic_ = 0;
    length_ = 0;
}

void PanicRecord::append(std::string_view text)
{
    const size_t used = std::min<size_t>(length_, text_.size());
    const size_t count = std::min(text.size(), text_.size() - used);
    memcpy(text_.data() + used, text.data(), count);
    length_ = static_cast<uint32_t>(used + count);
}

uint32_t PanicRecord::checksum() const
{
    return crc32({reinterpret_cast<const uint8_t*>(text_.data()), length_});
}

void PanicRecord::seal()
{
    crc32_ = checksum();
    magic_ = sealed_magic;
}

std::string_view PanicRecord::sealed_text() const
{
    if (magic_ != sealed_magic || length_ > text_.size() || crc32_ != checksum())
        return {};
    return {text_.data(), length_};
}

}  // namespace bulkhead
