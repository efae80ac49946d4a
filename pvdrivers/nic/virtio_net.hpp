// SPDX-License-Identifier: BSD-2-Clause
// virtio-net over modern PCI: one receive and one transmit queue.
#pragma once

#include "pvdrivers/nic/driver.hpp"
#include "pvdrivers/nic/virtqueue.hpp"

namespace bulkhead::nic {

class VirtioNet final : public Driver {
public:
    explicit VirtioNet(Card& card) : Driver(card) {}

    // The modern id, and the older one of cards that speak both.
    [[nodiscard]] static constexpr bool drives(CardId id)
    {
        return id.vendor == 0x1af4 && (id.device == 0x1041 || id.device == 0x1000);
    }
    [[nodiscard]] const char* name() const override { return "virtio-net"; }

protected:
    [[nodiscard]] Result<> find() override;
    [[nodiscard]] size_t ring_pages() const override { return 2 * Virtqueue::memory_pages + 1; }
    void stop() override;
    [[nodiscard]] Result<> bring_up() override;
    [[nodiscard]] bool has_room(size_t jobs, size_t pieces) const override
    {
        return tx_queue_.free_entries() >= jobs + pieces;       // each job has a header
    }
    void enqueue(const TxJob& job) override;
    void ring_tx() override;
    void reclaim() override;
    void refill() override;
    [[nodiscard]] bool take(RxFrame& frame) override;
    void silence() override;
    void arm(bool for_sending) override;
    [[nodiscard]] bool rx_waits() const override { return rx_queue_.used_waits(); }
    [[nodiscard]] bool tx_waits() const override { return tx_queue_.used_waits(); }
    [[nodiscard]] bool tx_busy() const override { return tx_queue_.busy(); }
    [[nodiscard]] LinkState read_link() override;
    [[nodiscard]] bool card_is_well() override;

private:
    static constexpr uint16_t receive_queue = 0;
    static constexpr uint16_t transmit_queue = 1;

    // A structure's place in a BAR.
    struct Window {
        unsigned bar = 0;
        uint32_t offset = 0;
        uint32_t bytes = 0;
        uint32_t multiplier = 0;    // of the notify structure
    };
    bool find_window(uint32_t capability, virtio::Structure type, Window& window, uint32_t least_bytes);

    [[nodiscard]] uint32_t common(uint32_t field, unsigned bytes)
    {
        return card_.read(common_.bar, common_.offset + field, bytes);
    }
    void set_common(uint32_t field, unsigned bytes, uint32_t value)
    {
        card_.write(common_.bar, common_.offset + field, bytes, value);
    }
    [[nodiscard]] uint32_t device(uint32_t field, unsigned bytes)
    {
        return card_.read(device_.bar, device_.offset + field, bytes);
    }
    [[nodiscard]] Result<> negotiate();
    [[nodiscard]] Result<> set_queue(uint16_t number, Virtqueue& queue, size_t page, Window& doorbell);
    [[nodiscard]] bool set_vector(uint32_t field, uint16_t vector);
    void notify(const Window& doorbell, uint16_t queue) { card_.write(doorbell.bar, doorbell.offset, 2, queue); }
    [[nodiscard]] virtio::NetHeader header_for(const TxJob& job) const;

    Window common_;
    Window notify_;
    Window isr_;
    Window device_;
    Window rx_doorbell_;
    Window tx_doorbell_;
    uint64_t agreed_ = 0;           // features
    Virtqueue rx_queue_;
    Virtqueue tx_queue_;
};

}  // namespace bulkhead::nic
