// SPDX-License-Identifier: BSD-2-Clause
// A plan as its author meant it: values checked one by one, each with the place that stated it, so
// that checks between them can point there. Nothing is laid out yet.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"
#include "boot/plan/vif.hpp"
#include "core/plan.hpp"

namespace bulkhead::tool {

// A value, the place that stated it, and whether any did; else it is the default.
template <class T>
struct Stated {
    T value{};
    Location at{};
    bool stated = false;

    void state(T new_value, const Location& where)
    {
        value = std::move(new_value);
        at = where;
        stated = true;
    }
};

using Uuid = std::array<uint8_t, 16>;
[[nodiscard]] std::string uuid_text(const Uuid& uuid);

inline constexpr uint64_t frames_per_mib = 256;
inline constexpr uint8_t default_priority = 16;
inline constexpr uint32_t default_period_us = 10'000;
inline constexpr uint16_t default_grant_frames = 64;
inline constexpr size_t longest_cmdline = 1023;  // MAX_GUEST_CMDLINE without its zero

inline constexpr uint16_t default_mtu = 1500;
inline constexpr uint32_t console_port = 1;
inline constexpr uint32_t store_port = 2;
inline constexpr uint32_t first_client_port = 8;  // of the store's; below are those that it binds itself

// What the plan says of a partition, or the tool of a service that it adds.
struct PartitionModel {
    Location at;
    Stated<std::string> name;
    Stated<std::string> type;
    Stated<Uuid> uuid;
    Stated<uint64_t> memory_mib;
    Stated<uint64_t> maxmem_mib;
    Stated<uint16_t> vcpus{1, {}, false};
    Stated<uint16_t> maxvcpus;
    Stated<std::vector<uint8_t>> cpus;
    Stated<std::string> kernel;
    Stated<std::string> ramdisk;
    Stated<std::string> cmdline;
    Stated<std::string> root;
    Stated<std::string> extra;
    Stated<plan::Action> on_poweroff{plan::Action::destroy, {}, false};
    Stated<plan::Action> on_reboot{plan::Action::restart, {}, false};
    Stated<plan::Action> on_crash{plan::Action::destroy, {}, false};
    Stated<plan::Action> on_watchdog{plan::Action::destroy, {}, false};
    Stated<uint8_t> priority{default_priority, {}, false};
    Stated<uint32_t> budget_us;
    Stated<uint32_t> period_us{default_period_us, {}, false};
    Stated<bool> realtime;
    Stated<bool> autostart{true, {}, false};
    Stated<bool> pv_linear_pt;
    Stated<uint8_t> trust;              // plan::SpeculationTrust
    Stated<uint16_t> grant_frames{default_grant_frames, {}, false};
    Stated<std::vector<plan::MemoryRange>> reg;
    Stated<std::vector<Vif>> vifs;
    Stated<bool> has_store{true, {}, false};
    Stated<bool> apic_by_page;          // apic = "xapic": needs a machine service
    std::optional<Node> config;         // handed to the program as it is
    bool is_service = false;

    // After resolve().
    uint16_t domain = 0;
    uint16_t machine_domain = 0;        // of its machine service, 0: none
    uint64_t persistent_frames = 0;
    uint64_t dma_frames = 0;            // in front of them
    // The CPU of each vCPU, after defaults.
    std::vector<uint8_t> placement;
};

// Where the frames begin that are not for the program's start.
[[nodiscard]] inline uint64_t first_special_frame(const PartitionModel& partition)
{
    return partition.memory_mib.value * frames_per_mib - partition.persistent_frames - partition.dma_frames;
}

// After resolve().
[[nodiscard]] inline bool runs_on(const PartitionModel& partition, uint8_t cpu)
{
    return std::find(partition.placement.begin(), partition.placement.end(), cpu) != partition.placement.end();
}
// Runs on VT-x or AMD-V.
[[nodiscard]] inline bool is_hardware(const PartitionModel& partition) { return partition.type.value == "pvh"; }
[[nodiscard]] inline const char* type_word(const PartitionModel& partition)
{
    return partition.is_service ? "service" : is_hardware(partition) ? "pvh" : "pv";
}

struct NetworkModel {
    Location at;
    std::string name;
    Stated<std::string> address;      // "dhcp" or with a prefix length
    Stated<std::string> gateway;
    Stated<std::string> ipv6;         // "slaac" or with a prefix length
    Stated<std::string> host_name{"bulkhead", {}, false};
    Stated<uint16_t> mtu{default_mtu, {}, false};
    Stated<std::string> uplink{"none", {}, false};
    Stated<uint16_t> http{80, {}, false};      // 0: off
    Stated<uint16_t> diagnosis_port;  // 0: off
    Stated<std::vector<std::string>> diagnosis_from;

    // After resolve().
    MacAddress mac{};
    std::optional<size_t> device;     // index into devices
};
[[nodiscard]] inline bool has_host(const NetworkModel& network) { return network.address.stated || network.ipv6.stated; }
[[nodiscard]] inline bool has_uplink(const NetworkModel& network) { return network.uplink.value != "none"; }

// A PCI function that a service gets.
struct DeviceModel {
    Location at;
    std::string wanted;
    std::string network;
};

struct ServiceModel {
    Location at;
    std::string name;
    Stated<std::vector<uint8_t>> cpus;
    Stated<uint8_t> priority;
    Stated<uint32_t> budget_us;
    Stated<uint32_t> period_us{default_period_us, {}, false};
    Stated<uint64_t> memory_mib;
};

struct SharedMemoryModel {
    Location at;
    std::string name;
    Stated<uint64_t> size_bytes;
    Stated<std::vector<std::string>> writers;
    Stated<std::vector<std::string>> readers;
    Stated<bool> writers_may_share;

    // After resolve().
    uint64_t frames = 0;
    uint32_t first_grant = 0;
    uint32_t port = 0;
    struct Member {
        size_t partition;
        bool writable;
    };
    std::vector<Member> members;
};

// One CPU's cyclic table.
struct WindowModel {
    std::string partition;  // "idle": nobody
    uint32_t length_us;
};
struct CpuScheduleModel {
    Location at;
    uint8_t cpu;
    std::vector<WindowModel> windows;
};

struct MachineModel {
    Stated<uint16_t> cpus;  // 0: not stated
    Stated<uint64_t> memory_mib;
};

struct SystemModel {
    Location at;
    std::string file;    // the plan's own name, without its folder
    std::string folder;  // kernels and ramdisks are relative to it
    Stated<std::string> model;
    Stated<std::string> compatible;
    Stated<uint8_t> escape{0x1d, {}, false};
    Stated<bool> panic_reboots{true, {}, false};
    Stated<bool> packs_payloads{true, {}, false};
    Stated<uint32_t> slot_health_s{60, {}, false};
    Stated<uint32_t> baud{115200, {}, false};
    MachineModel machine;
    std::vector<NetworkModel> networks;
    std::vector<DeviceModel> devices;   // after resolve()
    std::vector<PartitionModel> partitions;
    std::vector<ServiceModel> services;
    std::vector<SharedMemoryModel> shared_memory;
    std::string services_folder;        // where the programs of services are
    Stated<uint32_t> major_frame_us;
    std::vector<CpuScheduleModel> schedule;
};

// Its own, or its network's.
[[nodiscard]] inline uint16_t mtu_of(const SystemModel& system, const Vif& vif)
{
    for (const auto& network : system.networks)
        if (!vif.mtu && network.name == vif.bridge)
            return network.mtu.value;
    return vif.mtu.value_or(default_mtu);
}

}  // namespace bulkhead::tool
