// SPDX-License-Identifier: BSD-2-Clause
#include "nor_chip.hpp"

#include <algorithm>
#include <cstddef>

namespace flash_model {

namespace {

constexpr unsigned program_polls = 2;
constexpr unsigned erase_polls = 4;
constexpr size_t address_end = 4;

uint64_t address_of(const std::vector<uint8_t>& bytes)
{
    return uint64_t{bytes[1]} << 16 | uint64_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

void NorChip::select()
{
    selected_ = true;
    received_.clear();
    bits_ = 0;
    shift_in_ = shift_out_ = 0;
}

bool NorChip::clock(bool in)
{
    if (!selected_)
        return true;
    const bool out = (shift_out_ & 0x80) != 0;
    shift_out_ = static_cast<uint8_t>(shift_out_ << 1);
    shift_in_ = static_cast<uint8_t>(shift_in_ << 1 | (in ? 1 : 0));
    if (++bits_ == 8) {
        bits_ = 0;
        take_byte(shift_in_);
        shift_out_ = next_output();
    }
    return out;
}

void NorChip::take_byte(uint8_t byte)
{
    // A busy chip listens to nothing but questions about its status.
    if (received_.empty() && busy_polls_ != 0 && byte != read_status)
        byte = 0;
    received_.push_back(byte);
}

uint8_t NorChip::status()
{
    const uint8_t value = static_cast<uint8_t>((busy_polls_ != 0 ? busy_bit : 0) | (enabled_ ? enabled_bit : 0)
                                               | (faults_.protect ? protect_bits : 0));
    if (busy_polls_ != 0)
        --busy_polls_;
    return value;
}

uint8_t NorChip::next_output()
{
    const size_t count = received_.size();
    switch (received_[0]) {
    case read_status:
        return status();
    case read_id:
        return count <= 3 ? static_cast<uint8_t>(faults_.id >> (8 * (3 - count))) : 0;
    case read_data:
    case fast_read: {
        const size_t begin = received_[0] == read_data ? address_end : address_end + 1;
        return count < begin ? 0xff : content_[(address_of(received_) + count - begin) % content_.size()];
    }
    default:
        return 0xff;
    }
}

void NorChip::erase(uint64_t at, uint64_t bytes)
{
    enabled_ = enabled_ && faults_.protect;
    at = at / bytes * bytes % content_.size();
    std::fill_n(content_.begin() + static_cast<ptrdiff_t>(at), std::min<uint64_t>(bytes, content_.size() - at), 0xff);
    busy_polls_ = erase_polls;
    ++changes_;
}

// Beyond the end of the page it goes on at its beginning.
void NorChip::program()
{
    enabled_ = false;
    const uint64_t at = address_of(received_) % content_.size();
    const uint64_t base = at / page * page;
    for (size_t i = address_end; i < received_.size(); ++i) {
        const uint64_t where = base + (at - base + i - address_end) % page;
        const uint8_t old = content_[where];
        content_[where] &= received_[i];
        if (where == faults_.stuck_at)
            content_[where] |= old & 1;
    }
    busy_polls_ = program_polls;
    ++changes_;
}

void NorChip::deselect()
{
    if (!selected_)
        return;
    selected_ = false;
    // A command that does not end with a whole byte is not carried out.
    if (received_.empty() || bits_ != 0)
        return;
    const bool whole_address = received_.size() >= address_end;
    switch (received_[0]) {
    case write_enable:
        enabled_ = true;
        break;
    case write_disable:
        enabled_ = false;
        break;
    case page_program:
        if (may_change() && received_.size() > address_end)
            program();
        break;
    case sector_erase:
        if (may_change() && whole_address)
            erase(address_of(received_), 4096);
        break;
    case block_erase:
        if (may_change() && whole_address)
            erase(address_of(received_), block);
        break;
    case chip_erase:
        if (may_change())
            erase(0, content_.size());
        break;
    default:
        break;
    }
}

}  // namespace flash_model
