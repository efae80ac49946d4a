// SPDX-License-Identifier: BSD-2-Clause
// The rings of Intel's cards. A descriptor is the card's from the moment it is told of it by RDT or TDT until
// the card sets DD in it.
#include "pvdrivers/nic/intel.hpp"

#include <array>
#include <atomic>
#include <bit>

namespace bulkhead::nic {

using namespace intel;

namespace {

constexpr unsigned ring_mask = 255;

// The copy that a card must not see before, or the CPU not read before, what comes next. On x86 the CPU
// keeps the order of stores and that of loads; this keeps the compiler's.
void order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace

volatile RxDescriptor& IntelDriver::rx_ring(unsigned at) const
{
    return reinterpret_cast<volatile RxDescriptor*>(rings_.memory.data())[at];
}

volatile TxDescriptor& IntelDriver::tx_ring(unsigned at) const
{
    return reinterpret_cast<volatile TxDescriptor*>(rings_.memory.data() + dma_page_bytes)[at];
}

// --- Receiving ------------------------------------------------------------------

void IntelDriver::refill()
{
    const unsigned before = rx_end_;
    while (((rx_end_ + 1) & ring_mask) != rx_next_) {
        const auto buffer = rx_.to_card();
        if (!buffer)
            break;
        auto& descriptor = rx_ring(rx_end_);
        descriptor.address = rx_.address(*buffer);
        descriptor.status = 0;
        rx_buffer_[rx_end_] = *buffer;
        rx_end_ = (rx_end_ + 1) & ring_mask;
    }
    if (rx_end_ == before)
        return;
    order();
    write(Register::RDT, rx_end_);
}

bool IntelDriver::rx_waits() const
{
    return rx_next_ != rx_end_ && (rx_ring(rx_next_).status & RXD_STATUS_DD) != 0;
}

bool IntelDriver::take(RxFrame& frame)
{
    while (rx_next_ != rx_end_) {
        auto& descriptor = rx_ring(rx_next_);
        const uint8_t status = descriptor.status;
        if ((status & RXD_STATUS_DD) == 0)
            return false;
        order();
        const uint16_t bytes = descriptor.length;
        const uint8_t errors = descriptor.errors;
        const uint16_t buffer = rx_buffer_[rx_next_];
        if (bytes > rx_buffer_bytes) {
            broke_rule();
            return false;
        }
        rx_next_ = (rx_next_ + 1) & ring_mask;
        const bool last = (status & RXD_STATUS_EOP) != 0;
        if (skipping_ || !last || (errors & RXD_ERROR_FRAME) != 0 || bytes < 14) {
            // Longer than a buffer: without LPE the card should have dropped it itself.
            counters_.rx_errors += last ? 1 : 0;
            skipping_ = !last;
            rx_.drop(buffer);
            continue;
        }
        rx_.to_owner(buffer);
        frame.piece[0] = rx_.memory(buffer).first(bytes);
        frame.pieces = 1;
        frame.bytes = bytes;
        const bool checked = (status & (RXD_STATUS_TCPCS | RXD_STATUS_IXSM)) == RXD_STATUS_TCPCS;
        frame.offload = {.checksum_blank = false,
                         .checksum_valid = checked && (errors & RXD_ERROR_CHECKSUM) == 0,
                         .gso_type = 0,
                         .gso_size = 0};
        return true;
    }
    return false;
}

// --- Sending --------------------------------------------------------------------

bool IntelDriver::has_room(size_t jobs, size_t pieces) const
{
    const unsigned used = (tx_next_ - tx_clean_) & ring_mask;
    return used + jobs + pieces < ring_size;    // each job may need a context
}

void IntelDriver::put(const TxDescriptor& descriptor, uint16_t page)
{
    auto& slot = tx_ring(tx_next_);
    slot.address = descriptor.address;
    slot.command = descriptor.command;
    slot.status = 0;
    slot.options = descriptor.options;
    slot.special = descriptor.special;
    tx_page_[tx_next_] = page;
    tx_next_ = (tx_next_ + 1) & ring_mask;
}

// Tells the card where the checksums are, unless it knows; returns POPTS of the frame's descriptors.
uint8_t IntelDriver::put_context(const TxJob& job, uint32_t bytes)
{
    const FrameHeaders& at = *job.headers;
    const bool segments = job.segment_bytes != 0;
    TxContext context{.ip_start = static_cast<uint8_t>(at.network),
                      .ip_offset = static_cast<uint8_t>(at.network + 10),
                      .ip_end = static_cast<uint16_t>(at.transport - 1),
                      .transport_start = static_cast<uint8_t>(at.transport),
                      .transport_offset = static_cast<uint8_t>(at.checksum),
                      .transport_end = 0,
                      .command = TXD_DEXT | (at.tcp ? TXC_TCP : 0) | (at.ipv6 ? 0 : TXC_IP),
                      .status = 0,
                      .header_bytes = 0,
                      .mss = 0};
    if (segments) {
        context.command |= TXD_TSE | (bytes - at.payload);
        context.header_bytes = static_cast<uint8_t>(at.payload);
        context.mss = job.segment_bytes;
    }
    if (segments || context != context_) {
        context_ = context;
        put({.address = std::bit_cast<std::array<uint64_t, 2>>(context)[0],
             .command = context.command,
             .status = 0,
             .options = context.header_bytes,
             .special = context.mss},
            no_page);
    }
    return segments && !at.ipv6 ? TXD_OPTION_TXSM | TXD_OPTION_IXSM : TXD_OPTION_TXSM;
}

void IntelDriver::enqueue(const TxJob& job)
{
    const unsigned first = tx_next_;
    uint32_t bytes = 0;
    for (const TxPiece& piece : job.pieces)
        bytes += piece.bytes;
    uint8_t options = 0;
    uint32_t command = TXD_DEXT | TXD_DATA | TXD_IFCS;
    if (job.headers) {
        if (job.segment_bytes != 0) {
            // The card writes lengths and the header's checksum into each segment.
            prepare_for_cutting(job.start, *job.headers);
            command |= TXD_TSE;
        }
        options = put_context(job, bytes);
    }
    for (size_t i = 0; i < job.pieces.size(); ++i) {
        const TxPiece& piece = job.pieces[i];
        const bool last = i + 1 == job.pieces.size();
        put({.address = piece.address,
             .command = command | piece.bytes | (last ? TXD_EOP | TXD_RS : 0),
             .status = 0,
             .options = options,
             .special = 0},
            piece.page);
    }
    const auto end = static_cast<uint8_t>((tx_next_ - 1) & ring_mask);
    for (unsigned at = first; at != tx_next_; at = (at + 1) & ring_mask)
        tx_last_[at] = end;
}

void IntelDriver::ring_tx()
{
    if (tx_told_ == tx_next_)
        return;
    tx_told_ = tx_next_;
    order();
    write(Register::TDT, tx_next_);
}

bool IntelDriver::tx_waits() const
{
    return tx_clean_ != tx_next_ && (tx_ring(tx_last_[tx_clean_]).status & TXD_STATUS_DD) != 0;
}

void IntelDriver::reclaim()
{
    while (tx_clean_ != tx_told_ && tx_waits()) {
        const unsigned end = (tx_last_[tx_clean_] + 1U) & ring_mask;
        for (; tx_clean_ != end; tx_clean_ = (tx_clean_ + 1) & ring_mask) {
            if (tx_page_[tx_clean_] != no_page)
                tx_done(tx_page_[tx_clean_]);
        }
    }
}

// --- Interrupts -----------------------------------------------------------------

// With MSI-X the causes of the queues only: that of the link has a vector of its own.
void IntelDriver::silence()
{
    if (vectors_ == 2) {
        write(Register::IMC, INTERRUPT_RXQ0 | INTERRUPT_TXQ0);
        return;
    }
    write(Register::IMC, UINT32_MAX);
    if ((read(Register::ICR) & INTERRUPT_LSC) != 0)     // gives a line back, too
        link_may_have_changed();
}

void IntelDriver::arm(bool for_sending)
{
    if (vectors_ == 2)
        write(Register::IMS, INTERRUPT_RXQ0 | INTERRUPT_OTHER | INTERRUPT_LSC | (for_sending ? INTERRUPT_TXQ0 : 0));
    else if (vectors_ == 1)
        write(Register::IMS, INTERRUPT_RXT0 | INTERRUPT_RXDMT0 | INTERRUPT_RXO | INTERRUPT_LSC |
                                 (for_sending ? INTERRUPT_TXDW : 0));
}

}  // namespace bulkhead::nic
