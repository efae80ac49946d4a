// SPDX-License-Identifier: BSD-2-Clause
// virtio-net's queues. Receive buffers begin with the header; frames to be sent have theirs in a page of
// headers, one for each descriptor.
// Source: VIRTIO 1.2, 5.1.6 "Device Operation".
#include "pvdrivers/nic/virtio_net.hpp"

#include <cstring>

namespace bulkhead::nic {

using namespace virtio;

// --- Receiving ------------------------------------------------------------------

void VirtioNet::refill()
{
    while (rx_queue_.free_entries() != 0) {
        const auto buffer = rx_.to_card();
        if (!buffer)
            break;
        const Virtqueue::Part part{rx_.address(*buffer), rx_buffer_bytes, true, *buffer};
        rx_queue_.add({&part, 1});
    }
    if (rx_queue_.publish())
        notify(rx_doorbell_, receive_queue);
}

bool VirtioNet::take(RxFrame& frame)
{
    for (;;) {
        const auto used = rx_queue_.next_used();
        if (used.got == Virtqueue::Got::nothing)
            return false;
        if (used.got == Virtqueue::Got::nonsense || used.bytes > rx_buffer_bytes || used.bytes < sizeof(NetHeader)) {
            broke_rule();
            return false;
        }
        uint16_t buffer = 0;
        rx_queue_.release(used.head, [&buffer](uint16_t tag) { buffer = tag; });
        const auto memory = rx_.memory(buffer);
        NetHeader header;
        std::memcpy(&header, memory.data(), sizeof(header));
        const auto bytes = static_cast<uint32_t>(used.bytes - sizeof(NetHeader));
        if (bytes < 14) {
            ++counters_.rx_errors;
            rx_.drop(buffer);
            continue;
        }
        rx_.to_owner(buffer);
        frame.piece[0] = memory.subspan(sizeof(NetHeader), bytes);
        frame.pieces = 1;
        frame.bytes = bytes;
        // A blank checksum comes from a sender on the same host; where it is follows from the frame.
        const bool ours = (agreed_ & F_GUEST_CSUM) != 0;
        const bool blank = ours && (header.flags & NET_NEEDS_CSUM) != 0;
        frame.offload = {.checksum_blank = blank,
                         .checksum_valid = blank || (ours && (header.flags & NET_DATA_VALID) != 0),
                         .gso_type = 0,
                         .gso_size = 0};
        return true;
    }
}

// --- Sending --------------------------------------------------------------------

NetHeader VirtioNet::header_for(const TxJob& job) const
{
    NetHeader header{};
    if (!job.headers)
        return header;
    header.flags = NET_NEEDS_CSUM;
    header.checksum_start = job.headers->transport;
    header.checksum_offset = static_cast<uint16_t>(job.headers->checksum - job.headers->transport);
    if (job.segment_bytes != 0) {
        header.gso_type = job.headers->ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
        header.gso_size = job.segment_bytes;
        header.header_length = job.headers->payload;
    }
    return header;
}

void VirtioNet::enqueue(const TxJob& job)
{
    std::array<Virtqueue::Part, most_tx_pieces + 1> parts;
    constexpr size_t headers_page = 2 * Virtqueue::memory_pages;
    constexpr size_t slot_bytes = 16;
    const NetHeader header = header_for(job);
    std::byte* const slot = &rings_.memory[headers_page * dma_page_bytes + tx_queue_.next_head() * slot_bytes];
    std::memcpy(slot, &header, sizeof(header));
    parts[0] = {rings_.address_of(slot), sizeof(header), false, Virtqueue::none};
    for (size_t i = 0; i < job.pieces.size(); ++i)
        parts[i + 1] = {job.pieces[i].address, job.pieces[i].bytes, false, job.pieces[i].page};
    tx_queue_.add({parts.data(), job.pieces.size() + 1});
}

void VirtioNet::ring_tx()
{
    if (tx_queue_.publish())
        notify(tx_doorbell_, transmit_queue);
}

void VirtioNet::reclaim()
{
    for (;;) {
        const auto used = tx_queue_.next_used();
        if (used.got == Virtqueue::Got::nothing)
            return;
        if (used.got == Virtqueue::Got::nonsense) {
            broke_rule();
            return;
        }
        tx_queue_.release(used.head, [this](uint16_t page) { tx_done(page); });
    }
}

// --- Interrupts -----------------------------------------------------------------

void VirtioNet::silence()
{
    rx_queue_.want_interrupts(false);
    tx_queue_.want_interrupts(false);
    // Reading gives a line back, too.
    if (!card_.has_msix() && (card_.read(isr_.bar, isr_.offset, 1) & ISR_CONFIG) != 0)
        link_may_have_changed();
}

void VirtioNet::arm(bool for_sending)
{
    if (vectors_ == 0)
        return;
    rx_queue_.want_interrupts(true);
    if (for_sending)
        tx_queue_.want_interrupts(true);
}

}  // namespace bulkhead::nic
