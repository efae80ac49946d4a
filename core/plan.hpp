// SPDX-License-Identifier: BSD-2-Clause
// The compiled plan: what the host tool writes and the core (and the host tool's own tests) read.
// One source for the layout. Everything is little-endian, naturally aligned and found by byte
// offsets from the header, so that it can be used in place, read-only, wherever it was loaded.
// The host tool decides and checks everything here; the core checks it again at start (validate()).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::plan {

inline constexpr uint64_t magic = 0x314e414c50484242;  // "BBHPLAN1"
inline constexpr uint32_t version = 3;
inline constexpr uint32_t max_partitions = 64;
inline constexpr uint32_t max_cpus = 64;
inline constexpr uint32_t max_vcpus = 32;  // per partition: XEN_LEGACY_MAX_VCPUS
inline constexpr uint32_t max_memory_ranges = 8;
inline constexpr uint32_t name_bytes = 32;  // terminating zero included
inline constexpr uint32_t payload_block_bytes = 8 * 1024;
inline constexpr uint64_t no_pfn = ~uint64_t{0};
inline constexpr uint16_t first_service_domain = 0x7000;
inline constexpr uint32_t max_services = 8;
inline constexpr uint32_t first_shared_grant = 8;  // GNTTAB_NR_RESERVED_ENTRIES
inline constexpr uint32_t max_shared_regions = 64;
inline constexpr uint64_t max_shared_frames = 4096;  // of all regions together
inline constexpr uint32_t max_networks = 16;
inline constexpr uint32_t max_vifs = 64;           // of all partitions together
inline constexpr uint32_t max_devices = 16;
inline constexpr uint32_t max_device_ids = 64;   // that one device is matched by
inline constexpr uint16_t idle_window = 0xffff;  // Window::partition: nobody's

// An array of records, or a text, at `offset` bytes from the header. A text also carries a
// terminating zero that `count` does not include.
struct Table {
    uint32_t offset;
    uint32_t count;
};

enum class PartitionType : uint8_t { pv = 1, pvh = 2, hvm = 3, service = 4 };
[[nodiscard]] constexpr const char* type_name(PartitionType type)
{
    switch (type) {
    case PartitionType::pv:
        return "pv";
    case PartitionType::pvh:
        return "pvh";
    case PartitionType::hvm:
        return "hvm";
    case PartitionType::service:
        return "service";
    }
    return "unknown";
}
enum class Action : uint8_t { destroy = 0, restart = 1, preserve = 2 };
enum class Encoding : uint32_t {
    raw = 0,
    // The content in blocks of payload_block_bytes (the last one shorter), each a uint32_t with its
    // stored size followed by that many bytes: one LZ4 block that refers to nothing outside itself,
    // or the plain bytes if the stored size equals the block's own size. Not aligned.
    lz4 = 1,
};

// Content that is stored once however often it is used; the pristine copy for restarts.
struct Payload {
    uint64_t offset;        // bytes from the header, page-aligned
    uint64_t stored_bytes;
    uint64_t size_bytes;    // unpacked
    Encoding encoding;
    uint32_t crc32;         // of the stored bytes (zlib's polynomial), checked once at start
    std::array<uint8_t, 32> sha256;  // of the unpacked bytes: identity, and for the map
};

// One piece of a partition's initial memory: `size_bytes` of a payload from its start at pfn,
// the rest of the frames up to `frames` zero.
struct Segment {
    uint64_t pfn;
    uint64_t frames;
    uint32_t payload;       // index into payloads
    uint32_t reserved;
};

// A fixed host-physical range, page-aligned, in order of the partition's frame numbers.
struct MemoryRange {
    uint64_t base;
    uint64_t size_bytes;
};

// Start-of-day layout of a PV partition, laid out by the host tool after the rules of the ABI:
// all pfns from `initial_begin` to `initial_end` are mapped from virtual address
// virt_base + (pfn << 12), up to a 4 MiB boundary with at least 512 KiB of room beyond.
// Order: kernel, ramdisk (unless it is unmapped), p2m (unless it has its own address), start info,
// [store page], console page, page tables, boot stack. Source: xen/include/public/xen.h,
// "Start-of-day memory layout".
struct PvStart {
    uint64_t virt_base;         // XEN_ELFNOTE_VIRT_BASE
    uint64_t entry;             // XEN_ELFNOTE_ENTRY or e_entry, virtual
    uint64_t hypercall_page;    // virtual, XEN_ELFNOTE_HYPERCALL_PAGE; all ones: none
    uint64_t p2m_base;          // XEN_ELFNOTE_INIT_P2M, virtual; 0: right after the ramdisk
    uint64_t ramdisk_pfn;       // no_pfn: no ramdisk
    uint64_t ramdisk_bytes;
    uint64_t p2m_pfn;           // first frame of the list; its size follows from the frames
    uint64_t p2m_frames;
    uint64_t p2m_tables_pfn;    // page tables that map the list at p2m_base (0 frames: none)
    uint64_t p2m_tables_frames;
    uint64_t start_info_pfn;
    uint64_t store_pfn;         // no_pfn: none
    uint64_t console_pfn;
    uint64_t tables_pfn;        // L4 first, then L3, L2, L1 pages of the initial mapping
    uint64_t tables_frames;
    uint64_t stack_pfn;         // one frame
    uint64_t mapped_end_pfn;    // first pfn that the initial mapping does not cover
    uint64_t features;          // XENFEAT bits that the kernel requires, bit n = XENFEAT n
    uint8_t ramdisk_by_pfn;     // XEN_ELFNOTE_MOD_START_PFN: ramdisk not mapped, mod_start is a pfn
    std::array<uint8_t, 7> reserved;
};

// One window of a CPU's cyclic table: only vCPUs of `partition` run in it.
struct Window {
    uint16_t cpu;
    uint16_t partition;         // index into partitions, or idle_window
    uint32_t length_us;
};

struct Partition {
    std::array<char, name_bytes> name;
    std::array<uint8_t, 16> uuid;       // as printed, most significant first
    PartitionType type;
    uint8_t priority;                   // 0..31, 31 is the most urgent
    Action on_poweroff;
    Action on_reboot;
    Action on_crash;
    Action on_watchdog;
    uint8_t realtime;                   // services never run above it
    uint8_t flags;                      // PartitionFlag
    uint16_t domain;                    // 1..n in the plan's order, services from 0x7000
    uint16_t vcpus;
    uint16_t cpu_count;                 // entries of cpus in use; vCPU i runs on cpus[i % cpu_count]
    uint16_t grant_frames;
    std::array<uint8_t, max_cpus> cpus;
    uint32_t budget_us;                 // 0: no budget
    uint32_t period_us;
    uint64_t memory_frames;             // given at start
    uint64_t max_frames;                // owned; >= memory_frames
    Table kernel_path;                  // texts, for people
    Table ramdisk_path;
    Table cmdline;
    Table segments;                     // of Segment, ascending pfn, not overlapping
    Table ranges;                       // of MemoryRange; count 0: the core chooses
    uint32_t console_port;              // 1
    uint32_t store_port;                // 0: no store
    uint32_t store_remote_port;         // the store's end of it
    uint16_t store_domain;              // 0: no store
    uint8_t services;                   // bit n: a client of service first_service_domain + n
    uint8_t trust;                      // SpeculationTrust bits
    uint64_t persistent_pfn;            // of a service: the last frames, which a restart leaves alone
    uint64_t persistent_frames;         // 0: none
    uint64_t dma_pfn;                   // of a service: frames in a row in machine memory, writable for
    uint64_t dma_frames;                // ever, which its devices may reach; 0: none
    PvStart pv;
};

enum PartitionFlag : uint8_t {
    autostart = 1,                      // else it waits for `part NAME start`
    pv_linear_pt = 2,
    pv_pins_late = 16,                  // its kernel may load page tables that it has yet to pin: docs/guests.md
    ramdisk_is_slice = 8,               // a device tree that the host tool made, for people to look at
    may_ask = 32,                       // BULKHEADOP_question
    apic_by_page = 64,                  // a hardware partition with its local APICs in xAPIC mode
};

// By which leaks of the CPU the partition is trusted not to read what is not its own: what is done
// against each is left out while it runs.
enum SpeculationTrust : uint8_t {
    trust_meltdown = 1,                 // it runs on tables with the core's mappings
    trust_l1tf = 2,                     // its absent entries may name memory; no flush of the data cache
    trust_mds = 4,                      // no VERW
    trust_ssb = 8,                      // no SSBD
    trust_spectre_v2 = 16,              // no IBPB behind it
    trust_all = 31,
};

// Memory that several partitions share. It is domain 0's, made and zeroed at start: frame i is its
// grant reference first_grant + i, and binding its port gives a member the region's bell.
struct SharedRegion {
    std::array<char, name_bytes> name;
    uint64_t frames;
    uint32_t first_grant;
    uint32_t port;                      // 1..n in the plan's order
    Table members;                      // of SharedMember
};

struct SharedMember {
    uint16_t partition;                 // index into partitions
    uint8_t writable;
    uint8_t reserved;
};

// A PCI function that the plan gives to a partition. Which one it is shows on the box: the first by
// address that fits and that no earlier record took. Partitions number theirs in this order, from 0 on.
enum class DeviceMatch : uint8_t {
    any = 0,                            // of the class, with one of the ids
    address = 1,                        // at this address, whatever it is
    ids = 2,                            // with one of the ids
};

struct DeviceId {
    uint16_t vendor;
    uint16_t device;
};

struct Device {
    DeviceMatch match;
    uint8_t bus;                        // DeviceMatch::address
    uint8_t devfn;                      // slot << 3 | function
    uint8_t base_class;                 // DeviceMatch::any: class and subclass, 02 00 is Ethernet
    uint8_t sub_class;
    uint8_t reserved;
    uint16_t segment;
    uint16_t partition;                 // index into partitions: who gets it
    uint16_t number;                    // among the partition's
    Table ids;                          // of DeviceId
    Table wanted;                       // text: what the plan asks for, for people
    Table purpose;                      // text: what for ("network lan0")
};

// For back traces: function starts, ascending, and their names.
struct Symbol {
    uint64_t address;
    uint32_t size_bytes;
    uint32_t name;                      // offset of a zero-terminated text from the header
};

struct Header {
    uint64_t magic;
    uint32_t version;
    uint32_t tables_bytes;              // header and all tables, from offset 0
    uint64_t total_bytes;               // with the payloads
    uint32_t tables_crc32;              // over tables_bytes with this field zero
    uint8_t escape;                     // console escape, ASCII; 0x1d is Ctrl-]
    uint8_t panic_reboots;              // 1: reset after a panic, 0: halt
    uint16_t uart_baud_div100;          // 1152 for 115200
    Table model;                        // text
    Table source;                       // text: the plan's file name
    Table partitions;                   // of Partition
    Table payloads;                     // of Payload
    Table windows;                      // of Window, grouped by CPU, in order
    Table symbols;                      // of Symbol
    Table shared_regions;               // of SharedRegion
    Table devices;                      // of Device
    uint32_t slot_health_s;             // when the image reports itself healthy to the selector of slots
    uint32_t reserved;
};

// In the core's image; the host tool finds it by the section name .plan_anchor and fills it in.
struct Anchor {
    std::array<char, 16> mark;          // "BULKHEAD-PLAN-AT"
    uint64_t physical;                  // where the ELF's plan segment is loaded
    uint64_t size_bytes;
};

static_assert(sizeof(Payload) == 64);
static_assert(sizeof(Segment) == 24);
static_assert(sizeof(PvStart) == 152);
static_assert(sizeof(Window) == 8);
static_assert(sizeof(Partition) == 392);
static_assert(offsetof(Partition, pv) == 240);
static_assert(sizeof(SharedRegion) == 56);
static_assert(sizeof(SharedMember) == 4);
static_assert(sizeof(Symbol) == 16);
static_assert(sizeof(DeviceId) == 4);
static_assert(sizeof(Device) == 36);
static_assert(sizeof(Header) == 104);
static_assert(sizeof(Anchor) == 32);

}  // namespace bulkhead::plan
