// SPDX-License-Identifier: BSD-2-Clause
// Starting, receiving, interrupts and upkeep. Sending is in sending.cpp.
#include "pvdrivers/nic/driver.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace bulkhead::nic {

Result<> Driver::start(const DmaArena& arena, EventHandler handler)
{
    if (arena.memory.size() / dma_page_bytes < DmaArena::least_pages)
        return failure(XEN_ENOMEM);
    if (const auto found = find(); !found)
        return found;
    const Layout layout = Layout::of(arena, ring_pages());
    rings_ = layout.rings;
    rx_.init(layout.rx);
    tx_.init(layout.tx);
    bind(handler);
    const auto begun = begin();
    counters_ = {};
    return begun;
}

// The second vector of MSI-X is for the link only. A card whose interrupts cannot be had is polled.
void Driver::bind(EventHandler handler)
{
    handler_ = handler;
    const unsigned vectors = std::min(card_.vectors(), card_.has_msix() ? 2U : 1U);
    const EventHandler first = card_.has_msix() ? handler : EventHandler{on_line, this};
    if (vectors != 0 && !card_.bind_interrupt(0, first))
        return;
    if (vectors == 2 && !card_.bind_interrupt(1, {on_second_vector, this}))
        return;
    vectors_ = vectors;
}

// A line would interrupt again until the card has taken its request back.
void Driver::on_line(void* context, Port port)
{
    auto* driver = static_cast<Driver*>(context);
    if (!driver->broken_)
        driver->silence();
    driver->handler_.function(driver->handler_.context, port);
}

void Driver::on_second_vector(void* context, Port port)
{
    auto* driver = static_cast<Driver*>(context);
    driver->look_at_link_ = true;
    driver->handler_.function(driver->handler_.context, port);
}

// Whatever the card was doing before: DMA is off until its rings are new.
Result<> Driver::begin()
{
    (void)card_.enable_dma(false);
    stop();
    rx_.take_all_from_card();
    counters_.tx_lost += tx_.take_all_from_card();
    std::memset(rings_.memory.data(), 0, rings_.memory.size());
    broken_ = true;
    listening_ = false;
    stuck_for_ = 0;
    if (const auto on = card_.enable_dma(true); !on)
        return on;
    if (const auto up = bring_up(); !up) {
        (void)card_.enable_dma(false);
        return up;
    }
    broken_ = false;
    refill();
    update_link();
    return {};
}

void Driver::restart()
{
    ++counters_.resets;
    reset_lately_ = true;
    (void)begin();
    if (!listen())
        handler_.function(handler_.context, Port{});
}

void Driver::reset() { restart(); }

void Driver::broke_rule()
{
    ++counters_.broken;
    broken_ = true;
}

size_t Driver::receive(std::span<RxFrame> frames)
{
    size_t count = 0;
    while (count < frames.size() && !broken_ && take(frames[count])) {
        ++counters_.rx_frames;
        counters_.rx_bytes += frames[count].bytes;
        ++count;
    }
    return count;
}

void Driver::recycle(std::span<const RxFrame> frames)
{
    constexpr size_t batch = 32;    // what is worth telling the card; listen() tells it the rest
    for (const RxFrame& frame : frames) {
        for (size_t piece = 0; piece < std::min<size_t>(frame.pieces, most_rx_pieces); ++piece)
            (void)rx_.recycle(frame.piece[piece].data());
    }
    if (!broken_ && rx_.waiting() >= std::min(batch, rx_.count() / 2))
        refill();
}

void Driver::on_interrupt()
{
    ++counters_.interrupts;
    listening_ = false;
    if (broken_)
        return;
    silence();
    if (look_at_link_)
        update_link();
}

bool Driver::listen()
{
    if (!broken_)
        reclaim();
    // At once, but not more than once a second: a card that goes on breaking its rules costs little.
    if (broken_ && !reset_lately_) {
        ++counters_.resets;
        reset_lately_ = true;
        (void)begin();
    }
    listening_ = true;
    if (broken_)
        return true;
    refill();
    starved_ = starved_ && tx_.free_pages() < tx_.pages() / 4;
    arm(starved_);
    if (!rx_waits() && !(starved_ && tx_waits()))
        return true;
    silence();
    listening_ = false;
    return false;
}

Duration Driver::poll_every() const
{
    return vectors_ == 0 ? Duration{std::chrono::milliseconds{1}} : Duration{0};
}

void Driver::maintain()
{
    reset_lately_ = false;
    if (!broken_ && !card_is_well())
        broke_rule();
    if (!broken_)
        reclaim();
    const bool stuck = !broken_ && tx_busy() && link_.up && tx_progress_ == tx_progress_before_;
    stuck_for_ = stuck ? stuck_for_ + 1 : 0;
    tx_progress_before_ = tx_progress_;
    constexpr unsigned patience = 2;
    if (broken_ || stuck_for_ >= patience) {
        restart();
        return;
    }
    update_link();
    read_statistics();
    refill();
}

void Driver::update_link()
{
    look_at_link_ = false;
    const LinkState now = read_link();
    if (now == link_)
        return;
    link_ = now;
    ++counters_.link_changes;
}

}  // namespace bulkhead::nic
