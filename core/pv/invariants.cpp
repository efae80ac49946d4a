// SPDX-License-Identifier: BSD-2-Clause
// See invariants.hpp. Counts what every table, walk, pin, vCPU and window holds, and compares.
#include "core/pv/invariants.hpp"

#include "core/frame_references.hpp"
#include "core/pv/l1_entries.hpp"
#include "core/pv/table_walk.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>

namespace bulkhead {

namespace {

constexpr uint64_t not_own = ~uint64_t{0};

using Ranges = std::array<std::span<const FrameRange>, 2>;

Ranges ranges_of(const PvMemory& memory)
{
    return {std::span(memory.ranges.data(), memory.range_count), std::span(memory.shared.data(), memory.shared_count)};
}

class Check final : public ReferenceSink {
public:
    Check(const Partition& partition, std::span<FrameRecount> recount, const OutsideReferences& outside)
        : partition_(partition), memory_(partition.memory), recount_(recount), outside_(outside)
    {
        std::fill_n(recount.begin(), std::min<uint64_t>(recount.size(), recount_size(partition)), FrameRecount{});
    }

    // Tells of each reference to that frame.
    void watch(Mfn frame, void (*found)(const FrameReference& where))
    {
        watched_ = frame;
        found_ = found;
    }

    InvariantReport run()
    {
        for_each_frame([this](Mfn frame) { check_entry(frame); });
        count_walk();
        count_vcpus();
        outside_.tell(partition_, *this, outside_.context);
        at_ = {};
        for_each_frame([this](Mfn frame) { compare(frame); });
        check_free_list();
        return report_;
    }

    void add(Mfn frame, FrameRecount references, const FrameReference& where) override
    {
        at_ = where;
        if (!may_be_referenced(frame))
            return;
        FrameRecount& seen = recount_[ordinal_of(frame)];
        seen.existence += references.existence;
        seen.typed += references.typed;
        require(references.typed == 0 || frame::type_of(state_of(frame)) == FrameType::writable, frame,
                "the core writes to a frame that is not writable");
    }

private:
    template <class Function>
    void for_each_frame(Function function)
    {
        for (const std::span<const FrameRange> ranges : ranges_of(memory_)) {
            for (const FrameRange& range : ranges) {
                for (uint64_t at = 0; at < range.count; ++at)
                    function(range.first + at);
            }
        }
    }

    // Of the frame's element in `recount`.
    [[nodiscard]] uint64_t ordinal_of(Mfn frame) const
    {
        uint64_t before = 0;
        for (const std::span<const FrameRange> ranges : ranges_of(memory_)) {
            for (const FrameRange& range : ranges) {
                if (frame >= range.first && frame - range.first < range.count)
                    return before + (frame - range.first);
                before += range.count;
            }
        }
        return not_own;
    }

    void broken(Mfn frame, const char* what)
    {
        if (report_.broken != nullptr)
            return;
        const uint64_t ordinal = ordinal_of(frame);
        const uint64_t state = frame.raw() < machine::frame_limit ? state_of(frame) : 0;
        report_ = {what, frame, state, at_, ordinal < recount_.size() ? recount_[ordinal] : FrameRecount{}};
    }
    void require(bool holds, Mfn frame, const char* what)
    {
        if (!holds)
            broken(frame, what);
    }

    static uint64_t state_of(Mfn frame) { return frame::entry_of(frame).state.load(std::memory_order_relaxed); }
    // Held by the core like shared_info, and yet of the guest's own memory; in a row.
    [[nodiscard]] bool is_for_devices(Mfn frame) const
    {
        const plan::Partition& plan = *partition_.plan;
        const Mfn first = initial_frame(memory_, Pfn(plan.dma_pfn));
        return frame >= first && frame - first < plan.dma_frames;
    }
    [[nodiscard]] bool is_own(Mfn frame) const { return frame::find(frame, partition_.id) != nullptr; }

    // The core's typed reference, of no type on what the owner may only read.
    void count_core_reference(Mfn frame)
    {
        count(frame, FrameType::none);
        const FrameType type = frame::type_of(state_of(frame));
        require(type == FrameType::writable || type == FrameType::none, frame, "the core holds a frame of another type");
        ++recount_[ordinal_of(frame)].typed;
    }

    [[nodiscard]] bool may_be_referenced(Mfn frame)
    {
        if (!is_own(frame) || ordinal_of(frame) >= recount_.size()) {
            broken(frame, "a reference leads out of the partition");
            return false;
        }
        if (frame == watched_)
            found_(at_);
        require((state_of(frame) & frame::given) != 0, frame, "a frame is referenced that the guest gave back");
        return true;
    }

    // One reference, typed unless the type is none.
    void count(Mfn frame, FrameType type)
    {
        if (!may_be_referenced(frame))
            return;
        const uint64_t state = state_of(frame);
        FrameRecount& seen = recount_[ordinal_of(frame)];
        ++seen.existence;
        if (type == FrameType::none)
            return;
        ++seen.typed;
        require(frame::type_of(state) == type, frame, "a frame is used as two types");
    }
    // As `count`, of something that is ready for use.
    void count_valid(Mfn frame, FrameType type)
    {
        count(frame, type);
        require((state_of(frame) & (frame::validated | frame::changing)) == frame::validated, frame,
                "a table is used that is not valid");
    }

    void check_foreign(uint64_t value)
    {
        const bool writable = (value & pte::writable) != 0;
        if ((value & pte::granted) != 0 && outside_.is_granted != nullptr)
            require(outside_.is_granted(partition_, pte::frame(value), writable, outside_.context), pte::frame(value),
                    "a frame is mapped as granted without a grant");
        if ((value & pte::device) != 0)
            require(device_entry(partition_, value) != 0, pte::frame(value), "a device is mapped that is another's");
    }

    void count_l1_value(Mfn table, uint64_t value)
    {
        if ((value & pte::foreign) != 0)
            return check_foreign(value);
        require(value == admitted_l1(value), table, "an L1 entry has bits that it may not have");
        count(pte::frame(value), (value & pte::writable) != 0 ? FrameType::writable : FrameType::none);
    }

    void count_upper_value(Mfn table, FrameType type, uint64_t value)
    {
        uint64_t admitted = value;
        require(admit_upper_value(admitted) == frame::ok && admitted == value, table,
                "an upper entry has bits that it may not have");
        const Mfn child = pte::frame(value);
        if (child == table)
            return require(memory_.linear_tables && (value & pte::writable) == 0, table, "a table maps itself");
        count_valid(child, below(type));
    }

    // The first `entries` of a table.
    void count_table(Mfn table, FrameType type, unsigned entries)
    {
        const uint64_t* values = machine::frame_pointer<uint64_t>(table);
        for (unsigned index = 0; index < entries; ++index) {
            if (is_core_slot(type, index) || (values[index] & pte::present) == 0)
                continue;
            at_ = {"an entry of table", table.raw(), index};
            if (type == FrameType::l1)
                count_l1_value(table, values[index]);
            else
                count_upper_value(table, type, values[index]);
        }
    }

    void check_core_slots(Mfn table)
    {
        const uint64_t* values = machine::frame_pointer<uint64_t>(table);
        for (unsigned slot = layout::core_first_slot; slot < layout::core_end_slot; ++slot) {
            const bool hidden = slot == layout::core_first_slot && values[slot] == 0;
            require(hidden || values[slot] == core_slot_value(slot), table, "a top level lacks the core");
        }
    }

    void check_entry(Mfn frame)
    {
        const uint64_t state = state_of(frame);
        if ((state & frame::given) == 0)
            return;
        const FrameType type = frame::type_of(state);
        given_ += (state & frame::core_held) == 0 || is_for_devices(frame);
        require((state & frame::turning) == 0, frame, "a frame was left turning");
        at_ = {"the core's own, of frame", frame.raw(), 0};
        if ((state & frame::core_held) != 0)
            count_core_reference(frame);
        at_ = {"the pin of frame", frame.raw(), 0};
        if ((state & frame::pinned) != 0)
            count_valid(frame, type);
        at_ = {};
        if ((state & frame::validated) == 0)
            return;
        require(is_table(type) || type == FrameType::descriptors, frame, "a valid frame is no table");
        if (type == FrameType::descriptors)
            return check_descriptors(frame);
        count_table(frame, type, entries_per_table);
        if (type == FrameType::l4)
            check_core_slots(frame);
    }

    void check_descriptors(Mfn frame)
    {
        const uint64_t* descriptors = machine::frame_pointer<uint64_t>(frame);
        for (unsigned index = 0; index < descriptors_per_frame; ++index) {
            uint64_t admitted = descriptors[index];
            require(admit_descriptor(admitted) && admitted == descriptors[index], frame,
                    "a descriptor page has a descriptor that it may not have");
        }
    }

    void count_walk()
    {
        const TableWalk& walk = memory_.walk;
        const unsigned depth = walk.direction == TableWalk::Direction::none ? 0 : walk.depth;
        for (unsigned at = 0; at < depth; ++at) {
            const TableWalk::Level& level = walk.levels[at];
            at_ = {"a walk's, at table", level.table.raw(), level.index};
            count(level.table, level.type);
            require((state_of(level.table) & (frame::validated | frame::changing)) == frame::changing, level.table,
                    "a table on the walk's stack can be used");
            count_table(level.table, level.type, level.index);
        }
        changing_ = depth;
    }

    void count_vcpu(const Vcpu& vcpu)
    {
        const PvVcpuState& pv = vcpu.pv;
        at_ = {"page tables of vCPU", vcpu.number.raw(), 0};
        for (const Mfn table : {pv.kernel_table, pv.user_table}) {
            if (table != Mfn(0))
                count_valid(table, FrameType::l4);
        }
        for (unsigned page = 0; page < guest_gdt_frames; ++page)
            count_window(vcpu, page, page * descriptors_per_frame < pv.gdt_entries ? pv.gdt_frames[page] : invalid_mfn);
        for (unsigned page = 0; page < guest_ldt_frames; ++page)
            count_window(vcpu, (layout::ldt_offset >> page_shift) + page,
                         (pv.ldt_mapped >> page & 1) != 0 ? pv.ldt_frames[page] : invalid_mfn);
    }

    void count_window(const Vcpu& vcpu, unsigned page, Mfn frame)
    {
        const uint64_t entry = *machine::descriptor_window_entry(vcpu.index, page);
        at_ = {"a descriptor table of vCPU", vcpu.number.raw(), page};
        if (frame == invalid_mfn)
            return require(entry == 0, pte::frame(entry), "a descriptor window shows a page too many");
        require(pte::frame(entry) == frame, frame, "a descriptor window shows another page");
        count_valid(frame, FrameType::descriptors);
    }

    void count_vcpus()
    {
        for (const Vcpu& vcpu : partition_.vcpus)
            count_vcpu(vcpu);
        for (const ParkedTable& parked : memory_.parked) {
            at_ = {"the result of a walk, for vCPU", static_cast<uint64_t>(&parked - memory_.parked.data()), 0};
            if (parked.type != FrameType::none && parked.error == frame::ok)
                count_valid(parked.table, parked.type);
        }
    }

    void compare(Mfn frame)
    {
        const uint64_t state = state_of(frame);
        const FrameRecount& seen = recount_[ordinal_of(frame)];
        if ((state & frame::given) == 0)
            return require(seen.existence == 0, frame, "a frame on the free list is referenced");
        require(frame::typed_count(state) == seen.typed, frame, "a frame's typed count is wrong");
        require(frame::count(state) == seen.existence, frame, "a frame's count is wrong");
        const bool is_valid_table = is_table(frame::type_of(state)) && (state & frame::validated) != 0;
        require(!is_valid_table || frame::typed_count(state) != 0, frame, "nothing holds a valid table");
        if ((state & frame::changing) != 0)
            require(changing_-- != 0, frame, "a table is changing without a walk");
    }

    void check_free_list()
    {
        Mfn frame = memory_.first_free;
        for (uint64_t left = memory_.free_frames; left != 0; --left) {
            if (!is_own(frame) || (state_of(frame) & frame::given) != 0)
                return broken(frame, "the free list leads to a frame that is not free");
            frame = Mfn(state_of(frame) & frame::next_mask);
        }
        require(given_ == memory_.frames, Mfn(0), "the number of the guest's frames is wrong");
        // Between two lives nobody has any.
        const uint64_t known = given_ + memory_.free_frames;
        require(known == memory_.max_frames || known == 0, Mfn(0), "a frame got lost");
    }

    const Partition& partition_;
    const PvMemory& memory_;
    std::span<FrameRecount> recount_;
    const OutsideReferences& outside_;
    InvariantReport report_{};
    FrameReference at_{};                // what is looked at
    Mfn watched_{invalid_mfn};
    void (*found_)(const FrameReference& where) = nullptr;
    uint64_t given_ = 0;
    unsigned changing_ = 0;
};

}  // namespace

uint64_t recount_size(const Partition& partition)
{
    uint64_t size = 0;
    for (const std::span<const FrameRange> ranges : ranges_of(partition.memory)) {
        for (const FrameRange& range : ranges)
            size += range.count;
    }
    return size;
}

InvariantReport check_memory(const Partition& partition, std::span<FrameRecount> recount,
                             const OutsideReferences& outside)
{
    return Check(partition, recount, outside).run();
}

void find_references(const Partition& partition, Mfn frame, std::span<FrameRecount> recount,
                     const OutsideReferences& outside, void (*found)(const FrameReference& where))
{
    Check check(partition, recount, outside);
    check.watch(frame, found);
    (void)check.run();
}

}  // namespace bulkhead
