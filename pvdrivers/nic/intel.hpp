// SPDX-License-Identifier: BSD-2-Clause
// Intel's gigabit cards with the 8254x's rings: 82540EM (e1000) and 82574L (e1000e).
//
// What i210, i211 (8086:1533, 1539) and i225 (8086:15f3) would need beside a line in the table of variants, by
// their datasheets: queue registers at 0xc000 (receive) and 0xe000 (transmit), with bit 25 of RXDCTL and TXDCTL to
// enable the queue; SRRCTL with descriptor type 0 for the receive descriptors used here; advanced transmit
// descriptors (DTYP 2 and 3) in place of data and context; IVAR and the masks of MSI-X as EIMS, EIMC, EIAC;
// GPIE; and the PHY of the i225 by its own semaphore.
#pragma once

#include "pvdrivers/nic/driver.hpp"
#include "pvdrivers/nic/intel_registers.hpp"

namespace bulkhead::nic {

namespace intel {

struct Variant {
    CardId id;
    const char* name;
    bool pci_express;       // 82574: MSI-X, orderly end of DMA, a semaphore for the PHY
};
inline constexpr Variant variants[] = {
    {{0x8086, 0x100e}, "82540EM", false},
    {{0x8086, 0x10d3}, "82574L", true},
};
[[nodiscard]] constexpr const Variant* find_variant(CardId id)
{
    for (const Variant& variant : variants) {
        if (variant.id == id)
            return &variant;
    }
    return nullptr;
}

}  // namespace intel

class IntelDriver final : public Driver {
public:
    IntelDriver(Card& card, const intel::Variant& variant) : Driver(card), variant_(variant) {}

    [[nodiscard]] const char* name() const override { return variant_.name; }

protected:
    [[nodiscard]] Result<> find() override;
    [[nodiscard]] size_t ring_pages() const override { return 2; }
    void stop() override;
    [[nodiscard]] Result<> bring_up() override;
    [[nodiscard]] bool has_room(size_t jobs, size_t pieces) const override;
    void enqueue(const TxJob& job) override;
    void ring_tx() override;
    void reclaim() override;
    void refill() override;
    [[nodiscard]] bool take(RxFrame& frame) override;
    void silence() override;
    void arm(bool for_sending) override;
    [[nodiscard]] bool rx_waits() const override;
    [[nodiscard]] bool tx_waits() const override;
    [[nodiscard]] bool tx_busy() const override { return tx_clean_ != tx_next_; }
    [[nodiscard]] LinkState read_link() override;
    void read_statistics() override;
    [[nodiscard]] bool card_is_well() override;

private:
    static constexpr unsigned ring_size = 256;      // descriptors: a page
    static constexpr uint16_t no_page = UINT16_MAX;

    [[nodiscard]] uint32_t read(intel::Register reg) { return card_.read(0, static_cast<uint32_t>(reg), 4); }
    void write(intel::Register reg, uint32_t value) { card_.write(0, static_cast<uint32_t>(reg), 4, value); }
    void write_table(intel::Register first, unsigned entries, uint32_t value);
    bool wait_for(intel::Register reg, uint32_t mask, uint32_t value, unsigned most_ms);

    [[nodiscard]] bool read_mac();
    [[nodiscard]] std::optional<uint16_t> read_eeprom(unsigned word);
    void wake_phy();
    [[nodiscard]] std::optional<uint16_t> phy(uint32_t command);
    void set_interrupts();
    void start_receiver();
    void start_transmitter();

    // The card writes them meanwhile: volatile, and the status is read before the rest.
    [[nodiscard]] volatile intel::RxDescriptor& rx_ring(unsigned at) const;
    [[nodiscard]] volatile intel::TxDescriptor& tx_ring(unsigned at) const;
    void put(const intel::TxDescriptor& descriptor, uint16_t page);
    uint8_t put_context(const TxJob& job, uint32_t bytes);

    const intel::Variant& variant_;
    unsigned rx_next_ = 0;          // the next that the card fills
    unsigned rx_end_ = 0;           // the first without a buffer
    bool skipping_ = false;         // the rest of a frame that does not fit a buffer
    unsigned tx_next_ = 0;          // the next to write
    unsigned tx_clean_ = 0;         // the oldest that the card has
    unsigned tx_told_ = 0;          // what the card knows of tx_next_
    intel::TxContext context_{};    // that the card has loaded
    std::array<uint16_t, ring_size> rx_buffer_{};
    std::array<uint16_t, ring_size> tx_page_{};     // that a descriptor holds a piece of, or no_page
    std::array<uint8_t, ring_size> tx_last_{};      // the last descriptor of its frame
};

}  // namespace bulkhead::nic
