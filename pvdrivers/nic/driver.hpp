// SPDX-License-Identifier: BSD-2-Clause
// What all drivers share: send buffers, offloads in software, counting, and the way back from a card that is
// stuck or breaks its rules. A driver adds how its card is started and how its rings look.
#pragma once

#include "pvdrivers/nic/buffers.hpp"
#include "pvdrivers/nic/frame.hpp"
#include "pvdrivers/nic/nic.hpp"
#include "pvdrivers/nic/registers.hpp"

#include <optional>
#include <span>

namespace bulkhead::nic {

// A part of a send page on its way to the card. Not initialised: there are arrays of them for each frame.
struct TxPiece {
    uint64_t address;
    uint16_t bytes;
    uint16_t page;
};

// What the card is asked to do with a frame. Without headers: nothing.
struct TxJob {
    std::span<const TxPiece> pieces;
    std::span<std::byte> start;         // the first piece
    std::optional<FrameHeaders> headers;
    uint16_t segment_bytes = 0;         // 0: it is one frame, with its checksum to be computed
};

class Driver : public Nic {
public:
    // Finds the card's registers and starts it. The arena has least_pages at least. XEN_ENODEV: the card lacks
    // what the driver needs, or does not come up.
    [[nodiscard]] Result<> start(const DmaArena& arena, EventHandler handler);

    [[nodiscard]] MacAddress mac() const override { return mac_; }
    [[nodiscard]] LinkState link() const override { return link_; }
    [[nodiscard]] Features features() const override { return features_; }
    [[nodiscard]] Counters counters() const override { return counters_; }
    [[nodiscard]] std::span<std::byte> tx_buffer() override;
    void tx_release(std::span<std::byte> buffer) override;
    [[nodiscard]] bool send(std::span<const std::span<std::byte>> pieces, Offload offload) override;
    void kick() override;
    [[nodiscard]] size_t receive(std::span<RxFrame> frames) override;
    void recycle(std::span<const RxFrame> frames) override;
    void on_interrupt() override;
    [[nodiscard]] bool listen() override;
    [[nodiscard]] Duration poll_every() const override;
    void maintain() override;
    void reset() override;

protected:
    explicit Driver(Card& card) : card_(card) {}

    // --- What a card's driver has to say -----------------------------------------

    // Checks what the card is, once. Sets nothing in it.
    [[nodiscard]] virtual Result<> find() = 0;
    [[nodiscard]] virtual size_t ring_pages() const = 0;
    // Stops the card whatever it is doing: when this returns it reads and writes no memory.
    virtual void stop() = 0;
    // After stop(): makes the rings and starts the card, silent. Sets mac_, features_, link_.
    [[nodiscard]] virtual Result<> bring_up() = 0;

    // Whether that many more jobs with that many pieces together fit into the ring.
    [[nodiscard]] virtual bool has_room(size_t jobs, size_t pieces) const = 0;
    // Each piece ends with tx_done(), in reclaim().
    virtual void enqueue(const TxJob& job) = 0;
    virtual void ring_tx() = 0;
    virtual void reclaim() = 0;
    // Puts buffers that wait into the ring and tells the card.
    virtual void refill() = 0;
    // One received frame: false if there is none.
    [[nodiscard]] virtual bool take(RxFrame& frame) = 0;

    virtual void silence() = 0;
    // Interrupts on. `for_sending`: also when frames have been sent.
    virtual void arm(bool for_sending) = 0;
    [[nodiscard]] virtual bool rx_waits() const = 0;
    [[nodiscard]] virtual bool tx_waits() const = 0;        // something for reclaim()
    [[nodiscard]] virtual bool tx_busy() const = 0;         // something in the card
    [[nodiscard]] virtual LinkState read_link() = 0;
    virtual void read_statistics() {}
    [[nodiscard]] virtual bool card_is_well() { return true; }  // asked once a second

    // --- For the card's driver ----------------------------------------------------

    // The card broke a rule. It is reset soon; until then it is left alone.
    void broke_rule();
    [[nodiscard]] bool broken() const { return broken_; }
    void tx_done(uint16_t page)
    {
        tx_.done(page);
        ++tx_progress_;
    }
    void link_may_have_changed() { look_at_link_ = true; }

    Card& card_;
    DmaRange rings_;
    RxBuffers rx_;
    TxPages tx_;
    MacAddress mac_;
    LinkState link_;
    Features features_;
    Counters counters_;
    unsigned vectors_ = 0;      // 0: polled; 1: one for everything; 2: the second says that the link changed

private:
    void bind(EventHandler handler);
    static void on_line(void* context, Port port);
    static void on_second_vector(void* context, Port port);
    [[nodiscard]] bool check(std::span<const std::span<std::byte>> pieces, Offload offload);
    bool refuse(std::span<const std::span<std::byte>> pieces, uint64_t& counter);
    [[nodiscard]] bool make_room(size_t jobs, size_t pieces);
    [[nodiscard]] bool send_whole(std::span<const std::span<std::byte>> pieces, TxJob job);
    [[nodiscard]] bool send_segments(std::span<const std::span<std::byte>> pieces, const FrameHeaders& headers,
                                     uint16_t segment_bytes);
    void send_segment(uint16_t page, std::span<std::byte> frame, const FrameHeaders& headers);
    [[nodiscard]] Result<> begin();
    void update_link();
    void restart();

    EventHandler handler_{};
    bool broken_ = false;
    bool reset_lately_ = false;         // since the last maintain()
    bool listening_ = false;
    bool starved_ = false;              // tx_buffer() had none to give
    bool look_at_link_ = false;
    uint64_t tx_progress_ = 0;
    uint64_t tx_progress_before_ = 0;
    unsigned stuck_for_ = 0;            // calls of maintain()
};

}  // namespace bulkhead::nic
