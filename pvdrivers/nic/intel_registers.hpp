// SPDX-License-Identifier: BSD-2-Clause
// Registers and descriptors that Intel's gigabit cards have in common, and what the 82574L adds.
// Sources: Intel, "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (82540EM);
// "82574 GbE Controller Family Datasheet".
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::nic::intel {

enum class Register : uint32_t {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    ICR = 0x00c0,
    ITR = 0x00c4,
    IMS = 0x00d0,
    IMC = 0x00d8,
    EIAC = 0x00dc,          // 82574
    IAM = 0x00e0,
    IVAR = 0x00e4,          // 82574
    EITR0 = 0x00e8,         // 82574
    EITR1 = 0x00ec,         // 82574
    RCTL = 0x0100,
    TCTL = 0x0400,
    TIPG = 0x0410,
    EXTCNF_CTRL = 0x0f00,   // 82574
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    RDTR = 0x2820,
    RXDCTL = 0x2828,
    RADV = 0x282c,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    TIDV = 0x3820,
    TXDCTL = 0x3828,
    TADV = 0x382c,
    CRCERRS = 0x4000,
    RXERRC = 0x400c,
    MPC = 0x4010,
    RLEC = 0x4040,
    RNBC = 0x40a0,
    ROC = 0x40ac,
    RXCSUM = 0x5000,
    RFCTL = 0x5008,         // 82574
    MTA = 0x5200,           // 128 of them
    RAL0 = 0x5400,
    RAH0 = 0x5404,
    VFTA = 0x5600,          // 128 of them
    GCR = 0x5b00,           // 82574
    GCR2 = 0x5b64,          // 82574
};

inline constexpr size_t registers_bytes = 0x20000;

inline constexpr uint32_t CTRL_FD = 1U << 0;
inline constexpr uint32_t CTRL_GIO_MASTER_DISABLE = 1U << 2;    // 82574
inline constexpr uint32_t CTRL_ASDE = 1U << 5;
inline constexpr uint32_t CTRL_SLU = 1U << 6;
inline constexpr uint32_t CTRL_ILOS = 1U << 7;                  // 82540
inline constexpr uint32_t CTRL_FRCSPD = 1U << 11;
inline constexpr uint32_t CTRL_FRCDPLX = 1U << 12;
inline constexpr uint32_t CTRL_RST = 1U << 26;
inline constexpr uint32_t CTRL_VME = 1U << 30;
inline constexpr uint32_t CTRL_PHY_RST = 1U << 31;

inline constexpr uint32_t STATUS_FD = 1U << 0;
inline constexpr uint32_t STATUS_LU = 1U << 1;
inline constexpr uint32_t STATUS_SPEED_SHIFT = 6;               // two bits: 10, 100, 1000, 1000 Mbit/s
inline constexpr uint32_t STATUS_GIO_MASTER_ENABLE = 1U << 19;  // 82574

inline constexpr uint32_t CTRL_EXT_EIAME = 1U << 24;            // 82574
inline constexpr uint32_t CTRL_EXT_DRV_LOAD = 1U << 28;         // 82574
inline constexpr uint32_t CTRL_EXT_PBA_SUPPORT = 1U << 31;      // 82574: MSI-X

inline constexpr uint32_t EXTCNF_CTRL_MDIO_SW = 1U << 5;        // 82574: the driver has the PHY

inline constexpr uint32_t MDIC_WRITE = 1U << 26;
inline constexpr uint32_t MDIC_READ = 2U << 26;
inline constexpr uint32_t MDIC_READY = 1U << 28;
inline constexpr uint32_t MDIC_ERROR = 1U << 30;
inline constexpr uint32_t MDIC_PHY_1 = 1U << 21;

inline constexpr uint32_t INTERRUPT_TXDW = 1U << 0;
inline constexpr uint32_t INTERRUPT_LSC = 1U << 2;
inline constexpr uint32_t INTERRUPT_RXDMT0 = 1U << 4;
inline constexpr uint32_t INTERRUPT_RXO = 1U << 6;
inline constexpr uint32_t INTERRUPT_RXT0 = 1U << 7;
inline constexpr uint32_t INTERRUPT_RXQ0 = 1U << 20;            // 82574, the next two also
inline constexpr uint32_t INTERRUPT_TXQ0 = 1U << 22;
inline constexpr uint32_t INTERRUPT_OTHER = 1U << 24;

// 82574: vector 0 for receive queue 0 and transmit queue 0, vector 1 for all else.
inline constexpr uint32_t IVAR_QUEUES_0_OTHER_1 = 0x8U | 0x8U << 8 | 0x9U << 16;

inline constexpr uint32_t RCTL_EN = 1U << 1;
inline constexpr uint32_t RCTL_UPE = 1U << 3;
inline constexpr uint32_t RCTL_MPE = 1U << 4;
inline constexpr uint32_t RCTL_BAM = 1U << 15;
inline constexpr uint32_t RCTL_SECRC = 1U << 26;                // buffers of 2048 bytes: BSIZE and BSEX 0

inline constexpr uint32_t TCTL_EN = 1U << 1;
inline constexpr uint32_t TCTL_PSP = 1U << 3;
inline constexpr uint32_t TCTL_CT_15 = 15U << 4;                // retries after a collision
inline constexpr uint32_t TCTL_COLD_FULL = 0x40U << 12;         // collision distance, full duplex

inline constexpr uint32_t TIPG_COPPER = 8U | 8U << 10 | 6U << 20;

// Granularity is descriptors; write back each one as soon as it is done. The 82574 wants bit 22 set.
inline constexpr uint32_t TXDCTL_GRAN = 1U << 24;
inline constexpr uint32_t TXDCTL_COUNT_DESC = 1U << 22;
inline constexpr uint32_t TXDCTL_WTHRESH_1 = 1U << 16;

inline constexpr uint32_t RXCSUM_IPOFL = 1U << 8;
inline constexpr uint32_t RXCSUM_TUOFL = 1U << 9;

inline constexpr uint32_t RAH_AV = 1U << 31;

inline constexpr uint32_t GCR_LOST_COMPLETIONS = 1U << 22;
inline constexpr uint32_t GCR2_LOST_COMPLETIONS = 1U << 0;

// Legacy receive descriptor. Source: "Receive Descriptor Format".
struct RxDescriptor {
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    uint8_t status;
    uint8_t errors;
    uint16_t special;
};
static_assert(sizeof(RxDescriptor) == 16 && offsetof(RxDescriptor, status) == 12);

inline constexpr uint8_t RXD_STATUS_DD = 1U << 0;
inline constexpr uint8_t RXD_STATUS_EOP = 1U << 1;
inline constexpr uint8_t RXD_STATUS_IXSM = 1U << 2;
inline constexpr uint8_t RXD_STATUS_TCPCS = 1U << 5;
inline constexpr uint8_t RXD_ERROR_FRAME = 0x97;        // CE, SE, SEQ, CXE, RXE
inline constexpr uint8_t RXD_ERROR_CHECKSUM = 0x60;     // TCPE, IPE

// Transmit descriptors: data (or legacy), and context. Source: "TCP/IP Context Transmit Descriptor Format",
// "TCP/IP Data Descriptor Format".
struct TxDescriptor {
    uint64_t address;
    uint32_t command;       // length in the lowest 20 bits
    uint8_t status;
    uint8_t options;        // POPTS
    uint16_t special;
};
static_assert(sizeof(TxDescriptor) == 16 && offsetof(TxDescriptor, status) == 12);

struct TxContext {
    uint8_t ip_start;       // IPCSS
    uint8_t ip_offset;      // IPCSO
    uint16_t ip_end;        // IPCSE
    uint8_t transport_start;
    uint8_t transport_offset;
    uint16_t transport_end; // 0: to the end of the packet
    uint32_t command;       // PAYLEN in the lowest 20 bits
    uint8_t status;
    uint8_t header_bytes;
    uint16_t mss;
    bool operator==(const TxContext&) const = default;
};
static_assert(sizeof(TxContext) == 16 && offsetof(TxContext, status) == 12);

inline constexpr uint32_t TXD_EOP = 1U << 24;
inline constexpr uint32_t TXD_IFCS = 1U << 25;
inline constexpr uint32_t TXD_TSE = 1U << 26;
inline constexpr uint32_t TXD_RS = 1U << 27;
inline constexpr uint32_t TXD_DEXT = 1U << 29;
inline constexpr uint32_t TXD_DATA = 1U << 20;          // DTYP; 0: context
inline constexpr uint32_t TXC_TCP = 1U << 24;           // the next two in a context only
inline constexpr uint32_t TXC_IP = 1U << 25;            // IPv4
inline constexpr uint8_t TXD_OPTION_IXSM = 1U << 0;
inline constexpr uint8_t TXD_OPTION_TXSM = 1U << 1;
inline constexpr uint8_t TXD_STATUS_DD = 1U << 0;

// PHY. Source: IEEE 802.3 clause 22.
inline constexpr uint32_t PHY_CONTROL = 0;
inline constexpr uint16_t PHY_CONTROL_ISOLATE = 1U << 10;
inline constexpr uint16_t PHY_CONTROL_POWER_DOWN = 1U << 11;
inline constexpr uint16_t PHY_CONTROL_AUTONEG = 1U << 12;
inline constexpr uint16_t PHY_CONTROL_RESTART_AUTONEG = 1U << 9;

}  // namespace bulkhead::nic::intel
