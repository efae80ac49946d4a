// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/store_nodes.hpp"

#include <array>
#include <utility>

#include "boot/plan/text.hpp"
#include "pvdrivers/abi/bulkhead.h"

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>
}

namespace bulkhead::tool {

namespace {

constexpr uint64_t kib_per_mib = 1024;

// Writes nodes below a place, as their owner's domain may or may not change them.
class ClientNodes {
public:
    explicit ClientNodes(const PartitionModel& client)
        : home_(sentence("/local/domain/", client.domain)), to_read_(sentence("n0,r", client.domain)),
          to_write_(sentence("n", client.domain))
    {
    }

    template <class Value>
    void read_only(std::string_view name, const Value& value)
    {
        nodes_.add(below_home(name), to_read_, sentence(value));
    }
    void read_only_outside(std::string_view path, std::string_view value) { nodes_.add(path, to_read_, value); }
    void writable(std::string_view name) { nodes_.add(below_home(name), to_write_, ""); }
    [[nodiscard]] Bytes take() { return nodes_.take(); }

private:
    std::string below_home(std::string_view name) const
    {
        return name.empty() ? home_ : home_ + '/' + std::string(name);
    }

    StoreNodes nodes_;
    std::string home_;
    std::string to_read_;
    std::string to_write_;
};

void add_machine(const PartitionModel& client, ClientNodes& nodes)
{
    nodes.read_only("cpu", "");
    for (unsigned vcpu = 0; vcpu < client.vcpus.value; ++vcpu) {
        nodes.read_only(sentence("cpu/", vcpu), "");
        nodes.read_only(sentence("cpu/", vcpu, "/availability"), "online");
    }
    nodes.read_only("memory", "");
    nodes.read_only("memory/static-max", client.maxmem_mib.value * kib_per_mib);
    nodes.read_only("memory/target", client.memory_mib.value * kib_per_mib);
}

// Where the guest writes what it can do, and reads what it is asked to do.
void add_control(ClientNodes& nodes)
{
    nodes.read_only("control", "");
    for (const std::string_view name : {"shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq"})
        nodes.writable(sentence("control/", name));
    nodes.read_only("control/platform-feature-xs_reset_watches", "1");
    nodes.read_only("device", "");
    for (const std::string_view name : {"data", "drivers", "feature", "attr", "error"})
        nodes.writable(name);
}

// Rings are named by their grant references, as domain 0 (the core) and the store have them.
void add_rings(ClientNodes& nodes)
{
    nodes.read_only("store", "");
    nodes.read_only("store/port", store_port);
    nodes.read_only("store/ring-ref", GNTTAB_RESERVED_XENSTORE);
    nodes.read_only("console", "");
    nodes.read_only("console/port", console_port);
    nodes.read_only("console/ring-ref", GNTTAB_RESERVED_CONSOLE);
    nodes.read_only("console/limit", 1U << 20);
    nodes.read_only("console/type", "xenconsoled");
}

void add_shared_memory(const SystemModel& system, const PartitionModel& client, ClientNodes& nodes)
{
    bool first = true;
    for (const auto& region : system.shared_memory) {
        for (const auto& member : region.members) {
            if (system.partitions[member.partition].domain != client.domain)
                continue;
            if (first)
                nodes.read_only("shared-memory", "");
            first = false;
            const std::string place = "shared-memory/" + region.name;
            nodes.read_only(place, "");
            nodes.read_only(place + "/domid", 0);
            nodes.read_only(place + "/ref", region.first_grant);
            nodes.read_only(place + "/port", region.port);
            nodes.read_only(place + "/size", region.size_bytes.value);
            nodes.read_only(place + "/mode", member.writable ? "rw" : "r");
        }
    }
}

void add_vm(const PartitionModel& client, ClientNodes& nodes)
{
    const std::string vm = "/vm/" + uuid_text(client.uuid.value);
    nodes.read_only("vm", vm);
    nodes.read_only_outside(vm, "");
    nodes.read_only_outside(vm + "/name", client.name.value);
    nodes.read_only_outside(vm + "/uuid", uuid_text(client.uuid.value));
    nodes.read_only_outside(vm + "/image", "");
    nodes.read_only_outside(vm + "/image/ostype", "linux");
    nodes.read_only_outside(vm + "/image/kernel", client.kernel.value);
    if (client.ramdisk.stated)
        nodes.read_only_outside(vm + "/image/ramdisk", client.ramdisk.value);
    nodes.read_only_outside(vm + "/image/cmdline", client.cmdline.value);
}

// The two ends of a card, each in its owner's home and open to the other.
struct CardPaths {
    CardPaths(uint16_t domain, size_t handle)
        : front(sentence("/local/domain/", domain, "/device/vif/", handle)),
          back(sentence("/local/domain/", BULKHEAD_DOMAIN_SWITCH, "/backend/vif/", domain, '/', handle))
    {
    }
    std::string front;
    std::string back;
};

// `path` and the nodes below it.
template <size_t Count>
void add_end(StoreNodes& nodes, const std::string& path, const std::string& permissions,
             const std::array<std::pair<std::string_view, std::string>, Count>& values)
{
    nodes.add(path, permissions, "");
    for (const auto& [name, value] : values)
        if (!value.empty())
            nodes.add(sentence(path, '/', name), permissions, value);
}

// Front ends have it by themselves unless it is another.
std::string mtu_text(const SystemModel& system, const Vif& vif)
{
    const uint16_t mtu = mtu_of(system, vif);
    return mtu == default_mtu ? "" : std::to_string(mtu);
}

void add_back_ends(const PartitionModel& client, StoreNodes& nodes)
{
    const std::string owner = sentence('n', BULKHEAD_DOMAIN_SWITCH);
    const std::string permissions = sentence(owner, ",r", client.domain);
    if (!client.vifs.value.empty())
        nodes.add(sentence("/local/domain/", BULKHEAD_DOMAIN_SWITCH, "/backend/vif/", client.domain), owner, "");
    for (size_t handle = 0; handle < client.vifs.value.size(); ++handle) {
        const auto& vif = client.vifs.value[handle];
        const CardPaths paths(client.domain, handle);
        add_end(nodes, paths.back, permissions,
                std::array<std::pair<std::string_view, std::string>, 8>{{
                    {"frontend", paths.front},
                    {"frontend-id", std::to_string(client.domain)},
                    {"handle", std::to_string(handle)},
                    {"mac", mac_text(*vif.mac)},
                    {"bridge", vif.bridge},
                    {"ip", vif.ip},
                    {"online", "1"},
                    {"state", "1"},
                }});
    }
}

}  // namespace

void StoreNodes::add(std::string_view path, std::string_view permissions, std::string_view value)
{
    for (const auto text : {path, permissions, value}) {
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        bytes_.push_back(0);
    }
}

Bytes common_nodes()
{
    StoreNodes nodes;
    // Anybody may see which partitions there are, not what is in them.
    for (const std::string_view path : {"/", "/local", "/local/domain", "/vm", "/tool"})
        nodes.add(path, "r0", "");
    return nodes.take();
}

Bytes client_nodes(const SystemModel& system, const PartitionModel& client)
{
    ClientNodes nodes(client);
    nodes.read_only("", "");
    nodes.read_only("domid", client.domain);
    nodes.read_only("name", client.name.value);
    add_vm(client, nodes);
    add_machine(client, nodes);
    add_control(nodes);
    add_rings(nodes);
    add_shared_memory(system, client, nodes);
    return nodes.take();
}

Bytes device_nodes(const SystemModel& system, const PartitionModel& client)
{
    StoreNodes nodes;
    const std::string permissions = sentence('n', client.domain, ",r", BULKHEAD_DOMAIN_SWITCH);
    nodes.add(sentence("/local/domain/", client.domain, "/device/vif"), sentence("n0,r", client.domain), "");
    for (size_t handle = 0; handle < client.vifs.value.size(); ++handle) {
        const auto& vif = client.vifs.value[handle];
        const CardPaths paths(client.domain, handle);
        add_end(nodes, paths.front, permissions,
                std::array<std::pair<std::string_view, std::string>, 6>{{
                    {"backend", paths.back},
                    {"backend-id", std::to_string(BULKHEAD_DOMAIN_SWITCH)},
                    {"handle", std::to_string(handle)},
                    {"mac", mac_text(*vif.mac)},
                    {"mtu", mtu_text(system, vif)},
                    {"state", "1"},
                }});
    }
    return nodes.take();
}

Bytes service_nodes(const SystemModel& system, const PartitionModel& service)
{
    ClientNodes own(service);
    own.read_only("", "");
    own.read_only("domid", service.domain);
    own.read_only("name", service.name.value);
    own.writable("data");
    own.writable("backend");
    own.writable("backend/vif");
    StoreNodes cards;
    for (const auto& client : system.partitions)
        add_back_ends(client, cards);
    Bytes nodes = own.take();
    append(nodes, cards.take());
    return nodes;
}

}  // namespace bulkhead::tool
