// SPDX-License-Identifier: BSD-2-Clause
// Sending: whose buffer it is, whether the headers bear the offload, and the offloads that the card lacks.
#include "pvdrivers/nic/driver.hpp"

#include <algorithm>
#include <cstring>

extern "C" {
#include <xen/io/netif.h>
}

namespace bulkhead::nic {
namespace {

constexpr size_t least_frame_bytes = 14;
constexpr size_t most_frame_bytes = 1518;       // without its checksum, with one VLAN tag
constexpr size_t most_segments = 256;           // of one frame: a bound of the work, far above what guests do

using Pieces = std::span<const std::span<std::byte>>;

size_t total_bytes(Pieces pieces)
{
    size_t bytes = 0;
    for (const auto& piece : pieces)
        bytes += piece.size();
    return bytes;
}

// Reads the bytes behind the headers, piece after piece.
class Payload {
public:
    Payload(Pieces pieces, size_t skip) : pieces_(pieces), at_(skip) {}

    void copy(std::span<std::byte> to)
    {
        while (!to.empty()) {
            const auto rest = pieces_[piece_].subspan(at_);
            const size_t bytes = std::min(rest.size(), to.size());
            std::memcpy(to.data(), rest.data(), bytes);
            to = to.subspan(bytes);
            at_ += bytes;
            if (at_ == pieces_[piece_].size()) {
                ++piece_;
                at_ = 0;
            }
        }
    }

private:
    Pieces pieces_;
    size_t piece_ = 0;
    size_t at_;
};

}  // namespace

std::span<std::byte> Driver::tx_buffer()
{
    auto page = tx_.take();
    if (!page && !broken_) {
        reclaim();
        page = tx_.take();
    }
    if (page)
        return tx_.memory(*page);
    ++counters_.tx_no_buffer;
    starved_ = true;
    if (listening_ && !broken_)
        arm(true);
    return {};
}

void Driver::tx_release(std::span<std::byte> buffer)
{
    if (const auto page = tx_.owned_page(buffer))
        tx_.release(*page);
}

void Driver::kick()
{
    if (!broken_)
        ring_tx();
}

// Drops the frame.
bool Driver::refuse(Pieces pieces, uint64_t& counter)
{
    ++counter;
    for (const auto& piece : pieces)
        tx_release(piece);
    return false;
}

bool Driver::check(Pieces pieces, Offload offload)
{
    const size_t bytes = total_bytes(pieces);
    const bool segments = offload.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    if (pieces.size() > most_tx_pieces || bytes < least_frame_bytes ||
        bytes > (segments ? most_tx_bytes : most_frame_bytes))
        return false;
    if (segments && (offload.gso_size == 0 || bytes / offload.gso_size > most_segments))
        return false;
    return std::ranges::all_of(pieces, [this](const auto& piece) { return tx_.owned_page(piece).has_value(); });
}

bool Driver::send(Pieces pieces, Offload offload)
{
    if (!check(pieces, offload))
        return refuse(pieces, counters_.tx_bad);
    if (broken_)
        return refuse(pieces, counters_.tx_lost);

    TxJob job{.pieces = {}, .start = pieces[0], .headers = {}, .segment_bytes = 0};
    if (offload.gso_type == XEN_NETIF_GSO_TYPE_NONE && !offload.checksum_blank)
        return send_whole(pieces, job);
    job.headers = find_headers(pieces[0]);
    if (!job.headers)
        return refuse(pieces, counters_.tx_bad);
    if (offload.gso_type != XEN_NETIF_GSO_TYPE_NONE) {
        const bool ipv6 = offload.gso_type == XEN_NETIF_GSO_TYPE_TCPV6;
        if (!job.headers->tcp || job.headers->ipv6 != ipv6 ||
            job.headers->payload + size_t{offload.gso_size} > most_frame_bytes)
            return refuse(pieces, counters_.tx_bad);
        if (total_bytes(pieces) - job.headers->payload > offload.gso_size) {
            if (!(ipv6 ? features_.tso6 : features_.tso4))
                return send_segments(pieces, *job.headers, offload.gso_size);
            job.segment_bytes = offload.gso_size;
            return send_whole(pieces, job);
        }
    }
    if (!features_.tx_checksum) {
        complete_checksum(pieces, *job.headers);
        ++counters_.software_checksums;
        job.headers.reset();
    }
    return send_whole(pieces, job);
}

bool Driver::make_room(size_t jobs, size_t pieces)
{
    if (has_room(jobs, pieces))
        return true;
    reclaim();
    return !broken_ && has_room(jobs, pieces);
}

bool Driver::send_whole(Pieces pieces, TxJob job)
{
    if (!make_room(1, pieces.size()))
        return refuse(pieces, counters_.tx_no_buffer);
    std::array<TxPiece, most_tx_pieces> list;
    size_t bytes = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
        const auto page = tx_.owned_page(pieces[i]);
        if (!page) {    // a buffer for the second time
            for (size_t lent = 0; lent < i; ++lent)
                tx_.done(list[lent].page);
            return refuse(pieces.subspan(i), counters_.tx_bad);
        }
        tx_.lend(*page, 1);
        list[i] = {tx_.range().address_of(pieces[i].data()), static_cast<uint16_t>(pieces[i].size()), *page};
        bytes += pieces[i].size();
    }
    job.pieces = {list.data(), pieces.size()};
    enqueue(job);
    ++counters_.tx_frames;
    counters_.tx_bytes += bytes;
    return true;
}

// Each segment lies in one piece, headers included; several share a page.
bool Driver::send_segments(Pieces pieces, const FrameHeaders& headers, uint16_t segment_bytes)
{
    const size_t payload = total_bytes(pieces) - headers.payload;
    const size_t count = (payload + segment_bytes - 1) / segment_bytes;
    const size_t room = (headers.payload + size_t{segment_bytes} + 63) & ~size_t{63};
    const size_t in_page = dma_page_bytes / room;
    const size_t pages = (count + in_page - 1) / in_page;
    if (tx_.free_pages() < pages)
        reclaim();
    if (broken_ || tx_.free_pages() < pages || !make_room(count, count))
        return refuse(pieces, counters_.tx_no_buffer);

    Payload from{pieces, headers.payload};
    for (size_t number = 0; number < count;) {
        const uint16_t page = *tx_.take();
        const size_t here = std::min(in_page, count - number);
        for (size_t i = 0; i < here; ++i, ++number) {
            const auto offset = static_cast<uint32_t>(number * segment_bytes);
            const auto bytes = static_cast<uint32_t>(std::min<size_t>(segment_bytes, payload - offset));
            const auto frame = tx_.memory(page).subspan(i * room, headers.payload + bytes);
            std::memcpy(frame.data(), pieces[0].data(), headers.payload);
            from.copy(frame.subspan(headers.payload));
            adjust_segment(frame, headers,
                           {offset, bytes, static_cast<uint16_t>(number), number == count - 1});
            send_segment(page, frame, headers);
        }
        tx_.lend(page, static_cast<uint16_t>(here));
    }
    for (const auto& piece : pieces)
        tx_release(piece);
    counters_.software_segments += count;
    ++counters_.tx_frames;
    counters_.tx_bytes += payload + headers.payload;
    return true;
}

void Driver::send_segment(uint16_t page, std::span<std::byte> frame, const FrameHeaders& headers)
{
    const TxPiece piece{tx_.range().address_of(frame.data()), static_cast<uint16_t>(frame.size()), page};
    TxJob job{.pieces = {&piece, 1}, .start = frame, .headers = headers, .segment_bytes = 0};
    if (!features_.tx_checksum) {
        complete_checksum({&frame, 1}, headers);
        ++counters_.software_checksums;
        job.headers.reset();
    }
    enqueue(job);
}

}  // namespace bulkhead::nic
