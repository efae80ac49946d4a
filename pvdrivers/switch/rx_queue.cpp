// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/io/netif.h, "Guest receive".
#include "pvdrivers/switch/rx_queue.hpp"

#include <bulkhead/memory.hpp>

#include <algorithm>

namespace bulkhead::net {

namespace {

using namespace std::chrono_literals;
constexpr Duration most_patience = 50ms;
constexpr int patience_share = 4;               // one part in so many of the time may be waiting
constexpr uint32_t most_linear_bytes = 256;     // Linux, xen-netfront: RX_COPY_THRESHOLD

uint16_t flags_of(const Offload& offload)
{
    if (offload.checksum_blank)
        return NETRXF_csum_blank | NETRXF_data_validated;
    return offload.checksum_valid ? NETRXF_data_validated : 0;
}

enum class Form : uint8_t { whole, by_piece, packed };

Form form_of(const Frame& frame, uint32_t& slots)
{
    slots = 1;
    if (frame.bytes <= page_bytes)
        return Form::whole;
    const auto packed = static_cast<uint32_t>((frame.bytes + page_bytes - 1) / page_bytes);
    slots = static_cast<uint32_t>(frame.rest.size()) + 1;
    if (slots <= std::min(packed + 2, most_slots_of_frame) && frame.header_bytes <= most_linear_bytes)
        return Form::by_piece;
    slots = packed;
    return Form::packed;
}

}  // namespace

Verdict RxQueue::offer(Frame& frame, Copies& copies)
{
    uint32_t slots = 0;
    const Form form = form_of(frame, slots);
    const bool has_gso = frame.offload.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    const uint32_t needed = slots + has_gso;
    uint32_t available = ring.available();
    if (available < needed) [[unlikely]] {
        ring.ask_for_event(needed);
        available = ring.available();
    }
    if (available > RxRing::slots) [[unlikely]] {
        is_broken = true;
        return Verdict::dropped;
    }
    if (available < needed || count_ == taken_.size()) [[unlikely]]
        return Verdict::busy;

    Taken& taken = taken_[count_++];
    taken = {&frame, static_cast<uint16_t>(used_), static_cast<uint16_t>(needed), 0, false};
    switch (form) {
    case Form::whole: fill_whole(frame, copies, taken); break;
    case Form::by_piece: fill_by_piece(frame, copies, taken); break;
    case Form::packed: fill_packed(frame, copies, taken, slots); break;
    }
    return Verdict::taken;
}

// The next posted slot, answered with so many bytes.
CopySide RxQueue::take_slot(uint32_t bytes, uint16_t flags)
{
    const netif_rx_request_t request = ring.request(ring.taken++);
    responses_[used_++] = {request.id, 0, flags, static_cast<int16_t>(bytes)};
    return foreign_side(domain, GrantRef{request.gref}, 0);
}

// Takes the place of the slot's response; its request's memory is not used.
void RxQueue::add_gso(const Offload& offload, Taken& taken)
{
    taken.extra_id = ring.request(ring.taken++).id;
    netif_extra_info_t extra{};
    extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra.u.gso.size = offload.gso_size;
    extra.u.gso.type = offload.gso_type;
    static_assert(sizeof(extra) == sizeof(netif_rx_response_t));
    std::memcpy(&responses_[used_++], &extra, sizeof(extra));
}

void RxQueue::fill_whole(Frame& frame, Copies& copies, Taken& taken)
{
    const bool has_gso = frame.offload.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    const auto flags = static_cast<uint16_t>(flags_of(frame.offload) | (has_gso ? NETRXF_extra_info : 0));
    CopySide to = take_slot(frame.bytes, flags);
    if (has_gso)
        add_gso(frame.offload, taken);
    copies.add(frame.header_side, to, frame.header_bytes, GNTCOPY_dest_gref, frame, &taken.target_failed);
    to.offset = static_cast<uint16_t>(frame.header_bytes);
    for (const Piece& piece : frame.rest) {
        copies.add(piece.side, to, piece.bytes, piece.flags | GNTCOPY_dest_gref, frame, &taken.target_failed);
        to.offset = static_cast<uint16_t>(to.offset + piece.bytes);
    }
}

void RxQueue::fill_by_piece(Frame& frame, Copies& copies, Taken& taken)
{
    const bool has_gso = frame.offload.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    const auto flags =
        static_cast<uint16_t>(flags_of(frame.offload) | NETRXF_more_data | (has_gso ? NETRXF_extra_info : 0));
    CopySide to = take_slot(frame.header_bytes, flags);
    if (has_gso)
        add_gso(frame.offload, taken);
    copies.add(frame.header_side, to, frame.header_bytes, GNTCOPY_dest_gref, frame, &taken.target_failed);
    const Piece* const last = &frame.rest.back();
    for (const Piece* piece = frame.rest.data(); piece <= last; ++piece) {
        to = take_slot(piece->bytes, piece == last ? 0 : NETRXF_more_data);
        copies.add(piece->side, to, piece->bytes, piece->flags | GNTCOPY_dest_gref, frame, &taken.target_failed);
    }
}

void RxQueue::fill_packed(Frame& frame, Copies& copies, Taken& taken, uint32_t slots)
{
    const bool has_gso = frame.offload.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    Piece from{frame.header_side, static_cast<uint16_t>(frame.header_bytes), 0};
    const Piece* next = frame.rest.data();
    uint32_t left = frame.bytes;
    for (uint32_t slot = 0; slot < slots; ++slot) {
        const auto bytes = static_cast<uint32_t>(std::min<size_t>(left, page_bytes));
        auto flags = static_cast<uint16_t>(slot + 1 < slots ? NETRXF_more_data : 0);
        if (slot == 0)
            flags = static_cast<uint16_t>(flags | flags_of(frame.offload) | (has_gso ? NETRXF_extra_info : 0));
        CopySide to = take_slot(bytes, flags);
        if (slot == 0 && has_gso)
            add_gso(frame.offload, taken);
        left -= bytes;
        for (uint32_t room = bytes; room != 0;) {
            if (from.bytes == 0)
                from = *next++;
            const uint32_t now = std::min<uint32_t>(room, from.bytes);
            copies.add(from.side, to, now, from.flags | GNTCOPY_dest_gref, frame, &taken.target_failed);
            from.bytes = static_cast<uint16_t>(from.bytes - now);
            from.side.offset = static_cast<uint16_t>(from.side.offset + now);
            to.offset = static_cast<uint16_t>(to.offset + now);
            room -= now;
        }
    }
}

// Every slot goes back as an error of its own, so that the partition posts its memory anew.
void RxQueue::fail(const Taken& taken)
{
    uint16_t flags = 0;
    for (uint32_t i = 0; i < taken.slots; ++i) {
        netif_rx_response_t& response = responses_[taken.first + i];
        if (i == 0)
            flags = response.flags;
        const bool is_extra = i == 1 && (flags & NETRXF_extra_info) != 0;
        response = {is_extra ? taken.extra_id : response.id, 0, 0, NETIF_RSP_ERROR};
    }
}

bool RxQueue::finish(Journal& journal, Counters& counters, Traffic& out)
{
    for (uint32_t i = 0; i < count_; ++i) {
        const Taken& taken = taken_[i];
        if (taken.frame->failed || taken.target_failed) [[unlikely]] {
            fail(taken);
            if (taken.target_failed)
                counters.add(Counter::target_refused);
            continue;
        }
        ++out.frames;
        out.bytes += taken.frame->bytes;
    }
    count_ = 0;
    const uint32_t used = used_;
    used_ = 0;
    return used != 0 && journal.answer(ring, name, {responses_.data(), used});
}

Duration RxQueue::patience(Time now)
{
    patience_ = std::min(most_patience, patience_ + (now - refilled_) / patience_share);
    refilled_ = now;
    is_given_up_ = is_given_up_ && given_up_at_ == ring.taken + ring.available();
    return is_given_up_ ? Duration::zero() : patience_;
}

}  // namespace bulkhead::net
