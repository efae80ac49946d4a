// SPDX-License-Identifier: BSD-2-Clause
// CPUs that remember as much as a real one may: every table and every mapping that they saw since
// their last flush, followed again at any time through whatever memory now holds. What they may still
// write to is then compared with what the core believes.
#pragma once

#include "partitions.hpp"

#include <set>

namespace bulkhead::fake {

class TlbModel {
public:
    TlbModel()
    {
        on_flush = [this](uint64_t set, bool whole, uint64_t address) {
            for (size_t cpu = 0; cpu < 2; ++cpu) {
                if ((set >> cpu & 1) == 0)
                    continue;
                // One page's flush keeps tables only by luck; assume that it keeps all but the page.
                if (whole)
                    known_[cpu] = {};
                else
                    std::erase_if(known_[cpu].pages, [&](const Page& page) { return page.address == (address & ~page_mask); });
            }
        };
    }
    ~TlbModel() { on_flush = nullptr; }

    // The CPU walks from a table that it loads or knows, through `indices` from level 4 downwards.
    void access(size_t cpu, Mfn top_level, const std::array<unsigned, 4>& indices, uint64_t start_choice)
    {
        Known& known = known_[cpu];
        known.tables.insert({top_level.raw(), 4, true});
        const auto start = std::next(known.tables.begin(), static_cast<std::ptrdiff_t>(start_choice % known.tables.size()));
        auto [table, level, writable] = *start;
        for (;; --level) {
            if (!is_ram(Mfn(table)))
                return;
            const uint64_t entry = words(Mfn(table))[indices[4 - level]];
            if ((entry & pte::present) == 0 || is_core_slot(entry))
                return;
            writable = writable && (entry & pte::writable) != 0;
            table = pte::frame(entry).raw();
            if (level == 1)
                break;
            known.tables.insert({table, level - 1, writable});
        }
        const uint64_t address = at(indices[0], indices[1], indices[2], indices[3]);
        known.pages.insert({address, table, writable});
    }

    // A page's address under which the guest may write now; null if there is none.
    [[nodiscard]] uint64_t* writable_page(size_t cpu, uint64_t choice)
    {
        const auto& pages = known_[cpu].pages;
        if (pages.empty())
            return nullptr;
        const Page& page = *std::next(pages.begin(), static_cast<std::ptrdiff_t>(choice % pages.size()));
        return page.writable ? words(Mfn(page.frame)) : nullptr;
    }

    // Null, or what is wrong.
    [[nodiscard]] const char* check(const Partition& partition)
    {
        for (size_t cpu = 0; cpu < 2; ++cpu) {
            if ((partition.memory.running_on.load() >> cpu & 1) == 0)
                continue;
            for (const Page& page : known_[cpu].pages) {
                if (const char* what = check_page(partition, page); what != nullptr)
                    return what;
            }
            for (const auto& [table, level, writable] : known_[cpu].tables) {
                if (const char* what = check_table(partition, Mfn(table), level); what != nullptr)
                    return what;
            }
        }
        return nullptr;
    }

    std::set<uint64_t> granted;      // frames of others that the partition may have mapped now

private:
    struct Page {
        uint64_t address;
        uint64_t frame;
        bool writable;
        auto operator<=>(const Page&) const = default;
    };
    struct Table {
        uint64_t frame;
        unsigned level;
        bool writable;       // all the way down to it
        auto operator<=>(const Table&) const = default;
    };
    struct Known {
        std::set<Table> tables;
        std::set<Page> pages;
    };

    static bool is_core_slot(uint64_t entry)
    {
        return std::any_of(core_slots.begin(), core_slots.end(),
                           [entry](uint64_t slot) { return pte::frame(slot) == pte::frame(entry); });
    }

    const char* check_page(const Partition& partition, const Page& page) const
    {
        if (!is_ram(Mfn(page.frame)))
            return "a TLB leads out of memory";
        if (frame_owner(Mfn(page.frame)) != partition.id)
            return granted.contains(page.frame) ? nullptr : "a TLB leads to another's frame";
        const uint64_t state = state_of(Mfn(page.frame));
        const FrameType type = frame::type_of(state);
        const bool used = (state & frame::given) != 0 && frame::typed_count(state) != 0;
        if (page.writable && used && type != FrameType::writable)
            return "a TLB allows writing to a table";
        return nullptr;
    }
    static const char* check_table(const Partition& partition, Mfn table, unsigned level)
    {
        if (!is_ram(table) || frame_owner(table) != partition.id)
            return "a CPU walks through memory that is not the partition's";
        const uint64_t state = state_of(table);
        const bool used = (state & frame::given) != 0 && frame::typed_count(state) != 0;
        const auto type = static_cast<FrameType>(static_cast<unsigned>(FrameType::l1) + level - 1);
        if (!used || frame::type_of(state) == type)
            return nullptr;
        // Reached through an entry that maps its own table, which is read-only.
        if (partition.memory.linear_tables && is_table(frame::type_of(state)) && frame::type_of(state) > type)
            return nullptr;
        return "a CPU uses as a table what is something else";
    }

    Known known_[2];
};

}  // namespace bulkhead::fake
