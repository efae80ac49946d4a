// SPDX-License-Identifier: BSD-2-Clause
// A network card as the switch sees it. All calls come from one vCPU. None blocks but make_nic() and a
// reset, in listen(), maintain() or reset(), for less than 20 ms. Whatever the card does, no call fails in another
// way than stated here: a card that breaks its rules is reset, the frames in it are lost and counted.
//
// Memory: the card reaches the DMA arena only, which the driver cuts into rings, receive buffers and send
// buffers once. A send buffer is a page. It belongs to the owner from tx_buffer() until send() or
// tx_release() has taken it, to the card until it has sent it, and is free then. A receive buffer belongs
// to the card until receive() hands it out, then to the owner until recycle(). A reset changes nothing for
// what the owner holds.
//
// The owner's loop:
//     handler of the event, or of a timer if poll_every() is not 0:
//         nic.on_interrupt();
//         do {
//             while ((count = nic.receive(frames)) != 0) { forward them; nic.recycle(first count frames); }
//         } while (!nic.listen());
//     after a batch of send():   nic.kick();
//     once a second:             nic.maintain();
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>
#include <bulkhead/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::nic {

struct MacAddress {
    std::array<uint8_t, 6> bytes{};
    bool operator==(const MacAddress&) const = default;
};

struct LinkState {
    bool up = false;
    uint32_t mbit_per_second = 0;       // 0: not known, as with most virtual cards
    bool full_duplex = true;
    bool operator==(const LinkState&) const = default;
};

// What the card does itself. The owner may ask for any Offload of any card: the driver does in software
// what the card cannot. So this is for status pages, and for deciding what to offer to front ends.
struct Features {
    bool tx_checksum = false;
    bool rx_checksum = false;
    bool tso4 = false;
    bool tso6 = false;
};

// Of one frame, with the meanings that netif.h gives the flags.
struct Offload {
    // The checksum of TCP or UDP holds the sum of the pseudo header only.
    bool checksum_blank = false;
    // Known to be right, or of no importance (checksum_blank implies it).
    bool checksum_valid = false;
    uint8_t gso_type = 0;               // XEN_NETIF_GSO_TYPE_*
    uint16_t gso_size = 0;              // bytes of payload in each segment
};

inline constexpr size_t tx_buffer_bytes = 4096;
inline constexpr size_t most_tx_pieces = 18;            // of one frame: 64 KiB, not aligned
inline constexpr size_t most_tx_bytes = 65535 + 18;     // with the Ethernet header, VLAN tag included
inline constexpr size_t most_rx_pieces = 8;             // one, unless frames are longer than 1518 bytes

// A received frame, without its checksum. No piece crosses a page.
struct RxFrame {
    std::array<std::span<std::byte>, most_rx_pieces> piece{};
    uint32_t pieces = 0;
    uint32_t bytes = 0;
    Offload offload{};
};

// Since start(); a reset clears none of them.
struct Counters {
    uint64_t rx_frames = 0;
    uint64_t rx_bytes = 0;
    uint64_t rx_errors = 0;             // the card says that the frame is bad
    uint64_t rx_missed = 0;             // the card had no buffer for it, by its own count
    uint64_t tx_frames = 0;             // taken by send(); a frame with gso_type counts once
    uint64_t tx_bytes = 0;
    uint64_t tx_no_buffer = 0;          // tx_buffer() or send() found nothing free
    uint64_t tx_bad = 0;                // refused by send(): no frame, or headers that do not fit its Offload
    uint64_t tx_lost = 0;               // pieces that were in the card when it was reset
    uint64_t software_checksums = 0;    // frames or segments whose checksum the driver had to compute
    uint64_t software_segments = 0;     // that the driver cut
    uint64_t interrupts = 0;            // calls of on_interrupt()
    uint64_t link_changes = 0;
    uint64_t broken = 0;                // rules that the card broke: an index, a length, an id; each ends in a reset
    uint64_t resets = 0;                // after start(), whatever the reason
};

// Memory that cards reach: pages in a row, also for the card. Without an IOMMU `address` is the machine's.
struct DmaArena {
    std::span<std::byte> memory;        // page-aligned; 256 pages are good, least_pages the least
    uint64_t address = 0;               // of its first byte, as the card sees it

    static constexpr size_t least_pages = 48;
};

class Nic {
public:
    virtual ~Nic() = default;

    // "virtio-net", "82574L", "82540EM".
    [[nodiscard]] virtual const char* name() const = 0;
    [[nodiscard]] virtual MacAddress mac() const = 0;
    [[nodiscard]] virtual LinkState link() const = 0;           // as of the last on_interrupt() or maintain()
    [[nodiscard]] virtual Features features() const = 0;
    [[nodiscard]] virtual Counters counters() const = 0;

    // --- Sending ----------------------------------------------------------------

    // A free buffer of tx_buffer_bytes. Empty: there is none now; the interrupt will come (or the next poll
    // finds it) when some are free again.
    [[nodiscard]] virtual std::span<std::byte> tx_buffer() = 0;
    virtual void tx_release(std::span<std::byte> buffer) = 0;   // one that was not sent

    // Hands over one frame: at least 14 bytes; at most 1518, or most_tx_bytes if it has a gso_type. Each piece
    // is a part of a buffer that tx_buffer() gave, at most one piece a buffer; with an Offload the first one
    // holds all headers. The buffers are not the owner's any more, whatever it returns.
    // false: the frame is dropped, and counted in tx_no_buffer or tx_bad.
    [[nodiscard]] virtual bool send(std::span<const std::span<std::byte>> pieces, Offload offload) = 0;
    // Tells the card of all frames since the last kick.
    virtual void kick() = 0;

    // --- Receiving --------------------------------------------------------------

    // Fills `frames` from the front with what has come. Returns how many. How long a card, or who sends to it,
    // keeps the loop going is for the owner to bound.
    [[nodiscard]] virtual size_t receive(std::span<RxFrame> frames) = 0;
    // Gives all pieces of these frames back. They may have been shortened or moved within their buffer.
    virtual void recycle(std::span<const RxFrame> frames) = 0;

    // --- Interrupts and upkeep --------------------------------------------------

    // To be called when the handler given to make_nic() runs. The card is silent until listen(), as it is
    // after make_nic(): call listen() then, too.
    virtual void on_interrupt() = 0;
    // Asks for interrupts again. false: something has come meanwhile, the card is silent still; go on
    // with receive().
    [[nodiscard]] virtual bool listen() = 0;
    // 0 if the card interrupts; else call on_interrupt() and what follows that often.
    [[nodiscard]] virtual Duration poll_every() const = 0;

    // About once a second, outside of the loop: looks at the link, reads the card's counts, resets a card that
    // is stuck or broke its rules.
    virtual void maintain() = 0;
    // Stops the card and starts it anew. The frames in it are lost. Like maintain() it may call the handler.
    virtual void reset() = 0;
};

}  // namespace bulkhead::nic
