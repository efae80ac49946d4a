// SPDX-License-Identifier: BSD-2-Clause
// A model of a virtio-net card over modern PCI, written from the standard: capabilities, common configuration,
// split queues, offloads of sending.
#pragma once

#include "pvdrivers/nic/virtio_layout.hpp"
#include "tests/unit/nic/card_model.hpp"

namespace bulkhead::nic {

class VirtioModel final : public ModelCard {
public:
    static constexpr uint32_t multiplier = 4;
    static constexpr uint32_t notify_at = 0x3000;

    explicit VirtioModel(ModelMemory& memory) : ModelCard(memory)
    {
        config[0x34] = 0x40;
        // Something else first, then a structure in a BAR that is not there, then the real ones.
        add_capability(0x40, 0x54, 0x11, 0, 0, 0, 0);
        add_capability(0x54, 0x64, 9, 1, 5, 0, 56);
        add_capability(0x64, 0x74, 9, 1, 4, 0, 56);
        add_capability(0x74, 0x84, 9, 3, 4, 0x1000, 1);
        add_capability(0x84, 0x94, 9, 4, 4, 0x2000, 20);
        add_capability(0x94, 0, 9, 2, 4, notify_at, 0x1000);
        config[0x94 + 16] = multiplier;
    }

    void add_capability(unsigned at, unsigned next, unsigned id, unsigned type, unsigned bar, uint32_t offset,
                        uint32_t length)
    {
        config[at] = static_cast<uint8_t>(id);
        config[at + 1] = static_cast<uint8_t>(next);
        config[at + 3] = static_cast<uint8_t>(type);
        config[at + 4] = static_cast<uint8_t>(bar);
        std::memcpy(config + at + 8, &offset, 4);
        std::memcpy(config + at + 12, &length, 4);
    }

    [[nodiscard]] CardId id() const override { return {0x1af4, 0x1041}; }
    [[nodiscard]] size_t map_bar(unsigned bar) override { return bar == 4 ? 0x4000 : 0; }

    [[nodiscard]] uint32_t read(unsigned bar, uint32_t offset, unsigned bytes) override
    {
        check(bar, offset, bytes);
        if (offset == 0x1000) {
            const uint32_t value = isr;
            isr = 0;
            return value;
        }
        if (offset >= 0x2000 && offset < notify_at) {
            uint32_t value = 0;
            if (offset - 0x2000 + bytes <= sizeof(net_config))
                std::memcpy(&value, net_config + (offset - 0x2000), bytes);
            return value;
        }
        switch (offset) {
        case virtio::COMMON_DEVICE_FEATURE: return static_cast<uint32_t>(features >> (32 * (feature_select_ & 1)));
        case virtio::COMMON_CONFIG_MSIX_VECTOR: return config_vector;
        case virtio::COMMON_NUM_QUEUES: return queues_there;
        case virtio::COMMON_DEVICE_STATUS: return status;
        case virtio::COMMON_QUEUE_SIZE: return queue().size;
        case virtio::COMMON_QUEUE_MSIX_VECTOR: return queue().vector;
        case virtio::COMMON_QUEUE_NOTIFY_OFF: return notify_off[select_ & 1];
        default: return 0;
        }
    }

    void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value) override
    {
        check(bar, offset, bytes);
        if (offset >= notify_at) {
            ++notifications[value & 1];
            if (offset != notify_at + notify_off[value & 1] * multiplier || bytes != 2)
                misused();
            if (value == 1)
                transmit();
            return;
        }
        switch (offset) {
        case virtio::COMMON_DEVICE_FEATURE_SELECT: feature_select_ = value; return;
        case virtio::COMMON_DRIVER_FEATURE_SELECT: driver_select_ = value; return;
        case virtio::COMMON_DRIVER_FEATURE: {
            const unsigned shift = 32 * (driver_select_ & 1);
            agreed = (agreed & ~(uint64_t{UINT32_MAX} << shift)) | uint64_t{value} << shift;
            return;
        }
        case virtio::COMMON_CONFIG_MSIX_VECTOR: config_vector = static_cast<uint16_t>(value); return;
        case virtio::COMMON_DEVICE_STATUS: set_status(static_cast<uint8_t>(value)); return;
        case virtio::COMMON_QUEUE_SELECT: select_ = value; return;
        case virtio::COMMON_QUEUE_SIZE: queue().size = static_cast<uint16_t>(value); return;
        case virtio::COMMON_QUEUE_MSIX_VECTOR:
            queue().vector = refuse_vectors ? 0xffff : static_cast<uint16_t>(value);
            return;
        case virtio::COMMON_QUEUE_ENABLE: queue().enabled = true; return;
        default:
            if (offset < virtio::COMMON_QUEUE_DESC || offset >= virtio::COMMON_BYTES || bytes != 4)
                return;
            uint64_t& address = queue().address[(offset - virtio::COMMON_QUEUE_DESC) / 8];
            const unsigned shift = offset % 8 * 8;
            address = (address & ~(uint64_t{UINT32_MAX} << shift)) | uint64_t{value} << shift;
        }
    }

    struct Queue {
        uint16_t size = 256;
        uint16_t vector = 0xffff;
        bool enabled = false;
        uint64_t address[3]{};
        uint16_t taken = 0;
        uint16_t used = 0;
    };

    bool receive(const Bytes& frame, virtio::NetHeader header = {})
    {
        Queue& to = queue_[0];
        if (!running(to) || memory_.get<uint16_t>(to.address[1] + 2) == to.taken)
            return false;
        const uint16_t head = memory_.get<uint16_t>(to.address[1] + 4 + 2 * (to.taken % to.size));
        ++to.taken;
        const auto descriptor = memory_.get<virtio::Descriptor>(to.address[0] + 16 * (head % to.size));
        if ((descriptor.flags & virtio::DESCRIPTOR_WRITE) == 0 || descriptor.length < frame.size() + 12)
            misused();
        header.buffers = 1;
        memory_.set(descriptor.address, header);
        if (uint8_t* at = memory_.reach(descriptor.address + 12, frame.size()))
            std::memcpy(at, frame.data(), frame.size());
        const auto bytes = static_cast<uint32_t>(frame.size() + 12);
        finish(to, override_id ? *override_id : head, override_length ? *override_length : bytes);
        return true;
    }

    void transmit()
    {
        Queue& from = queue_[1];
        while (running(from) && !hold_transmit && memory_.get<uint16_t>(from.address[1] + 2) != from.taken) {
            const uint16_t head = memory_.get<uint16_t>(from.address[1] + 4 + 2 * (from.taken % from.size));
            ++from.taken;
            Bytes all;
            unsigned parts = 0;
            for (uint16_t at = head;;) {
                const auto descriptor = memory_.get<virtio::Descriptor>(from.address[0] + 16 * (at % from.size));
                if ((descriptor.flags & virtio::DESCRIPTOR_WRITE) != 0 || all.size() > 70000 || ++parts > 19) {
                    misused();
                    break;
                }
                if (const uint8_t* data = memory_.reach(descriptor.address, descriptor.length))
                    all.insert(all.end(), data, data + descriptor.length);
                if ((descriptor.flags & virtio::DESCRIPTOR_NEXT) == 0)
                    break;
                at = descriptor.next;
            }
            leave(all);
            finish(from, override_id ? *override_id : head, 0);
        }
    }

    void set_link(bool up)
    {
        net_config[virtio::NET_STATUS] = up ? 1 : 0;
        config_changed();
    }
    void config_changed()
    {
        isr |= virtio::ISR_CONFIG;
        if (!msix)
            interrupt(0);
        else if (config_vector != 0xffff)
            interrupt(config_vector);
    }

    uint64_t features = virtio::F_VERSION_1 | virtio::F_MAC | virtio::F_STATUS;
    uint64_t agreed = 0;
    uint8_t net_config[20] = {0x52, 0x54, 0, 1, 2, 3, 1, 0};
    uint8_t status = 0;
    uint8_t isr = 0;
    uint16_t config_vector = 0xffff;
    uint16_t queues_there = 3;
    uint16_t notify_off[2] = {0, 1};
    uint16_t queue_size = 256;
    bool refuse_features = false;
    bool refuse_vectors = false;
    bool never_resets = false;
    bool hold_transmit = false;
    bool want_no_notifications = false;
    std::optional<uint32_t> override_id;
    std::optional<uint32_t> override_length;
    unsigned notifications[2]{};
    std::vector<virtio::NetHeader> headers;     // of what was sent

    Queue& queue(unsigned number) { return queue_[number]; }

private:
    Queue& queue() { return queue_[select_ & 1]; }

    static void check(unsigned bar, uint32_t offset, unsigned bytes)
    {
        if (bar != 4 || offset >= 0x4000 || offset % bytes != 0)
            std::abort();
    }

    [[nodiscard]] bool running(const Queue& which) const
    {
        return (status & virtio::STATUS_DRIVER_OK) != 0 && which.enabled;
    }

    void set_status(uint8_t value)
    {
        if (value == 0 && !never_resets) {
            for (Queue& which : queue_) {
                which = Queue{};
                which.size = queue_size;
            }
            config_vector = 0xffff;
            agreed = 0;
        }
        if (value == 0 && never_resets)
            return;
        if ((value & virtio::STATUS_FEATURES_OK) != 0 && (refuse_features || (agreed & ~features) != 0))
            value &= static_cast<uint8_t>(~virtio::STATUS_FEATURES_OK);
        status = value;
    }

    void finish(Queue& which, uint32_t id, uint32_t bytes)
    {
        memory_.set(which.address[2] + 4 + 8 * (which.used % which.size), virtio::UsedElement{id, bytes});
        ++which.used;
        memory_.set<uint16_t>(which.address[2], want_no_notifications ? 1 : 0);
        memory_.set(which.address[2] + 2, which.used);
        if ((memory_.get<uint16_t>(which.address[1]) & virtio::AVAILABLE_NO_INTERRUPT) != 0)
            return;
        isr |= 1;
        if (!msix)
            interrupt(0);
        else if (which.vector != 0xffff)
            interrupt(which.vector);
    }

    // Source: VIRTIO 1.2, 5.1.6.2 "Packet Transmission".
    void leave(const Bytes& all)
    {
        virtio::NetHeader header;
        if (all.size() < sizeof(header)) {
            misused();
            return;
        }
        std::memcpy(&header, all.data(), sizeof(header));
        headers.push_back(header);
        Bytes frame{all.begin() + sizeof(header), all.end()};
        const size_t field = header.checksum_start + size_t{header.checksum_offset};
        if (header.gso_type == virtio::NET_GSO_NONE && (header.flags & virtio::NET_NEEDS_CSUM) != 0) {
            if (field + 2 > frame.size() || header.checksum_start > frame.size())
                misused();
            else
                put16(frame, field, 0xffff ^ naive_sum(frame, header.checksum_start, frame.size()));
        }
        sent.push_back(frame);
    }

    Queue queue_[2];
    uint32_t feature_select_ = 0;
    uint32_t driver_select_ = 0;
    uint32_t select_ = 0;
};

}  // namespace bulkhead::nic
