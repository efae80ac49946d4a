// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/io/netif.h, "Guest transmit".
#include "pvdrivers/switch/tx_queue.hpp"

#include <bulkhead/memory.hpp>

#include <algorithm>

namespace bulkhead::net {

namespace {

// A first slot shorter than this is no use for finding the headers; more of the frame is copied in.
constexpr uint32_t least_header = 54;

Offload offload_of(uint16_t flags)
{
    return {.checksum_blank = (flags & NETTXF_csum_blank) != 0,
            .checksum_valid = (flags & (NETTXF_data_validated | NETTXF_csum_blank)) != 0};
}

}  // namespace

const char* text_of(RingError error)
{
    switch (error) {
    case RingError::none: return "nothing";
    case RingError::index: return "its index has run away";
    case RingError::extra: return "its extra infos have no end or no meaning";
    case RingError::chain: return "its packet has too many slots, or too few are there";
    case RingError::page: return "its slot ends behind the page";
    }
    return "?";
}

Result<> HeaderStore::open()
{
    constexpr size_t pages = slots_a_turn * header_room / page_bytes;
    static_assert(slots_a_turn * header_room % page_bytes == 0);
    const auto memory = allocate_pages(pages);
    if (!memory)
        return failure(memory.error());
    memory_ = memory->data();
    for (uint32_t i = 0; i < slots_a_turn; ++i)
        sides_[i] = own_side(bytes(i));
    return {};
}

RingError TxQueue::collect(Batch& batch, const HeaderStore& headers, Copies& copies, GroupRequests& groups)
{
    batch.clear();
    Cursor cursor{ring.taken, ring.available()};
    if (cursor.available > TxRing::slots)
        return RingError::index;
    while (cursor.available != 0 && batch.answers < slots_a_turn) {
        const RingError error = take_packet(cursor, batch, headers, copies, groups);
        if (error != RingError::none) [[unlikely]]
            return error;
    }
    ring.taken = cursor.index;
    return RingError::none;
}

void TxQueue::add_answer(Batch& batch, uint16_t id, int16_t status)
{
    batch.answer[batch.answers++] = {id, status};
}

RingError TxQueue::take_packet(Cursor& cursor, Batch& batch, const HeaderStore& headers, Copies& copies,
                               GroupRequests& groups)
{
    const Cursor start = cursor;
    Shape shape;
    shape.first = ring.request(cursor.index++);
    --cursor.available;
    shape.offload = offload_of(shape.first.flags);
    Packet& packet = batch.packet[batch.packets];
    packet = {static_cast<uint16_t>(batch.answers), 0, NETIF_RSP_OKAY, false, 0};
    const uint32_t first_piece = batch.pieces;
    add_answer(batch, shape.first.id, NETIF_RSP_OKAY);

    if ((shape.first.flags & NETTXF_extra_info) != 0) {
        if (const RingError error = take_extras(cursor, batch, shape, groups); error != RingError::none)
            return error;
    }
    if (shape.is_command) {
        packet.status = shape.command_done ? NETIF_RSP_OKAY : NETIF_RSP_ERROR;
    } else {
        if (const RingError error = take_slots(cursor, batch, shape, packet); error != RingError::none)
            return error;
        if (packet.status == NETIF_RSP_OKAY)
            make_frame(batch, shape, packet, first_piece, headers, copies);
    }
    packet.slots = static_cast<uint16_t>(cursor.index - start.index);
    ++batch.packets;
    return RingError::none;
}

// Extra infos have no id; their answers say that they are none.
RingError TxQueue::take_extras(Cursor& cursor, Batch& batch, Shape& shape, GroupRequests& groups)
{
    uint32_t count = 0;
    for (bool more = true; more; ++count) {
        if (cursor.available == 0 || count == most_extras)
            return RingError::extra;
        const netif_tx_request_t slot = ring.request(cursor.index++);
        --cursor.available;
        netif_extra_info_t extra;
        static_assert(sizeof(extra) <= sizeof(slot));
        std::memcpy(&extra, &slot, sizeof(extra));
        add_answer(batch, shape.first.id, NETIF_RSP_NULL);
        Mac mac = 0;
        switch (extra.type) {
        case XEN_NETIF_EXTRA_TYPE_GSO:
            shape.offload.gso_type = extra.u.gso.type;
            shape.offload.gso_size = extra.u.gso.size;
            break;
        case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
        case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
            std::memcpy(&mac, extra.u.mcast.addr, sizeof(extra.u.mcast.addr));
            shape.is_command = true;
            shape.command_done =
                extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ? groups.add_group(mac) : groups.remove_group(mac);
            break;
        case XEN_NETIF_EXTRA_TYPE_HASH: break;
        default: return RingError::extra;
        }
        more = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
    }
    return RingError::none;
}

// The first request's size is the packet's; what the others have is less. A slot that leaves its page
// breaks the rules, sizes that do not add up make no frame.
RingError TxQueue::take_slots(Cursor& cursor, Batch& batch, const Shape& shape, Packet& packet)
{
    const uint32_t first_piece = batch.pieces++;
    uint32_t first_bytes = shape.first.size;
    uint16_t flags = shape.first.flags;
    for (uint32_t count = 1; (flags & NETTXF_more_data) != 0; ++count) {
        if (cursor.available == 0 || count == most_slots_of_frame)
            return RingError::chain;
        const netif_tx_request_t slot = ring.request(cursor.index++);
        --cursor.available;
        add_answer(batch, slot.id, NETIF_RSP_OKAY);
        if (slot.size > first_bytes || slot.size == 0) {
            packet.status = NETIF_RSP_ERROR;
            first_bytes = 0;
        } else {
            first_bytes -= slot.size;
        }
        if (uint32_t{slot.offset} + slot.size > page_bytes)
            return RingError::page;
        batch.piece[batch.pieces++] = {foreign_side(domain, GrantRef{slot.gref}, slot.offset), slot.size, GNTCOPY_source_gref};
        flags = slot.flags;
    }
    if (first_bytes == 0)
        packet.status = NETIF_RSP_ERROR;
    if (packet.status == NETIF_RSP_OKAY && shape.first.offset + first_bytes > page_bytes)
        return RingError::page;
    batch.piece[first_piece] = {foreign_side(domain, GrantRef{shape.first.gref}, shape.first.offset),
                                static_cast<uint16_t>(first_bytes), GNTCOPY_source_gref};
    return RingError::none;
}

// The header is what the first slot has, up to header_room; of a first slot that is too short to hold
// the headers, as much of the next ones as there is room for.
void TxQueue::make_frame(Batch& batch, const Shape& shape, Packet& packet, uint32_t first_piece,
                         const HeaderStore& headers, Copies& copies)
{
    const uint32_t index = batch.frames++;
    Frame& frame = batch.frame[index];
    frame.header = headers.bytes(index);
    frame.header_side = headers.side(index);
    frame.header_bytes = 0;
    frame.bytes = shape.first.size;
    frame.offload = shape.offload;
    frame.failed = false;
    packet.has_frame = true;
    packet.frame = static_cast<uint16_t>(index);

    uint32_t piece = first_piece;
    if (Piece& only = batch.piece[piece]; only.bytes <= header_room && only.bytes >= least_header) [[likely]] {
        copies.add(only.side, frame.header_side, only.bytes, GNTCOPY_source_gref, frame, nullptr);
        frame.header_bytes = only.bytes;
        frame.rest = {&batch.piece[piece + 1], batch.pieces - piece - 1};
        return;
    }
    CopySide to = frame.header_side;
    while (piece < batch.pieces && frame.header_bytes < least_header) {
        Piece& from = batch.piece[piece];
        const uint32_t now = std::min<uint32_t>(from.bytes, header_room - frame.header_bytes);
        copies.add(from.side, to, now, GNTCOPY_source_gref, frame, nullptr);
        frame.header_bytes += now;
        to.offset = static_cast<uint16_t>(to.offset + now);
        from.bytes = static_cast<uint16_t>(from.bytes - now);
        from.side.offset = static_cast<uint16_t>(from.side.offset + now);
        if (from.bytes != 0)
            break;
        ++piece;
    }
    frame.rest = {&batch.piece[piece], batch.pieces - piece};
}

bool TxQueue::answer(Batch& batch, uint32_t packets, Journal& journal)
{
    uint32_t answers = 0;
    for (uint32_t i = 0; i < packets; ++i) {
        const Packet& packet = batch.packet[i];
        answers += packet.slots;
        if (packet.status == NETIF_RSP_OKAY) [[likely]]
            continue;
        for (uint32_t slot = 0; slot < packet.slots; ++slot) {
            netif_tx_response_t& answer = batch.answer[packet.first_answer + slot];
            if (answer.status != NETIF_RSP_NULL)
                answer.status = packet.status;
        }
    }
    ring.taken = ring.published() + answers;
    if (answers == 0)
        return false;
    return journal.answer(ring, name, {batch.answer.data(), answers});
}

}  // namespace bulkhead::net
