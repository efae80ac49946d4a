// SPDX-License-Identifier: BSD-2-Clause
// Finding, stopping and starting a virtio-net card. Its queues are in virtio_net.cpp.
// Source: VIRTIO 1.2, 3.1 "Device Initialization", 4.1 "Virtio Over PCI Bus", 5.1.5 "Device Initialization".
#include "pvdrivers/nic/virtio_net.hpp"

#include <bit>
#include <chrono>

namespace bulkhead::nic {

using namespace virtio;
using namespace std::chrono_literals;

// The first capability of a type that makes sense counts.
bool VirtioNet::find_window(uint32_t capability, Structure type, Window& window, uint32_t least_bytes)
{
    if (window.bytes != 0 || card_.config_read(capability + CAP_CFG_TYPE, 1) != static_cast<uint32_t>(type))
        return false;
    const uint32_t bar = card_.config_read(capability + CAP_BAR, 1);
    const uint32_t offset = card_.config_read(capability + CAP_OFFSET, 4);
    const uint32_t bytes = card_.config_read(capability + CAP_LENGTH, 4);
    if (bar > 5 || offset % 4 != 0 || bytes < least_bytes)
        return false;
    const size_t there = card_.map_bar(bar);
    if (offset > there || bytes > there - offset)
        return false;
    window = {.bar = bar, .offset = offset, .bytes = bytes, .multiplier = 0};
    if (type == Structure::notify)
        window.multiplier = card_.config_read(capability + CAP_NOTIFY_MULTIPLIER, 4);
    return true;
}

Result<> VirtioNet::find()
{
    constexpr unsigned most_capabilities = 48;
    constexpr uint32_t net_config_bytes = NET_STATUS + 2;
    uint32_t at = card_.config_read(CAPABILITIES_POINTER, 1) & 0xfc;
    for (unsigned i = 0; i < most_capabilities && at >= 0x40; ++i) {
        if (card_.config_read(at, 1) == CAPABILITY_VENDOR && at <= 0x100 - 20) {
            (void)(find_window(at, Structure::common, common_, COMMON_BYTES) ||
                   find_window(at, Structure::notify, notify_, 2) || find_window(at, Structure::isr, isr_, 1) ||
                   find_window(at, Structure::device, device_, net_config_bytes));
        }
        at = card_.config_read(at + 1, 1) & 0xfc;
    }
    if (common_.bytes == 0 || notify_.bytes == 0 || isr_.bytes == 0 || device_.bytes == 0)
        return failure(XEN_ENODEV);
    return {};
}

void VirtioNet::stop()
{
    set_common(COMMON_DEVICE_STATUS, 1, 0);
    for (unsigned tries = 0; tries < 50 && common(COMMON_DEVICE_STATUS, 1) != 0; ++tries)
        card_.pause(100us);
}

Result<> VirtioNet::negotiate()
{
    set_common(COMMON_DEVICE_FEATURE_SELECT, 4, 0);
    uint64_t offered = common(COMMON_DEVICE_FEATURE, 4);
    set_common(COMMON_DEVICE_FEATURE_SELECT, 4, 1);
    offered |= uint64_t{common(COMMON_DEVICE_FEATURE, 4)} << 32;
    // Without GUEST_TSO no frame is longer than a buffer, so MRG_RXBUF would bring nothing.
    agreed_ = offered & (F_VERSION_1 | F_ACCESS_PLATFORM | F_MAC | F_STATUS | F_CSUM | F_GUEST_CSUM | F_SPEED_DUPLEX);
    if ((agreed_ & F_CSUM) != 0)
        agreed_ |= offered & (F_HOST_TSO4 | F_HOST_TSO6);
    if ((agreed_ & F_VERSION_1) == 0 || (agreed_ & F_MAC) == 0)
        return failure(XEN_ENODEV);
    set_common(COMMON_DRIVER_FEATURE_SELECT, 4, 0);
    set_common(COMMON_DRIVER_FEATURE, 4, static_cast<uint32_t>(agreed_));
    set_common(COMMON_DRIVER_FEATURE_SELECT, 4, 1);
    set_common(COMMON_DRIVER_FEATURE, 4, static_cast<uint32_t>(agreed_ >> 32));
    constexpr uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
    set_common(COMMON_DEVICE_STATUS, 1, status);
    if (common(COMMON_DEVICE_STATUS, 1) != status)
        return failure(XEN_ENODEV);
    features_ = {.tx_checksum = (agreed_ & F_CSUM) != 0,
                 .rx_checksum = (agreed_ & F_GUEST_CSUM) != 0,
                 .tso4 = (agreed_ & F_HOST_TSO4) != 0,
                 .tso6 = (agreed_ & F_HOST_TSO6) != 0};
    return {};
}

bool VirtioNet::set_vector(uint32_t field, uint16_t vector)
{
    set_common(field, 2, vector);
    return common(field, 2) == vector;
}

Result<> VirtioNet::set_queue(uint16_t number, Virtqueue& queue, size_t page, Window& doorbell)
{
    set_common(COMMON_QUEUE_SELECT, 2, number);
    const uint32_t most = common(COMMON_QUEUE_SIZE, 2);
    if (most < 32 || most > 32768 || !std::has_single_bit(most))
        return failure(XEN_ENODEV);
    const unsigned entries = most < Virtqueue::most_entries ? most : Virtqueue::most_entries;
    queue.init(rings_.part(page * dma_page_bytes, Virtqueue::memory_pages * dma_page_bytes), entries);
    set_common(COMMON_QUEUE_SIZE, 2, entries);
    const auto set_address = [this](uint32_t field, uint64_t address) {
        set_common(field, 4, static_cast<uint32_t>(address));
        set_common(field + 4, 4, static_cast<uint32_t>(address >> 32));
    };
    set_address(COMMON_QUEUE_DESC, queue.descriptors_address());
    set_address(COMMON_QUEUE_DRIVER, queue.available_address());
    set_address(COMMON_QUEUE_DEVICE, queue.used_address());
    if (card_.has_msix() && !set_vector(COMMON_QUEUE_MSIX_VECTOR, vectors_ != 0 ? uint16_t{0} : NO_VECTOR))
        return failure(XEN_ENODEV);
    const uint64_t offset = uint64_t{common(COMMON_QUEUE_NOTIFY_OFF, 2)} * notify_.multiplier;
    if (offset % 2 != 0 || offset > notify_.bytes - 2)
        return failure(XEN_ENODEV);
    doorbell = notify_;
    doorbell.offset += static_cast<uint32_t>(offset);
    set_common(COMMON_QUEUE_ENABLE, 2, 1);
    return {};
}

Result<> VirtioNet::bring_up()
{
    if (common(COMMON_DEVICE_STATUS, 1) != 0)
        return failure(XEN_ENODEV);         // it does not reset
    set_common(COMMON_DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE);
    set_common(COMMON_DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    if (const auto done = negotiate(); !done)
        return done;
    for (unsigned i = 0; i < 6; ++i)
        mac_.bytes[i] = static_cast<uint8_t>(device(NET_MAC + i, 1));
    if (mac_ == MacAddress{} || (mac_.bytes[0] & 1) != 0 || common(COMMON_NUM_QUEUES, 2) < 2)
        return failure(XEN_ENODEV);
    if (card_.has_msix()) {
        const uint16_t vector = vectors_ == 2 ? 1 : vectors_ == 1 ? 0 : NO_VECTOR;
        if (!set_vector(COMMON_CONFIG_MSIX_VECTOR, vector))
            return failure(XEN_ENODEV);
    }
    if (const auto done = set_queue(receive_queue, rx_queue_, 0, rx_doorbell_); !done)
        return done;
    if (const auto done = set_queue(transmit_queue, tx_queue_, Virtqueue::memory_pages, tx_doorbell_); !done)
        return done;
    set_common(COMMON_DEVICE_STATUS, 1,
               STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
    return {};
}

LinkState VirtioNet::read_link()
{
    LinkState link{.up = true, .mbit_per_second = 0, .full_duplex = true};
    if ((agreed_ & F_STATUS) != 0)
        link.up = (device(NET_STATUS, 2) & NET_STATUS_LINK_UP) != 0;
    if ((agreed_ & F_SPEED_DUPLEX) != 0 && device_.bytes > NET_DUPLEX) {
        const uint32_t speed = device(NET_SPEED, 4);
        link.mbit_per_second = speed <= INT32_MAX ? speed : 0;
        link.full_duplex = device(NET_DUPLEX, 1) != 0;
    }
    return link;
}

bool VirtioNet::card_is_well()
{
    constexpr uint8_t running = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
    return common(COMMON_DEVICE_STATUS, 1) == running;
}

}  // namespace bulkhead::nic
