// SPDX-License-Identifier: BSD-2-Clause
// A model of the 82540EM and the 82574L, written from their manuals beside the drivers: registers, legacy
// receive descriptors, data and context descriptors, segments, interrupts.
#pragma once

#include "pvdrivers/nic/intel_registers.hpp"
#include "tests/unit/nic/card_model.hpp"

namespace bulkhead::nic {

class IntelModel final : public ModelCard {
public:
    using R = intel::Register;

    IntelModel(ModelMemory& memory, bool express) : ModelCard(memory), express_(express)
    {
        if (!express) {
            vector_count = 0;
            msix = false;
        }
        reset();
    }

    [[nodiscard]] CardId id() const override { return {0x8086, static_cast<uint16_t>(express_ ? 0x10d3 : 0x100e)}; }
    [[nodiscard]] size_t map_bar(unsigned bar) override { return bar == 0 ? bar_bytes : 0; }

    [[nodiscard]] uint32_t read(unsigned bar, uint32_t offset, unsigned bytes) override
    {
        if (bar != 0 || bytes != 4 || offset % 4 != 0 || offset >= registers_.size() * 4)
            std::abort();
        if (gone)
            return UINT32_MAX;
        switch (static_cast<R>(offset)) {
        case R::ICR: {
            const uint32_t causes = reg(R::ICR);
            reg(R::ICR) = 0;
            return causes;
        }
        case R::STATUS:
            return status | (express_ && (reg(R::CTRL) & intel::CTRL_GIO_MASTER_DISABLE) == 0
                                 ? intel::STATUS_GIO_MASTER_ENABLE : 0);
        case R::EERD: {
            if (no_eeprom)
                return reg(R::EERD);
            const uint32_t word = reg(R::EERD) >> (express_ ? 2 : 8) & 0xff;
            return (word < 3 ? uint32_t{eeprom[word]} << 16 : 0) | (express_ ? 2U : 0x10U);
        }
        case R::MPC:
        case R::CRCERRS:
        case R::RLEC: {
            const uint32_t count = registers_[offset / 4];
            registers_[offset / 4] = 0;
            return count;
        }
        default: return registers_[offset / 4];
        }
    }

    void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value) override
    {
        if (bar != 0 || bytes != 4 || offset % 4 != 0 || offset >= registers_.size() * 4)
            std::abort();
        if (gone)
            return;
        if (static_cast<R>(offset) == R::TDT)
            ++tail_writes;
        if (static_cast<R>(offset) == R::RCTL)
            ++receive_control_writes;
        switch (static_cast<R>(offset)) {
        case R::CTRL:
            registers_[offset / 4] = value;
            if ((value & intel::CTRL_RST) != 0 && !stuck_in_reset)
                reset_by_driver();
            return;
        case R::IMS:
            reg(R::IMS) |= value;
            raise(0);
            return;
        case R::IMC: reg(R::IMS) &= ~value; return;
        case R::MDIC:
            if ((value & intel::MDIC_WRITE) != 0)
                phy_control = static_cast<uint16_t>(value);
            registers_[offset / 4] = phy_control | intel::MDIC_READY | (value & ~0xffffU);
            return;
        case R::TDT:
            registers_[offset / 4] = value;
            transmit();
            return;
        default: registers_[offset / 4] = value; return;
        }
    }

    // A frame from the cable. false: no buffer for it.
    bool receive(const Bytes& frame, uint8_t extra_status = 0, uint8_t errors = 0)
    {
        const uint32_t length = reg(R::RDLEN) / 16;
        if ((reg(R::RCTL) & intel::RCTL_EN) == 0 || length == 0 || reg(R::RDH) == reg(R::RDT)) {
            ++reg(R::MPC);
            return false;
        }
        const uint64_t at = ring(R::RDBAL, R::RDBAH) + reg(R::RDH) * 16;
        auto descriptor = memory_.get<intel::RxDescriptor>(at);
        if (uint8_t* to = memory_.reach(descriptor.address, frame.size()))
            std::memcpy(to, frame.data(), frame.size());
        descriptor.length = override_length ? *override_length : static_cast<uint16_t>(frame.size());
        descriptor.status = static_cast<uint8_t>(intel::RXD_STATUS_DD | extra_status);
        if (!without_end)
            descriptor.status |= intel::RXD_STATUS_EOP;
        descriptor.errors = errors;
        memory_.set(at, descriptor);
        reg(R::RDH) = (reg(R::RDH) + 1) % length;
        raise(intel::INTERRUPT_RXT0 | (express_ ? intel::INTERRUPT_RXQ0 : 0));
        return true;
    }

    void set_link(bool up)
    {
        status = up ? status | intel::STATUS_LU : status & ~intel::STATUS_LU;
        raise(intel::INTERRUPT_LSC | (express_ ? intel::INTERRUPT_OTHER : 0));
    }

    uint32_t& reg(R which) { return registers_[static_cast<uint32_t>(which) / 4]; }

    void transmit()
    {
        const uint32_t length = reg(R::TDLEN) / 16;
        if ((reg(R::TCTL) & intel::TCTL_EN) == 0 || length == 0 || hold_transmit)
            return;
        while (reg(R::TDH) != reg(R::TDT) % length) {
            const uint64_t at = ring(R::TDBAL, R::TDBAH) + reg(R::TDH) * 16;
            one(at);
            reg(R::TDH) = (reg(R::TDH) + 1) % length;
        }
        raise(intel::INTERRUPT_TXDW | (express_ ? intel::INTERRUPT_TXQ0 : 0));
    }

    size_t bar_bytes = 0x20000;
    uint32_t status = intel::STATUS_FD | intel::STATUS_LU | 2U << intel::STATUS_SPEED_SHIFT;
    uint16_t eeprom[3] = {0x5452, 0x1200, 0x5634};
    uint16_t phy_control = intel::PHY_CONTROL_AUTONEG;
    bool no_eeprom = false;
    bool gone = false;              // reads are all ones
    bool stuck_in_reset = false;
    bool ignores_reset = false;     // takes CTRL_RST, and goes on
    bool hold_transmit = false;
    bool without_end = false;
    std::optional<uint16_t> override_length;
    unsigned tail_writes = 0;
    unsigned receive_control_writes = 0;

private:
    uint64_t ring(R low, R high) { return reg(low) | uint64_t{reg(high)} << 32; }

    void reset()
    {
        registers_.assign(0x6000 / 4, 0);
        reg(R::RAL0) = 0x12005452;
        reg(R::RAH0) = 0x5634 | intel::RAH_AV;
        frame_.clear();
    }
    void reset_by_driver()
    {
        if (ignores_reset)
            reg(R::CTRL) &= ~intel::CTRL_RST;
        else
            reset();
    }

    void raise(uint32_t causes)
    {
        reg(R::ICR) |= causes;
        const uint32_t asked = reg(R::ICR) & reg(R::IMS);
        if (asked == 0)
            return;
        if (!msix || vector_count < 2) {
            interrupt(0);
            return;
        }
        // As IVAR says; each message clears its causes in ICR and in the mask.
        const std::pair<uint32_t, unsigned> fields[] = {
            {intel::INTERRUPT_RXQ0, 0}, {intel::INTERRUPT_TXQ0, 8}, {intel::INTERRUPT_OTHER, 16}};
        for (const auto& [cause, shift] : fields) {
            const uint32_t entry = reg(R::IVAR) >> shift & 0xf;
            if ((asked & cause) == 0 || (entry & 8) == 0)
                continue;
            reg(R::ICR) &= ~(cause & reg(R::EIAC));
            reg(R::IMS) &= ~(cause & reg(R::EIAC));
            interrupt(entry & 7);
        }
    }

    void one(uint64_t at)
    {
        auto descriptor = memory_.get<intel::TxDescriptor>(at);
        if ((descriptor.command & intel::TXD_DEXT) == 0)
            misused();          // the drivers use no legacy ones
        if ((descriptor.command & intel::TXD_DATA) == 0) {
            context_ = memory_.get<intel::TxContext>(at);
        } else {
            const size_t bytes = descriptor.command & 0xfffff;
            const uint8_t* from = memory_.reach(descriptor.address, bytes);
            if (from != nullptr && frame_.size() < 70000)
                frame_.insert(frame_.end(), from, from + bytes);
            if ((descriptor.command & intel::TXD_EOP) != 0)
                finish(descriptor);
        }
        if ((descriptor.command & intel::TXD_RS) != 0)
            memory_.set<uint8_t>(at + 12, intel::TXD_STATUS_DD);
    }

    void checksum(Bytes& frame, size_t start, size_t field)
    {
        if (start > frame.size() || field + 2 > frame.size()) {
            misused();
            return;
        }
        put16(frame, field, 0xffff ^ naive_sum(frame, start, frame.size()));
    }

    void finish(const intel::TxDescriptor& last)
    {
        if ((last.command & intel::TXD_TSE) != 0) {
            cut();
        } else {
            if ((last.options & intel::TXD_OPTION_TXSM) != 0)
                checksum(frame_, context_.transport_start, context_.transport_offset);
            sent.push_back(frame_);
        }
        frame_.clear();
    }

    // Source: 8254x manual, "TCP Segmentation", "IP/TCP Header Updating".
    void cut()
    {
        const size_t payload = context_.command & 0xfffff;
        const size_t last = std::max({context_.ip_start + 6U, context_.ip_offset + 2U, context_.ip_end + 1U,
                                      context_.transport_start + 14U, context_.transport_offset + 2U});
        if (payload + context_.header_bytes != frame_.size() || context_.header_bytes < last || context_.mss == 0) {
            misused();
            return;
        }
        const bool ipv4 = (context_.command & intel::TXC_IP) != 0;
        for (size_t at = 0, number = 0; at < payload; at += context_.mss, ++number) {
            const size_t bytes = std::min<size_t>(context_.mss, payload - at);
            Bytes frame{frame_.begin(), frame_.begin() + context_.header_bytes};
            const auto from = frame_.begin() + static_cast<ptrdiff_t>(context_.header_bytes + at);
            frame.insert(frame.end(), from, from + static_cast<ptrdiff_t>(bytes));
            const size_t ip = context_.ip_start;
            const size_t tcp = context_.transport_start;
            if (ipv4) {
                put16(frame, ip + 2, static_cast<unsigned>(frame.size() - ip));
                put16(frame, ip + 4, static_cast<unsigned>(get16(frame, ip + 4) + number));
                put16(frame, context_.ip_offset, 0xffff ^ naive_sum(frame, ip, context_.ip_end + 1U));
            } else {
                put16(frame, ip + 4, static_cast<unsigned>(frame.size() - ip - 40));
            }
            put32(frame, tcp + 4, static_cast<uint32_t>(get32(frame, tcp + 4) + at));
            if (at + bytes != payload)
                frame[tcp + 13] &= 0xf6;
            if (at != 0)
                frame[tcp + 13] &= 0x7f;
            Bytes length(2);
            put16(length, 0, static_cast<unsigned>(frame.size() - tcp));
            put16(frame, context_.transport_offset,
                  naive_sum(length, 0, 2, get16(frame, context_.transport_offset)));
            checksum(frame, tcp, context_.transport_offset);
            sent.push_back(frame);
        }
    }

    bool express_;
    std::vector<uint32_t> registers_;
    intel::TxContext context_{};
    Bytes frame_;
};

}  // namespace bulkhead::nic
