// SPDX-License-Identifier: BSD-2-Clause
// Stopping and starting an Intel card, its PHY, its MAC address and its counts. Its rings are in intel.cpp.
// Sources: those of intel_registers.hpp, "Initialization and Reset Operation", "Software Initialization".
#include "pvdrivers/nic/intel.hpp"

#include <chrono>

namespace bulkhead::nic {

using namespace intel;
using namespace std::chrono_literals;

Result<> IntelDriver::find()
{
    if (card_.map_bar(0) < registers_bytes || read(Register::STATUS) == UINT32_MAX)
        return failure(XEN_ENODEV);
    return {};
}

void IntelDriver::write_table(Register first, unsigned entries, uint32_t value)
{
    for (unsigned i = 0; i < entries; ++i)
        card_.write(0, static_cast<uint32_t>(first) + 4 * i, 4, value);
}

bool IntelDriver::wait_for(Register reg, uint32_t mask, uint32_t value, unsigned most_ms)
{
    for (unsigned tries = 0; tries < most_ms * 10; ++tries) {
        if ((read(reg) & mask) == value)
            return true;
        card_.pause(100us);
    }
    return false;
}

// DMA is off already. The emulated 82540EM takes CTRL_RST without resetting anything, so its rings are emptied
// by their registers too; and it receives nothing for a second after each write to RCTL, so that one is left alone.
// The reset leaves the PHY alone: the link stays.
void IntelDriver::stop()
{
    write(Register::IMC, UINT32_MAX);
    if (variant_.pci_express)
        write(Register::RCTL, 0);
    write(Register::TCTL, TCTL_PSP);
    (void)read(Register::STATUS);
    if (variant_.pci_express) {
        write(Register::CTRL, read(Register::CTRL) | CTRL_GIO_MASTER_DISABLE);
        (void)wait_for(Register::STATUS, STATUS_GIO_MASTER_ENABLE, 0, 5);
    } else {
        card_.pause(1ms);
    }
    write(Register::CTRL, (read(Register::CTRL) & ~CTRL_PHY_RST) | CTRL_RST);
    card_.pause(1ms);
    (void)wait_for(Register::CTRL, CTRL_RST, 0, 5);
    write(Register::IMC, UINT32_MAX);
    (void)read(Register::ICR);
    for (const Register reg : {Register::RDLEN, Register::RDH, Register::RDT, Register::TDLEN, Register::TDH,
                               Register::TDT})
        write(reg, 0);
}

Result<> IntelDriver::bring_up()
{
    if (read(Register::STATUS) == UINT32_MAX || (read(Register::CTRL) & CTRL_RST) != 0 || !read_mac())
        return failure(XEN_ENODEV);
    features_ = {.tx_checksum = true, .rx_checksum = true, .tso4 = true, .tso6 = true};

    uint32_t control = read(Register::CTRL);
    control &= ~(CTRL_FRCSPD | CTRL_FRCDPLX | CTRL_PHY_RST | CTRL_VME | CTRL_GIO_MASTER_DISABLE);
    if (!variant_.pci_express)
        control = (control & ~CTRL_ILOS) | CTRL_ASDE;
    write(Register::CTRL, control | CTRL_SLU);
    wake_phy();
    if (variant_.pci_express) {
        // Both against completions that get lost. Source: 82574 specification update.
        write(Register::GCR, read(Register::GCR) | GCR_LOST_COMPLETIONS);
        write(Register::GCR2, read(Register::GCR2) | GCR2_LOST_COMPLETIONS);
    }
    write_table(Register::MTA, 128, 0);
    write_table(Register::VFTA, 128, 0);
    set_interrupts();
    start_transmitter();
    start_receiver();
    const Counters ours = counters_;
    read_statistics();
    counters_ = ours;
    return {};
}

bool IntelDriver::read_mac()
{
    const uint32_t low = read(Register::RAL0);
    const uint32_t high = read(Register::RAH0);
    uint64_t address = low | uint64_t{high & 0xffff} << 32;
    if ((high & RAH_AV) == 0) {
        address = 0;
        for (unsigned word = 0; word < 3; ++word) {
            const auto value = read_eeprom(word);
            if (!value)
                return false;
            address |= uint64_t{*value} << (16 * word);
        }
        write(Register::RAL0, static_cast<uint32_t>(address));
        write(Register::RAH0, static_cast<uint32_t>(address >> 32) | RAH_AV);
    }
    for (unsigned i = 0; i < 6; ++i)
        mac_.bytes[i] = static_cast<uint8_t>(address >> (8 * i));
    return address != 0 && (mac_.bytes[0] & 1) == 0;
}

std::optional<uint16_t> IntelDriver::read_eeprom(unsigned word)
{
    // Start, done and where the address begins differ.
    const uint32_t done = variant_.pci_express ? 1U << 1 : 1U << 4;
    const unsigned shift = variant_.pci_express ? 2 : 8;
    write(Register::EERD, word << shift | 1);
    if (!wait_for(Register::EERD, done, done, 5))
        return std::nullopt;
    return static_cast<uint16_t>(read(Register::EERD) >> 16);
}

std::optional<uint16_t> IntelDriver::phy(uint32_t command)
{
    write(Register::MDIC, command | MDIC_PHY_1);
    if (!wait_for(Register::MDIC, MDIC_READY, MDIC_READY, 2))
        return std::nullopt;
    const uint32_t result = read(Register::MDIC);
    if ((result & MDIC_ERROR) != 0)
        return std::nullopt;
    return static_cast<uint16_t>(result);
}

// Only if somebody switched it off: to negotiate anew takes seconds without a link.
void IntelDriver::wake_phy()
{
    if (variant_.pci_express) {
        write(Register::EXTCNF_CTRL, read(Register::EXTCNF_CTRL) | EXTCNF_CTRL_MDIO_SW);
        (void)wait_for(Register::EXTCNF_CTRL, EXTCNF_CTRL_MDIO_SW, EXTCNF_CTRL_MDIO_SW, 2);
    }
    const auto control = phy(MDIC_READ | PHY_CONTROL << 16);
    constexpr uint16_t off = PHY_CONTROL_POWER_DOWN | PHY_CONTROL_ISOLATE;
    if (control && ((*control & off) != 0 || (*control & PHY_CONTROL_AUTONEG) == 0))
        (void)phy(MDIC_WRITE | PHY_CONTROL << 16 | PHY_CONTROL_AUTONEG | PHY_CONTROL_RESTART_AUTONEG);
    if (variant_.pci_express)
        write(Register::EXTCNF_CTRL, read(Register::EXTCNF_CTRL) & ~EXTCNF_CTRL_MDIO_SW);
}

// On the 82574 each cause is cleared when its message is sent, and both vectors keep 20 us between two
// messages. The queues' vector is silenced by IMC; that of the link needs no silence.
void IntelDriver::set_interrupts()
{
    if (!variant_.pci_express) {
        write(Register::ITR, 0);
        return;
    }
    constexpr uint32_t units_of_256_ns = 80;
    uint32_t extended = (read(Register::CTRL_EXT) & ~CTRL_EXT_EIAME) | CTRL_EXT_DRV_LOAD;
    if (vectors_ == 2) {
        extended |= CTRL_EXT_PBA_SUPPORT;
        write(Register::IVAR, IVAR_QUEUES_0_OTHER_1);
        write(Register::EIAC, INTERRUPT_RXQ0 | INTERRUPT_TXQ0 | INTERRUPT_OTHER);
        write(Register::EITR0, units_of_256_ns);
        write(Register::EITR1, units_of_256_ns);
    } else {
        write(Register::EIAC, 0);
        write(Register::ITR, units_of_256_ns);
    }
    write(Register::IAM, 0);
    write(Register::CTRL_EXT, extended);
}

void IntelDriver::start_receiver()
{
    rx_next_ = rx_end_ = 0;
    skipping_ = false;
    write(Register::RDBAL, static_cast<uint32_t>(rings_.address));
    write(Register::RDBAH, static_cast<uint32_t>(rings_.address >> 32));
    write(Register::RDLEN, ring_size * sizeof(RxDescriptor));
    write(Register::RDH, 0);
    write(Register::RDT, 0);
    write(Register::RDTR, 0);
    write(Register::RADV, 0);
    if (variant_.pci_express)
        write(Register::RFCTL, 0);      // legacy descriptors
    write(Register::RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL);
    constexpr uint32_t control = RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC;
    if (read(Register::RCTL) != control)
        write(Register::RCTL, control);
}

void IntelDriver::start_transmitter()
{
    tx_next_ = tx_clean_ = tx_told_ = 0;
    tx_page_.fill(no_page);
    context_ = {};
    const uint64_t address = rings_.address + dma_page_bytes;
    write(Register::TDBAL, static_cast<uint32_t>(address));
    write(Register::TDBAH, static_cast<uint32_t>(address >> 32));
    write(Register::TDLEN, ring_size * sizeof(TxDescriptor));
    write(Register::TDH, 0);
    write(Register::TDT, 0);
    write(Register::TIDV, 0);
    write(Register::TADV, 0);
    write(Register::TIPG, TIPG_COPPER);
    write(Register::TXDCTL, TXDCTL_GRAN | TXDCTL_WTHRESH_1 | (variant_.pci_express ? TXDCTL_COUNT_DESC : 0));
    write(Register::TCTL, TCTL_EN | TCTL_PSP | TCTL_CT_15 | TCTL_COLD_FULL);
}

LinkState IntelDriver::read_link()
{
    constexpr uint16_t speeds[] = {10, 100, 1000, 1000};
    const uint32_t status = read(Register::STATUS);
    if (status == UINT32_MAX || (status & STATUS_LU) == 0)
        return {};
    return {.up = true,
            .mbit_per_second = speeds[status >> STATUS_SPEED_SHIFT & 3],
            .full_duplex = (status & STATUS_FD) != 0};
}

// The card's counts start at 0 with each read.
void IntelDriver::read_statistics()
{
    counters_.rx_missed += read(Register::MPC);
    for (const Register reg : {Register::CRCERRS, Register::RXERRC, Register::RLEC, Register::ROC})
        counters_.rx_errors += read(reg);
}

bool IntelDriver::card_is_well() { return read(Register::STATUS) != UINT32_MAX; }

}  // namespace bulkhead::nic
