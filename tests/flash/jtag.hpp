// SPDX-License-Identifier: BSD-2-Clause
// A JTAG TAP with a bridge to SPI behind its first user register, as the bscan_spi bitstreams for
// FPGAs make one. Source: IEEE 1149.1, "TAP controller state diagram"; OpenOCD 0.12, doc/ "jtagspi".
#pragma once

#include "nor_chip.hpp"

namespace flash_model {

class Tap {
public:
    Tap(NorChip& chip, uint32_t idcode) : chip_(chip), idcode_(idcode) {}
    // A rising edge of TCK.
    void clock(bool tms, bool tdi);
    [[nodiscard]] bool tdo() const { return tdo_; }
    void reset();

private:
    enum class State : uint8_t {
        reset, idle, select_dr, capture_dr, shift_dr, exit1_dr, pause_dr, exit2_dr, update_dr,
        select_ir, capture_ir, shift_ir, exit1_ir, pause_ir, exit2_ir, update_ir,
    };
    enum class Bridge : uint8_t { waiting, length, transfer, done };

    static constexpr unsigned ir_bits = 6;
    static constexpr uint32_t ir_idcode = 0x09;
    static constexpr uint32_t ir_user1 = 0x02;

    [[nodiscard]] State next(bool tms) const;
    void shift_data(bool tdi);
    void shift_bridge(bool tdi);
    void end_transfer();
    void show_output();

    NorChip& chip_;
    uint32_t idcode_;
    State state_ = State::reset;
    uint32_t ir_ = ir_idcode;
    uint32_t ir_shift_ = 0;
    uint32_t dr_shift_ = 0;
    bool bypass_ = false;
    bool tdo_ = false;
    Bridge bridge_ = Bridge::waiting;
    unsigned length_bits_ = 0;
    uint32_t length_ = 0;
    bool miso_ = false;
};

}  // namespace flash_model
