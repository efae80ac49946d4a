// SPDX-License-Identifier: BSD-2-Clause
// store [NAME]: the store's clients, or what the store knows about one partition. Read from the store
// service's region by the layout of its ABI header, also when the service is dead or works meanwhile.
// Nothing in the region is trusted: every reference is checked, every walk is bounded.
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"
#include "core/services.hpp"
#include "machine/memory.hpp"
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/store_region.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace bulkhead {

namespace {

constexpr uint32_t most_siblings = 4096;    // looked at in search of one name
constexpr uint32_t most_levels = 24;
constexpr size_t nodes_a_step = 6;
constexpr size_t shown_text = 40;

// The region's bytes, wherever its frames are.
class StoreRegion {
public:
    explicit StoreRegion(const Partition& store) : store_(store)
    {
        valid_ = read(0, &header_, sizeof(header_)) && header_.magic == STORE_REGION_MAGIC &&
                 header_.version == STORE_REGION_VERSION && header_.client_count <= STORE_MAX_CLIENTS;
    }

    [[nodiscard]] bool valid() const { return valid_; }
    [[nodiscard]] const store_region& header() const { return header_; }

    [[nodiscard]] bool client(uint32_t index, store_client& out) const
    {
        return index < header_.client_count &&
               read(uint64_t{header_.clients} + uint64_t{index} * sizeof(out), &out, sizeof(out));
    }
    [[nodiscard]] bool node(uint32_t cell, store_record& out) const
    {
        return cell != 0 && cell < header_.cell_count && read(cell_at(cell), &out, sizeof(out)) &&
               out.kind == STORE_NODE && out.permissions <= STORE_MAX_PERMISSIONS;
    }
    // Bytes of a node's text from an offset on; how many there were.
    [[nodiscard]] size_t text(const store_record& record, size_t offset, char* out, size_t bytes) const
    {
        size_t done = 0;
        store_text piece{};
        uint32_t cell = record.text;
        // Not further than the longest text can be.
        for (size_t start = 0; cell != 0 && cell < header_.cell_count && start < UINT16_MAX && done < bytes;
             start += STORE_TEXT_BYTES) {
            if (!read(cell_at(cell), &piece, sizeof(piece)))
                break;
            for (; done < bytes && offset + done < start + STORE_TEXT_BYTES && offset + done >= start; ++done)
                out[done] = static_cast<char>(piece.bytes[offset + done - start]);
            cell = piece.next;
        }
        return done;
    }

private:
    [[nodiscard]] uint64_t cell_at(uint32_t cell) const
    {
        return header_.cells + uint64_t{cell} * STORE_CELL_BYTES;
    }
    // The frame that the partition began with at this place; it owns it for ever.
    [[nodiscard]] bool frame_at(uint64_t pfn, Mfn& frame) const
    {
        for (uint32_t i = 0; i < store_.memory.range_count; ++i) {
            const FrameRange& range = store_.memory.ranges[i];
            if (pfn < range.count) {
                frame = Mfn(range.first.raw() + pfn);
                return true;
            }
            pfn -= range.count;
        }
        return false;
    }
    [[nodiscard]] bool read(uint64_t offset, void* out, size_t bytes) const
    {
        auto* to = static_cast<uint8_t*>(out);
        const uint64_t size = store_.plan->persistent_frames << page_shift;
        if (offset > size || bytes > size - offset)
            return false;
        while (bytes != 0) {
            Mfn frame{};
            const uint64_t within = offset & (page_size - 1);
            const size_t now = std::min<size_t>(bytes, page_size - within);
            if (!frame_at(store_.plan->persistent_pfn + (offset >> page_shift), frame))
                return false;
            memcpy(to, machine::frame_pointer<const uint8_t>(frame) + within, now);
            to += now;
            offset += now;
            bytes -= now;
        }
        return true;
    }

    const Partition& store_;
    store_region header_{};
    bool valid_ = false;
};

// Text that may be anything, as something that can be shown.
void put_text(const char* text, size_t bytes, bool more, TextOut& out)
{
    for (size_t i = 0; i < bytes; ++i) {
        const char c = text[i];
        out.print("%c", c >= 0x20 && c < 0x7f && c != '"' ? c : '.');
    }
    if (more)
        out.put("...");
}

const char* state_name(uint32_t state)
{
    switch (state) {
    case STORE_CLIENT_ABSENT: return "absent";
    case STORE_CLIENT_DROPPING: return "leaving";
    case STORE_CLIENT_BUILDING: return "coming";
    case STORE_CLIENT_RUNNING: return "connected";
    case STORE_CLIENT_RESETTING: return "resetting";
    case STORE_CLIENT_CLOSED: return "closed";
    default: return "?";
    }
}

Partition* store_service()
{
    Partition* store = find_partition(DomainId(BULKHEAD_DOMAIN_STORE));
    return store != nullptr && is_service(*store) && store->plan->persistent_frames != 0 ? store : nullptr;
}

void put_client(const store_client& client, TextOut& out)
{
    const size_t name_bytes = strnlen(client.name, sizeof(client.name));
    std::array<char, STORE_NAME_BYTES> name{};
    for (size_t i = 0; i < name_bytes && i + 1 < name.size(); ++i)
        name[i] = client.name[i] >= 0x20 && client.name[i] < 0x7f ? client.name[i] : '.';
    // Figures of a damaged region must not widen the table.
    const auto figure = [](uint32_t value) { return std::min(value, 99'999U); };
    out.print("%-15.15s  %-9s  %5u  %5u  %5u  %5u  %5u  %8u  %7u\n", name.data(), state_name(client.state),
              figure(client.nodes), figure(client.watch_count), figure(client.transaction_count),
              figure(client.message_count), figure(client.cells), std::min(client.requests, 99'999'999U),
              std::min(client.refused, 9'999'999U));
}

bool step_clients(CommandRun& run, TextOut& out)
{
    const StoreRegion region(*run.partition);
    store_client client;
    for (int lines = 0; lines < 4; ++lines, ++run.item) {
        if (!region.valid() || !region.client(static_cast<uint32_t>(run.item), client))
            return false;
        put_client(client, out);
    }
    return true;
}

// The child of a name; 0 if it is not among the first.
uint32_t find_child(const StoreRegion& region, uint32_t parent, std::string_view name)
{
    store_record record;
    if (!region.node(parent, record))
        return 0;
    uint32_t cell = record.node.child;
    for (uint32_t i = 0; i < most_siblings && region.node(cell, record); ++i) {
        std::array<char, 32> found{};
        if (record.name_bytes == name.size() && name.size() <= found.size() &&
            region.text(record, record.permissions * sizeof(uint32_t), found.data(), name.size()) == name.size() &&
            std::string_view(found.data(), name.size()) == name)
            return cell;
        cell = record.node.next;
    }
    return 0;
}

void put_node(const StoreRegion& region, const store_record& record, size_t level, TextOut& out)
{
    std::array<char, shown_text> text{};
    std::array<uint32_t, STORE_MAX_PERMISSIONS> permissions{};
    const size_t permission_bytes = record.permissions * sizeof(uint32_t);
    out.print("%*s", static_cast<int>(2 + 2 * std::min<size_t>(level, 6)), "");
    size_t bytes = region.text(record, permission_bytes, text.data(), std::min<size_t>(record.name_bytes, 16));
    put_text(text.data(), bytes, record.name_bytes > bytes, out);
    out.put(" = \"");
    bytes = region.text(record, permission_bytes + record.name_bytes, text.data(),
                        std::min<size_t>(record.value_bytes, 20));
    put_text(text.data(), bytes, record.value_bytes > bytes, out);
    out.put("\"  ");
    const size_t count =
        region.text(record, 0, reinterpret_cast<char*>(permissions.data()), permission_bytes) / sizeof(uint32_t);
    for (size_t i = 0; i < std::min<size_t>(count, 2); ++i)
        out.print("%s%c%u", i == 0 ? "" : ",", "nrwb"[permissions[i] & 3], permissions[i] >> 16);
    out.put(count > 2 ? ",...\n" : "\n");
}

// The walk: `address` is the node to show, `end` the top, `inner` the level, `shown` bounds it all.
bool step_nodes(CommandRun& run, TextOut& out)
{
    const StoreRegion region(*run.partition);
    store_record record;
    for (size_t lines = 0; lines < nodes_a_step; ++lines) {
        if (!region.valid() || !region.node(static_cast<uint32_t>(run.address), record) ||
            ++run.shown > region.header().cell_count || run.inner > most_levels) {
            out.put("(the store's memory changed meanwhile, or is damaged)\n");
            return false;
        }
        put_node(region, record, run.inner, out);
        if (record.node.child != 0) {
            run.address = record.node.child;
            ++run.inner;
            continue;
        }
        while (run.inner != 0 && record.node.next == 0) {
            run.address = record.node.parent;
            --run.inner;
            if (!region.node(static_cast<uint32_t>(run.address), record))
                return false;
        }
        if (run.inner == 0)
            return false;
        run.address = record.node.next;
    }
    return true;
}

void start_nodes(CommandRun& run, const StoreRegion& region, const Partition& partition, TextOut& out)
{
    std::array<char, 12> number{};
    snprintf(number.data(), number.size(), "%u", unsigned{partition.id.raw()});
    uint32_t cell = region.header().root;
    for (const std::string_view name : {std::string_view("local"), std::string_view("domain"), std::string_view(number.data())})
        cell = find_child(region, cell, name);
    if (cell == 0) {
        out.print("store: it knows nothing about %s.\n", partition.name());
        return;
    }
    out.print("/local/domain/%s, %s\n", number.data(), partition.name());
    run.address = cell;
    run.step = step_nodes;
}

}  // namespace

void start_store(CommandRun& run, const Words& words, TextOut& out)
{
    Partition* store = store_service();
    if (store == nullptr) {
        out.put("store: this plan has none.\n");
        return;
    }
    const Partition* named = nullptr;
    if (words.count > 1) {
        named = find_named_partition(words[0], words[1], out);
        if (named == nullptr)
            return;
    }
    run.partition = store;
    const StoreRegion region(*store);
    if (!region.valid()) {
        out.put("store: its memory holds no store, or not yet.\n");
        return;
    }
    if (named != nullptr) {
        start_nodes(run, region, *named, out);
        return;
    }
    out.print("%u of %u cells are free\n", region.header().free_count, region.header().cell_count);
    out.put("client           state      nodes  watch  trans  event  cells  requests  refused\n");
    run.step = step_clients;
}

}  // namespace bulkhead
