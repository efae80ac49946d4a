// SPDX-License-Identifier: BSD-2-Clause
// A SPI NOR chip as its data sheet describes it: bits are programmed to 0 within a page and erased to
// 1 by blocks, only after a write enable, and the chip is busy for a while. Source: Winbond W25Q128JV
// data sheet, "Instructions".
#pragma once

#include <cstdint>
#include <vector>

namespace flash_model {

struct Faults {
    uint32_t id = 0xef4018;         // what the chip says it is
    bool protect = false;           // every block is write-protected
    uint64_t stuck_at = ~uint64_t{0};   // the lowest bit of this byte does not program
};

class NorChip {
public:
    static constexpr uint32_t page = 256;
    static constexpr uint32_t block = 64 * 1024;

    NorChip(std::vector<uint8_t>& content, const Faults& faults) : content_(content), faults_(faults) {}

    void select();                  // chip select goes low
    void deselect();                // and high: what was sent is carried out
    // One clock: takes a bit, gives the one that was on the output before it.
    bool clock(bool in);
    // How many erases and programs have been begun.
    [[nodiscard]] uint64_t changes() const { return changes_; }

private:
    enum Command : uint8_t {
        write_enable = 0x06, write_disable = 0x04, read_status = 0x05, read_id = 0x9f, read_data = 0x03,
        fast_read = 0x0b, page_program = 0x02, sector_erase = 0x20, block_erase = 0xd8, chip_erase = 0xc7,
    };
    static constexpr uint8_t busy_bit = 1;
    static constexpr uint8_t enabled_bit = 2;
    static constexpr uint8_t protect_bits = 0x1c;

    void take_byte(uint8_t byte);
    [[nodiscard]] uint8_t next_output();
    [[nodiscard]] uint8_t status();
    [[nodiscard]] bool may_change() const { return enabled_ && !faults_.protect; }
    void erase(uint64_t at, uint64_t bytes);
    void program();

    std::vector<uint8_t>& content_;
    Faults faults_;
    std::vector<uint8_t> received_;
    uint8_t shift_in_ = 0;
    uint8_t shift_out_ = 0;
    unsigned bits_ = 0;
    bool selected_ = false;
    bool enabled_ = false;
    unsigned busy_polls_ = 0;       // it is busy for so many looks at its status
    uint64_t changes_ = 0;
};

}  // namespace flash_model
