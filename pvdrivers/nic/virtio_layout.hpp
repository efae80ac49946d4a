// SPDX-License-Identifier: BSD-2-Clause
// virtio over PCI, split virtqueues and the network device.
// Source: "Virtual I/O Device (VIRTIO) Version 1.2", 2.7 "Split Virtqueues", 4.1.4 "Virtio Structure PCI
// Capabilities", 5.1 "Network Device". All of it is little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::nic::virtio {

// --- Finding the structures -------------------------------------------------------

inline constexpr uint32_t CAPABILITIES_POINTER = 0x34;
inline constexpr uint8_t CAPABILITY_VENDOR = 0x09;

enum class Structure : uint8_t { common = 1, notify = 2, isr = 3, device = 4 };

// Offsets in a capability.
inline constexpr uint32_t CAP_CFG_TYPE = 3;
inline constexpr uint32_t CAP_BAR = 4;
inline constexpr uint32_t CAP_OFFSET = 8;
inline constexpr uint32_t CAP_LENGTH = 12;
inline constexpr uint32_t CAP_NOTIFY_MULTIPLIER = 16;

// --- struct virtio_pci_common_cfg ---------------------------------------------------

inline constexpr uint32_t COMMON_DEVICE_FEATURE_SELECT = 0;
inline constexpr uint32_t COMMON_DEVICE_FEATURE = 4;
inline constexpr uint32_t COMMON_DRIVER_FEATURE_SELECT = 8;
inline constexpr uint32_t COMMON_DRIVER_FEATURE = 12;
inline constexpr uint32_t COMMON_CONFIG_MSIX_VECTOR = 16;
inline constexpr uint32_t COMMON_NUM_QUEUES = 18;
inline constexpr uint32_t COMMON_DEVICE_STATUS = 20;
inline constexpr uint32_t COMMON_QUEUE_SELECT = 22;
inline constexpr uint32_t COMMON_QUEUE_SIZE = 24;
inline constexpr uint32_t COMMON_QUEUE_MSIX_VECTOR = 26;
inline constexpr uint32_t COMMON_QUEUE_ENABLE = 28;
inline constexpr uint32_t COMMON_QUEUE_NOTIFY_OFF = 30;
inline constexpr uint32_t COMMON_QUEUE_DESC = 32;
inline constexpr uint32_t COMMON_QUEUE_DRIVER = 40;
inline constexpr uint32_t COMMON_QUEUE_DEVICE = 48;
inline constexpr uint32_t COMMON_BYTES = 56;

inline constexpr uint16_t NO_VECTOR = 0xffff;

inline constexpr uint8_t STATUS_ACKNOWLEDGE = 1;
inline constexpr uint8_t STATUS_DRIVER = 2;
inline constexpr uint8_t STATUS_DRIVER_OK = 4;
inline constexpr uint8_t STATUS_FEATURES_OK = 8;
inline constexpr uint8_t STATUS_NEEDS_RESET = 64;

inline constexpr uint8_t ISR_CONFIG = 2;

// --- Features -----------------------------------------------------------------------

inline constexpr uint64_t F_CSUM = uint64_t{1} << 0;
inline constexpr uint64_t F_GUEST_CSUM = uint64_t{1} << 1;
inline constexpr uint64_t F_MAC = uint64_t{1} << 5;
inline constexpr uint64_t F_HOST_TSO4 = uint64_t{1} << 11;
inline constexpr uint64_t F_HOST_TSO6 = uint64_t{1} << 12;
inline constexpr uint64_t F_STATUS = uint64_t{1} << 16;
inline constexpr uint64_t F_SPEED_DUPLEX = uint64_t{1} << 63;
inline constexpr uint64_t F_VERSION_1 = uint64_t{1} << 32;
inline constexpr uint64_t F_ACCESS_PLATFORM = uint64_t{1} << 33;

// struct virtio_net_config.
inline constexpr uint32_t NET_MAC = 0;
inline constexpr uint32_t NET_STATUS = 6;
inline constexpr uint32_t NET_SPEED = 12;
inline constexpr uint32_t NET_DUPLEX = 16;
inline constexpr uint16_t NET_STATUS_LINK_UP = 1;

// --- Rings ----------------------------------------------------------------------------

struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);
inline constexpr uint16_t DESCRIPTOR_NEXT = 1;
inline constexpr uint16_t DESCRIPTOR_WRITE = 2;

struct UsedElement {
    uint32_t id;
    uint32_t length;
};
static_assert(sizeof(UsedElement) == 8);

inline constexpr uint16_t AVAILABLE_NO_INTERRUPT = 1;
inline constexpr uint16_t USED_NO_NOTIFY = 1;

struct NetHeader {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_length;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    uint16_t buffers;
};
static_assert(sizeof(NetHeader) == 12);
inline constexpr uint8_t NET_NEEDS_CSUM = 1;
inline constexpr uint8_t NET_DATA_VALID = 2;
inline constexpr uint8_t NET_GSO_NONE = 0;
inline constexpr uint8_t NET_GSO_TCPV4 = 1;
inline constexpr uint8_t NET_GSO_TCPV6 = 4;

}  // namespace bulkhead::nic::virtio
