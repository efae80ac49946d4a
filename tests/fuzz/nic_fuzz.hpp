// SPDX-License-Identifier: BSD-2-Clause
// A network card that does anything: registers read as the input says, and between any two calls of the
// owner the input is written over the memory that the card reaches.
#pragma once

#include "tests/unit/nic/card_model.hpp"

#include "pvdrivers/nic/driver.hpp"

#include <algorithm>
#include <array>

namespace bulkhead::nic {

struct FuzzInput {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    uint16_t half()
    {
        const unsigned low = byte();
        return static_cast<uint16_t>(low | static_cast<unsigned>(byte()) << 8);
    }
    uint32_t word()
    {
        const uint32_t low = half();
        return low | uint32_t{half()} << 16;
    }
};

// Registers of a model, some of them replaced by the input. Accesses beyond a BAR end the program, as
// they would in the model.
template <class Model>
class HostileCard final : public Card {
public:
    HostileCard(Model& model, FuzzInput& input) : model_(model), input_(input) {}

    CardId id() const override { return model_.id(); }
    uint32_t config_read(uint32_t offset, unsigned bytes) const override
    {
        if (offset % bytes != 0 || offset + bytes > 256)
            __builtin_trap();
        return model_.config_read(offset, bytes);
    }
    size_t map_bar(unsigned bar) override { return model_.map_bar(bar); }
    uint32_t read(unsigned bar, uint32_t offset, unsigned bytes) override
    {
        const uint32_t honest = model_.read(bar, offset, bytes);
        if (!hostile || input_.size == 0 || input_.byte() % 4 != 0)
            return honest;
        const uint32_t value = input_.word();
        return bytes == 4 ? value : value & ((1U << (8 * bytes)) - 1);
    }
    void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value) override
    {
        model_.write(bar, offset, bytes, value);
    }
    unsigned vectors() const override { return model_.vectors(); }
    bool has_msix() const override { return model_.has_msix(); }
    Result<> bind_interrupt(unsigned vector, EventHandler handler) override
    {
        return model_.bind_interrupt(vector, handler);
    }
    Result<> enable_dma(bool on) override { return model_.enable_dma(on); }
    void pause(Duration) override {}

    bool hostile = true;

private:
    Model& model_;
    FuzzInput& input_;
};

// The owner: does what the input says, and holds buffers for as long as it likes.
class FuzzOwner {
public:
    FuzzOwner(Driver& driver, ModelMemory& memory, FuzzInput& input) : nic_(driver), memory_(memory), input_(input) {}

    static void nothing(void*, Port) {}

    // One operation; `receive` makes the model receive a frame.
    template <class Receive>
    void step(Receive receive)
    {
        switch (input_.byte() % 10) {
        case 0: scribble(); break;
        case 1: send(); break;
        case 2: nic_.kick(); break;
        case 3: receive(make_frame({}, input_.byte())); break;
        case 4: take(); break;
        case 5: give_back(); break;
        case 6: nic_.on_interrupt(); break;
        case 7: (void)nic_.listen(); break;
        case 8: nic_.maintain(); break;
        default: take(); nic_.reset(); break;
        }
    }

    // Whatever happened: every buffer can be had again once the card is honest.
    void settle()
    {
        while (!held_.empty())
            give_back();
        for (unsigned i = 0; i < 3; ++i)
            nic_.maintain();
        nic_.reset();
        size_t pages = 0;
        std::array<std::span<std::byte>, most_tx_pages> all;
        while (pages < all.size() && !(all[pages] = nic_.tx_buffer()).empty())
            ++pages;
        if (pages != tx_pages_at_start_)
            __builtin_trap();
        for (size_t i = 0; i < pages; ++i)
            nic_.tx_release(all[i]);
    }
    void count_pages()
    {
        std::array<std::span<std::byte>, most_tx_pages> all;
        while (!(all[tx_pages_at_start_] = nic_.tx_buffer()).empty())
            ++tx_pages_at_start_;
        for (size_t i = 0; i < tx_pages_at_start_; ++i)
            nic_.tx_release(all[i]);
    }

private:
    // Mostly the first pages: that is where the rings are.
    void scribble()
    {
        const DmaArena arena = memory_.arena();
        const size_t at = input_.half() % (6 * 4096);
        for (size_t i = 0, count = input_.byte() % 17; i < count; ++i)
            arena.memory[at + i] = std::byte{input_.byte()};
    }

    void send()
    {
        const uint8_t what = input_.byte();
        const FrameKind kind{(what & 1) != 0, (what & 2) != 0, (what & 4) != 0, 0};
        Bytes frame = make_frame(kind, input_.half() % 8000);
        frame[input_.byte() % std::min<size_t>(frame.size(), 80)] = input_.byte();
        std::vector<std::span<std::byte>> pieces;
        const size_t room = (what & 8) != 0 ? 4096 : 700;
        for (size_t at = 0; at < frame.size() && pieces.size() < most_tx_pieces; at += room) {
            const auto buffer = nic_.tx_buffer();
            if (buffer.empty())
                break;
            const size_t bytes = std::min(room, frame.size() - at);
            std::memcpy(buffer.data(), &frame[at], bytes);
            pieces.push_back(buffer.first(bytes));
        }
        Offload offload;
        offload.checksum_blank = (what & 16) != 0;
        offload.gso_type = what >> 5 & 3;
        offload.gso_size = input_.half() % 1600;
        (void)nic_.send(pieces, offload);
    }

    void take()
    {
        std::array<RxFrame, 4> frames;
        const size_t count = nic_.receive(frames);
        for (size_t i = 0; i < count; ++i) {
            for (size_t piece = 0; piece < frames[i].pieces; ++piece) {
                // What it gives lies in the arena, behind the rings.
                const auto part = frames[i].piece[piece];
                const auto arena = memory_.arena().memory;
                if (part.data() < arena.data() + 2 * 4096 || part.data() + part.size() > arena.data() + arena.size() ||
                    part.empty() || part.size() > rx_buffer_bytes)
                    __builtin_trap();
            }
            held_.push_back(frames[i]);
        }
    }
    void give_back()
    {
        if (held_.empty())
            return;
        nic_.recycle({&held_.back(), 1});
        held_.pop_back();
    }

    Driver& nic_;
    ModelMemory& memory_;
    FuzzInput& input_;
    std::vector<RxFrame> held_;
    size_t tx_pages_at_start_ = 0;
};

template <class Model, class DriverType, class... Arguments>
void fuzz_card(Model& model, ModelMemory& memory, FuzzInput& input, const Arguments&... arguments)
{
    HostileCard<Model> card{model, input};
    card.hostile = (input.byte() & 1) != 0;
    DriverType driver{card, arguments...};
    FuzzOwner owner{driver, memory, input};
    if (!driver.start(memory.arena(), {FuzzOwner::nothing, nullptr}))
        return;
    owner.count_pages();
    (void)driver.listen();
    card.hostile = true;
    for (unsigned steps = 0; input.size != 0 && steps < 2000; ++steps)
        owner.step([&model](const Bytes& frame) { (void)model.receive(frame); });
    card.hostile = false;
    owner.settle();
}

}  // namespace bulkhead::nic
