// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/region.hpp"

#include <cstdlib>
#include <cstring>

namespace bulkhead::store {

static_assert(sizeof(store_undo) == 8);
static_assert(sizeof(store_region) == 112);
static_assert(sizeof(store_record) == STORE_CELL_BYTES && sizeof(store_text) == STORE_CELL_BYTES);
static_assert(offsetof(store_record, text) == offsetof(store_text, next));
static_assert(sizeof(store_client) == 180);

namespace {

// What must be free in the log for an operation to take more cells: what the end of the largest
// one changes without taking any.
constexpr uint32_t log_reserve = 2048;

void order()
{
    asm volatile("" ::: "memory");
}

constexpr uint32_t align(uint64_t value)
{
    return static_cast<uint32_t>((value + STORE_CELL_BYTES - 1) & ~uint64_t{STORE_CELL_BYTES - 1});
}

}  // namespace

Layout layout_for(size_t bytes)
{
    uint32_t nodes = 256;
    while (nodes < bytes / 256 && nodes < 65536)
        nodes *= 2;
    return {.log_capacity = 8192, .node_buckets = nodes, .path_buckets = nodes / 4};
}

bool Region::format(uint32_t clients, uint32_t hash_seed)
{
    const Layout layout = layout_for(bytes_);
    const uint32_t log = align(sizeof(store_region));
    const uint32_t nodes = align(log + layout.log_capacity * sizeof(store_undo));
    const uint32_t paths = align(nodes + layout.node_buckets * sizeof(Reference));
    const uint32_t table = align(paths + layout.path_buckets * sizeof(Reference));
    const uint32_t buffers = align(table + clients * sizeof(store_client));
    const uint32_t cells = align(buffers + uint64_t{clients} * 2 * STORE_BUFFER_BYTES);
    if (clients > STORE_MAX_CLIENTS || bytes_ > max_region_bytes || cells + 1024 * STORE_CELL_BYTES > bytes_)
        return false;

    discard();
    order();
    // Tables only: what free cells hold does not matter.
    std::memset(base_ + sizeof(uint64_t), 0, cells - sizeof(uint64_t));
    store_region& h = header();
    h.version = STORE_REGION_VERSION;
    h.bytes = static_cast<uint32_t>(bytes_);
    h.log = log;
    h.log_capacity = layout.log_capacity;
    h.node_buckets = nodes;
    h.node_bucket_count = layout.node_buckets;
    h.path_buckets = paths;
    h.path_bucket_count = layout.path_buckets;
    h.clients = table;
    h.client_count = clients;
    h.cells = cells;
    h.cell_count = static_cast<uint32_t>((bytes_ - cells) / STORE_CELL_BYTES);
    h.hash_seed = hash_seed;
    h.generation_low = 1;
    h.free_head = 1;
    h.free_tail = h.cell_count - 1;
    h.free_count = h.cell_count - 1;
    for (Reference cell = 0; cell < h.cell_count; ++cell)
        text(cell).next = cell != 0 && cell + 1 < h.cell_count ? cell + 1 : 0;
    for (uint32_t i = 0; i < clients; ++i) {
        client(i).request = buffers + i * 2 * STORE_BUFFER_BYTES;
        client(i).reply = client(i).request + STORE_BUFFER_BYTES;
    }
    order();
    put(h.magic, STORE_REGION_MAGIC);
    return true;
}

const char* Region::check_frame()
{
    const store_region& h = header();
    const Layout layout = layout_for(bytes_);
    if (h.magic != STORE_REGION_MAGIC)
        return "it was never written or was given up";
    if (h.version != STORE_REGION_VERSION || h.bytes != bytes_)
        return "it is of another size or version";
    if (h.client_count > STORE_MAX_CLIENTS)
        return "it has too many clients";
    // All offsets follow from the size and the number of clients.
    const uint32_t log = align(sizeof(store_region));
    const uint32_t nodes = align(log + layout.log_capacity * sizeof(store_undo));
    const uint32_t paths = align(nodes + layout.node_buckets * sizeof(Reference));
    const uint32_t table = align(paths + layout.path_buckets * sizeof(Reference));
    const uint32_t buffers = align(table + h.client_count * sizeof(store_client));
    const uint32_t cells = align(buffers + uint64_t{h.client_count} * 2 * STORE_BUFFER_BYTES);
    if (cells + 1024 * STORE_CELL_BYTES > bytes_ || h.log != log || h.log_capacity != layout.log_capacity ||
        h.node_buckets != nodes || h.node_bucket_count != layout.node_buckets || h.path_buckets != paths ||
        h.path_bucket_count != layout.path_buckets || h.clients != table || h.cells != cells ||
        h.cell_count != (bytes_ - cells) / STORE_CELL_BYTES)
        return "its tables are not where they belong";
    if (h.log_used > h.log_capacity)
        return "its undo log is longer than it can be";
    return nullptr;
}

const char* Region::attach()
{
    if (bytes_ < sizeof(store_region) || bytes_ > max_region_bytes)
        return "its size is none that a region can have";
    if (const char* problem = check_frame())
        return problem;
    const auto* log = reinterpret_cast<const store_undo*>(bytes_at(header().log));
    for (uint32_t i = 0; i < header().log_used; ++i) {
        const uint32_t offset = log[i].offset;
        const bool in_header = offset >= offsetof(store_region, free_head) && offset < sizeof(store_region);
        const bool in_data = offset >= header().node_buckets && offset <= bytes_ - sizeof(uint32_t);
        if (offset % sizeof(uint32_t) != 0 || (!in_header && !in_data))
            return "its undo log names what is no data";
    }
    undo();
    return nullptr;
}

// Most operations change few words.
void Region::forget()
{
    const auto* log = reinterpret_cast<const store_undo*>(bytes_at(header().log));
    if (header().log_used > remembered_.size())
        remembered_.fill(0);
    else
        for (uint32_t i = 0; i < header().log_used; ++i)
            slot_of(log[i].offset) = 0;
}

void Region::begin()
{
    // One cell stays, so that the queue always has a tail.
    takeable_ = header().free_count - 1;
}

void Region::commit()
{
    forget();
    order();
    put(header().log_used, 0);
    order();
}

// A stop in here is harmless: the same words get the same values again.
void Region::undo()
{
    const auto* log = reinterpret_cast<const store_undo*>(bytes_at(header().log));
    for (uint32_t i = header().log_used; i-- > 0;)
        put(*reinterpret_cast<uint32_t*>(bytes_at(log[i].offset)), log[i].value);
    commit();
}

void Region::set(uint32_t& field, uint32_t value)
{
    if (field == value)
        return;
    remember(static_cast<uint32_t>(reinterpret_cast<uint8_t*>(&field) - base_));
    put(field, value);
}

void Region::remember(uint32_t offset)
{
    uint32_t& slot = slot_of(offset);
    if (slot == offset)
        return;
    slot = offset;
    store_region& h = header();
    if (h.log_used == h.log_capacity)
        std::abort();  // take() stops long before; the next life undoes everything
    store_undo& entry = reinterpret_cast<store_undo*>(bytes_at(h.log))[h.log_used];
    put(entry.offset, offset);
    put(entry.value, *reinterpret_cast<const uint32_t*>(bytes_at(offset)));
    order();
    put(h.log_used, h.log_used + 1);
    order();
}

void Region::put_bytes(void* to, const void* from, size_t bytes)
{
    stop_point();
    // In two parts, so that a test can stop between them.
    const size_t half = bytes / 2;
    std::memcpy(to, from, half);
    if (half != 0)
        stop_point();
    std::memcpy(static_cast<uint8_t*>(to) + half, static_cast<const uint8_t*>(from) + half, bytes - half);
}

Reference Region::take(uint32_t cells)
{
    store_region& h = header();
    if (cells > takeable_ || h.log_used + log_reserve > h.log_capacity)
        return 0;
    takeable_ -= cells;
    const Reference first = h.free_head;
    Reference last = first;
    for (uint32_t i = 1; i < cells; ++i)
        last = text(last).next;
    set(h.free_head, text(last).next);
    set(h.free_count, h.free_count - cells);
    set(text(last).next, 0);
    return first;
}

void Region::give_back(Reference first)
{
    store_region& h = header();
    Reference last = first;
    uint32_t count = 1;
    for (; text(last).next != 0; ++count)
        last = text(last).next;
    set(text(h.free_tail).next, first);
    set(h.free_tail, last);
    set(h.free_count, h.free_count + count);
}

Generation Region::next_generation()
{
    const Generation next = generation() + 1;
    set(header().generation_low, static_cast<uint32_t>(next));
    set(header().generation_high, static_cast<uint32_t>(next >> 32));
    return next;
}

}  // namespace bulkhead::store
