// SPDX-License-Identifier: BSD-2-Clause
#include "jtag.hpp"

namespace flash_model {

Tap::State Tap::next(bool tms) const
{
    switch (state_) {
    case State::reset: return tms ? State::reset : State::idle;
    case State::idle: return tms ? State::select_dr : State::idle;
    case State::select_dr: return tms ? State::select_ir : State::capture_dr;
    case State::capture_dr: return tms ? State::exit1_dr : State::shift_dr;
    case State::shift_dr: return tms ? State::exit1_dr : State::shift_dr;
    case State::exit1_dr: return tms ? State::update_dr : State::pause_dr;
    case State::pause_dr: return tms ? State::exit2_dr : State::pause_dr;
    case State::exit2_dr: return tms ? State::update_dr : State::shift_dr;
    case State::update_dr: return tms ? State::select_dr : State::idle;
    case State::select_ir: return tms ? State::reset : State::capture_ir;
    case State::capture_ir: return tms ? State::exit1_ir : State::shift_ir;
    case State::shift_ir: return tms ? State::exit1_ir : State::shift_ir;
    case State::exit1_ir: return tms ? State::update_ir : State::pause_ir;
    case State::pause_ir: return tms ? State::exit2_ir : State::pause_ir;
    case State::exit2_ir: return tms ? State::update_ir : State::shift_ir;
    case State::update_ir: return tms ? State::select_dr : State::idle;
    }
    return State::reset;
}

void Tap::reset()
{
    state_ = State::reset;
    ir_ = ir_idcode;
    end_transfer();
}

void Tap::end_transfer()
{
    chip_.deselect();
    bridge_ = Bridge::waiting;
    length_bits_ = 0;
    length_ = 0;
    miso_ = false;
}

// What comes first are zeros, then a one, then 32 bits: the number of clocks, less one.
void Tap::shift_bridge(bool tdi)
{
    switch (bridge_) {
    case Bridge::waiting:
        if (tdi)
            bridge_ = Bridge::length;
        break;
    case Bridge::length:
        length_ = length_ << 1 | (tdi ? 1 : 0);
        if (++length_bits_ == 32) {
            bridge_ = Bridge::transfer;
            chip_.select();
        }
        break;
    case Bridge::transfer:
        miso_ = chip_.clock(tdi);
        if (length_-- == 0) {
            chip_.deselect();
            bridge_ = Bridge::done;
        }
        break;
    case Bridge::done:
        miso_ = false;
        break;
    }
}

void Tap::shift_data(bool tdi)
{
    if (ir_ == ir_user1)
        shift_bridge(tdi);
    else if (ir_ == ir_idcode)
        dr_shift_ = dr_shift_ >> 1 | (tdi ? 0x8000'0000 : 0);
    else
        bypass_ = tdi;
}

void Tap::show_output()
{
    if (state_ == State::shift_ir)
        tdo_ = (ir_shift_ & 1) != 0;
    else if (state_ == State::shift_dr)
        tdo_ = ir_ == ir_user1 ? miso_ : ir_ == ir_idcode ? (dr_shift_ & 1) != 0 : bypass_;
}

void Tap::clock(bool tms, bool tdi)
{
    constexpr uint32_t captured_ir = 1;
    switch (state_) {
    case State::capture_dr:
        dr_shift_ = idcode_;
        bypass_ = false;
        end_transfer();
        break;
    case State::shift_dr:
        shift_data(tdi);
        break;
    case State::capture_ir:
        ir_shift_ = captured_ir;
        break;
    case State::shift_ir:
        ir_shift_ = (ir_shift_ >> 1 | (tdi ? 1U << (ir_bits - 1) : 0)) & ((1U << ir_bits) - 1);
        break;
    default:
        break;
    }
    // The bit that leaves the shift state with TMS high was shifted above; updates happen on the way.
    const State to = next(tms);
    if (to == State::update_ir)
        ir_ = ir_shift_;
    if (to == State::update_dr)
        end_transfer();
    if (to == State::reset)
        reset();
    state_ = to;
    show_output();
}

}  // namespace flash_model
