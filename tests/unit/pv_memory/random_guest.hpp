// SPDX-License-Identifier: BSD-2-Clause
// A guest that does anything: random operations of every kind on few frames, by two vCPUs, with
// another partition that grants frames and a core that takes references of its own. After each
// operation the invariants of both partitions and of the modelled TLBs are checked. The choices come
// from outside: a generator with a seed, or a fuzzer's bytes.
#pragma once

#include "core/pv/descriptors.hpp"
#include "core/pv/grant_mapping.hpp"
#include "core/pv/start_of_day.hpp"
#include "core/pv/write_emulation.hpp"
#include "partitions.hpp"
#include "tlb_model.hpp"

#include <string>

namespace bulkhead::fake {

class RandomGuest {
public:
    // choose(n): a number below n.
    explicit RandomGuest(std::function<uint64_t(uint64_t)> choose) : choose_(std::move(choose))
    {
        two.a().memory.linear_tables = choose_(4) == 0;
        two.a().memory.pins_late = choose_(4) == 0;
        run_on_small_tree(two);
        map_guest(argument, buffer);
    }

    // Empty, or what broke.
    std::string step()
    {
        last_ = choose_(20);
        switch (last_) {
        case 0:
        case 1:
        case 2:
            write_page();
            break;
        case 3:
            pin();
            break;
        case 4:
            unpin();
            break;
        case 5:
        case 6:
        case 7:
            update();
            break;
        case 8:
            raw(do_mmuext_op, choose_(2) == 0 ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR,
                choose_(8) == 0 ? 0 : frame_of_role(0).raw());
            break;
        case 9:
            update_by_address();
            break;
        case 10:
        case 11:
            emulate();
            break;
        case 12:
            reserve();
            break;
        case 13:
            describe();
            break;
        case 14:
            grant();
            break;
        case 15:
            reference();
            break;
        case 16:
            part_of_a_walk();
            break;
        case 17:
            flush_something();
            break;
        case 18:
            if (choose_(8) == 0)
                begin_another_life();
            break;
        default:
            rebuild();
            break;
        }
        look_around();
        return verdict();
    }

    TwoPartitions two;

private:
    static constexpr uint64_t argument = 0x7100'0000'0000;
    static constexpr uint64_t pool = 96;
    struct Buffer {
        mmuext_op_t operation;
        mmu_update_t updates[4];
        uint64_t words[16];
    };
    struct Handle {
        GrantPlace place;
        GrantAccess access;
        bool used;
    };
    struct Held {
        Mfn frame;
        bool writable;
    };

    Vcpu& vcpu() { return choose_(3) == 0 ? two.a1() : two.a0(); }
    Mfn some_frame()
    {
        switch (choose_(24)) {
        case 0:
            return two.fb(choose_(8));
        case 1:
            return two.fa(given_each - 1 + choose_(4));
        case 2:
            return Mfn(choose_(3) == 0 ? pte::frame(pte::address).raw() : choose_(machine::frame_limit + 16));
        case 3:
            return two.a().shared_frame;
        default:
            return two.fa(choose_(pool));
        }
    }
    // Most frames keep to a role, so that trees come about: 0 top level, 1, 2, 3 the levels below,
    // others data. A value for a page of one role mostly maps a page of the next.
    static uint64_t role_of(Mfn frame) { return frame.raw() % 8; }
    Mfn frame_of_role(uint64_t role)
    {
        for (unsigned tries = 0; tries < 16; ++tries) {
            const Mfn frame = two.fa(choose_(pool));
            if (role_of(frame) == role || (role > 3 && role_of(frame) > 3))
                return frame;
        }
        return some_frame();
    }
    uint64_t value_for(Mfn page)
    {
        if (choose_(4) == 0)
            return value();
        const uint64_t role = role_of(page) + 1;
        const Mfn child = choose_(16) == 0 ? page : frame_of_role(role);
        return pte::make(child, choose_(3) == 0 || (role > 3 && role_of(child) <= 3) ? ro : rw);
    }
    unsigned index()
    {
        static constexpr unsigned special[] = {200, 255, 256, 264, 271, 272, 510, 511};
        return static_cast<unsigned>(choose_(4) == 0 ? special[choose_(8)] : choose_(10));
    }
    uint64_t value()
    {
        uint64_t bits = choose_(2) == 0 ? rw : ro;
        if (choose_(8) == 0)
            bits ^= uint64_t{1} << choose_(12);
        if (choose_(16) == 0)
            bits |= pte::granted;
        if (choose_(16) == 0)
            bits |= pte::no_execute;
        return choose_(6) == 0 ? choose_(2) * ~uint64_t{1} : pte::make(some_frame(), bits);
    }
    GuestVirtual address()
    {
        if (choose_(8) != 0)
            return GuestVirtual(at(0, 0, 0, choose_(40)) | choose_(page_size));
        return GuestVirtual(at(index(), index(), index(), index()) | choose_(page_size));
    }
    // One call of a hypercall; a continuation is taken up later or never.
    void raw(HypercallHandler handler, uint64_t one, uint64_t second = 0, uint64_t third = 0, uint64_t fourth = 0)
    {
        Vcpu& caller = vcpu();
        current_cpu = caller.cpu.raw();
        HypercallArguments arguments{{one, second, third, fourth, 0, 0}};
        if (handler == do_mmuext_op) {
            buffer.operation = {};
            buffer.operation.cmd = static_cast<unsigned>(one);
            buffer.operation.arg1.mfn = second;
            buffer.operation.arg2.src_mfn = third;
            arguments = {{argument, 1, 0, DOMID_SELF, 0, 0}};
        }
        (void)handler(caller, arguments);
    }

    // The guest's own store to a page that is not a table now.
    void write_page()
    {
        const Mfn page = two.fa(choose_(pool));
        const uint64_t state = state_of(page);
        if ((state & frame::given) == 0)
            return;
        if (frame::typed_count(state) != 0 && frame::type_of(state) != FrameType::writable)
            return;
        // It needs a writable mapping, which turns the type.
        if (!get_writable_frame(page, two.a().id).has_value())
            return;
        const uint64_t entries = choose_(12);
        if (choose_(4) == 0)
            std::fill_n(words(page), 512, 0);
        for (uint64_t i = 0; i < entries; ++i)
            words(page)[index()] = value_for(page);
        put_writable_frame(page);
    }

    void pin()
    {
        const uint64_t level = choose_(4);
        const Mfn table = choose_(4) == 0 ? some_frame() : frame_of_role(3 - level);
        raw(do_mmuext_op, MMUEXT_PIN_L1_TABLE + level, table.raw());
    }

    void unpin()
    {
        Mfn table = some_frame();
        for (unsigned tries = 0; tries < 16 && !(is_ram(table) && (state_of(table) & frame::pinned) != 0); ++tries)
            table = two.fa(choose_(pool));
        raw(do_mmuext_op, MMUEXT_UNPIN_TABLE, table.raw());
    }

    // What a guest does all day: a new address space that maps itself read-only, and back.
    void rebuild()
    {
        std::array<Mfn, 4> tables;
        for (uint64_t role = 0; role < 4; ++role) {
            tables[role] = unused_frame_of_role(role);
            if (!get_writable_frame(tables[role], two.a().id).has_value())
                return;
            put_writable_frame(tables[role]);
        }
        for (unsigned level = 0; level < 3; ++level) {
            std::fill_n(words(tables[level]), 512, 0);
            words(tables[level])[0] = pte::make(tables[level + 1], rw);
        }
        const uint64_t first = choose_(pool - 40);
        for (uint64_t i = 0; i < 40; ++i) {
            const Mfn frame = two.fa(first + i);
            const bool is_new = std::find(tables.begin(), tables.end(), frame) != tables.end();
            const bool is_data = !is_new && (typed(frame) == 0 || frame_type(frame) == FrameType::writable);
            if (!is_data || choose_(2) == 0)
                words(tables[3])[i] = pte::make(frame, is_data ? rw : ro);
        }
        raw(do_mmuext_op, MMUEXT_PIN_L4_TABLE, tables[0].raw());
        raw(do_mmuext_op, MMUEXT_NEW_BASEPTR, tables[0].raw());
        if (choose_(4) != 0)
            raw(do_mmuext_op, MMUEXT_UNPIN_TABLE, tables[0].raw());
    }
    Mfn unused_frame_of_role(uint64_t role)
    {
        const bool any_role = choose_(2) == 0;
        Mfn frame = two.fa(choose_(pool));
        for (unsigned tries = 0; tries < 24 && (!(any_role || role_of(frame) == role) || typed(frame) != 0); ++tries)
            frame = two.fa(choose_(pool));
        return frame;
    }

    void update()
    {
        const uint64_t count = choose_(4) + 1;
        for (uint64_t i = 0; i < count; ++i)
        {
            const Mfn page = frame_of_role(choose_(6));
            const uint64_t command = choose_(12) == 0 ? choose_(8) : choose_(2) * 2;
            buffer.updates[i] = {entry_address(page, index(), command), choose_(3) == 0 ? 0 : value_for(page)};
        }
        raw(do_mmu_update, argument + offsetof(Buffer, updates), count, 0,
            choose_(20) == 0 ? choose_(4) : uint64_t{DOMID_SELF});
    }

    void update_by_address()
    {
        raw(do_update_va_mapping, address().raw(), choose_(3) == 0 ? 0 : value_for(frame_of_role(3)),
            choose_(4) == 0 ? choose_(8) : UVMF_NONE);
    }

    void emulate()
    {
        static constexpr uint8_t sizes[] = {1, 2, 4, 8, 8, 8, 3, 0};
        const PageTableWrite write{.address = address(),
                                   .size = sizes[choose_(8)],
                                   .operation = static_cast<PageTableWrite::Operation>(choose_(8)),
                                   .operand = choose_(2) == 0 ? value_for(frame_of_role(choose_(4))) : choose_(64),
                                   .expected = choose_(2) == 0 ? 0 : value()};
        PageTableWriteResult result{};
        Vcpu& caller = vcpu();
        current_cpu = caller.cpu.raw();
        (void)is_page_table_address(caller, write.address);
        (void)emulate_page_table_write(caller, write, result);
    }

    void reserve()
    {
        PvMemory& memory = two.a().memory;
        const LockGuard guard(memory.lock);
        if (choose_(2) == 0)
            (void)give_back(two.a(), some_frame());
        else if (memory.frames < given_each)
            (void)give_out(two.a(), choose_(given_each));
    }

    void describe()
    {
        for (uint64_t& word : buffer.words)
            word = some_frame().raw();
        constexpr uint64_t list = argument + offsetof(Buffer, words);
        switch (choose_(4)) {
        case 0:
            return raw(do_set_gdt, list, choose_(4 * descriptors_per_frame));
        case 1:
            return raw(do_update_descriptor, entry_address(some_frame(), index()), choose_(2) << 47 | choose_(32) << 40);
        case 2:
            return raw(do_mmuext_op, MMUEXT_SET_LDT, address().raw() & ~page_mask, choose_(2 * descriptors_per_frame));
        default:
            Vcpu& caller = vcpu();
            current_cpu = caller.cpu.raw();
            (void)map_ldt_page(caller, layout::descriptor_windows + caller.index * layout::descriptor_window_size
                                           + layout::ldt_offset + choose_(3 * page_size));
        }
    }

    // As the grant operations do: a reference for the handle, then the entry; the reverse with a flush.
    void grant()
    {
        Handle& handle = handles_[choose_(4)];
        Vcpu& caller = vcpu();
        current_cpu = caller.cpu.raw();
        const bool by_entry = choose_(2) == 0;
        const GrantPlace place{by_entry ? entry_address(some_frame(), index()) : address().raw(), by_entry};
        if (handle.used)
            return choose_(8) == 0 ? unmap(caller, handle, place) : unmap(caller, handle, handle.place);
        const GrantAccess access{choose_(4) == 0 ? two.fa(choose_(pool)) : two.fb(choose_(8)), choose_(2) == 0, 1};
        Partition* owner = find_partition(frame_owner(access.frame));
        const Result<> taken = access.writable ? get_writable_frame(access.frame, owner->id)
                                               : get_frame(access.frame, owner->id);
        if (!taken.has_value())
            return;
        note(access.frame, access.writable, 1);
        const LockGuard guard(two.a().memory.lock);
        if (map_grant_entry(caller, place, access).has_value()) {
            handle = {place, access, true};
            tlb_.granted.insert(access.frame.raw());
        } else {
            put(access);
        }
    }
    void unmap(Vcpu& caller, Handle& handle, const GrantPlace& place)
    {
        {
            const LockGuard guard(two.a().memory.lock);
            const bool replace = !place.contains_pte && choose_(3) == 0;
            const Result<> done = replace ? replace_grant_entry(caller, place, handle.access, address())
                                          : unmap_grant_entry(caller, place, handle.access);
            if (!done.has_value())
                return;
        }
        flush_grant_mappings(two.a());
        put(handle.access);
        handle.used = false;
        for (const Handle& other : handles_) {
            if (other.used && other.access.frame == handle.access.frame)
                return;
        }
        tlb_.granted.erase(handle.access.frame.raw());
    }
    void put(const GrantAccess& access)
    {
        access.writable ? put_writable_frame(access.frame) : put_frame(access.frame);
        note(access.frame, access.writable, -1);
    }
    void note(Mfn frame, bool writable, int change)
    {
        two.held[frame.raw()].existence += static_cast<uint32_t>(change);
        two.held[frame.raw()].typed += writable ? static_cast<uint32_t>(change) : 0;
    }

    // The core's own, without the lock: grant copies, vcpu_info and the like.
    void reference()
    {
        if (!held_.empty() && choose_(2) == 0) {
            const Held held = held_.back();
            held_.pop_back();
            put({held.frame, held.writable, 0});
            return;
        }
        const Held held{some_frame(), choose_(2) == 0};
        const DomainId owner = two.a().id;
        const Result<> taken = held.writable ? get_writable_frame(held.frame, owner) : get_frame(held.frame, owner);
        if (!taken.has_value())
            return;
        note(held.frame, held.writable, 1);
        held_.push_back(held);
    }

    void part_of_a_walk()
    {
        Vcpu& caller = vcpu();
        current_cpu = caller.cpu.raw();
        const LockGuard guard(two.a().memory.lock);
        WorkBudget budget(static_cast<int32_t>(choose_(400)));
        if (!finish_walk(two.a(), budget))
            return;
        const Mfn table = some_frame();
        const auto type = static_cast<FrameType>(2 + choose_(4));
        if (!acquire_table(caller, table, type, budget).has_value())
            return;
        WorkBudget less(static_cast<int32_t>(choose_(300)));
        release_table(two.a(), table, type, less);
    }

    void flush_something()
    {
        current_cpu = choose_(2);
        if (choose_(6) == 0)
            machine::flush_local();
        // A CPU that leaves the partition and comes back.
        const uint64_t bit = uint64_t{1} << current_cpu;
        if (choose_(6) == 0) {
            two.a().memory.running_on &= ~bit;
            left_ |= bit;
        } else if ((left_ & bit) != 0) {
            left_ &= ~bit;
            two.a().memory.running_on |= bit;
            machine::load_table(two.vcpus[0][current_cpu].pv.kernel_table);
        }
    }

    // As the life cycle does it: no CPU runs the partition, nobody holds anything of it. A walk, and what it
    // left for a vCPU, may be anywhere.
    void begin_another_life()
    {
        for (uint16_t cpu = 0; cpu < 2; ++cpu) {
            current_cpu = cpu;
            two.a().memory.running_on &= ~(uint64_t{1} << cpu);
        }
        for (Handle& handle : handles_) {
            if (handle.used)
                put(handle.access);
            handle.used = false;
        }
        for (; !held_.empty(); held_.pop_back())
            put({held_.back().frame, held_.back().writable, 0});
        while (reset_memory(two.a()) == BuildStep::more) {
        }
        for (Vcpu& vcpu : two.vcpus[0]) {
            vcpu.pv = {};
            vcpu.pv.kernel_mode = true;
        }
        two.give_frames(two.a());
        for (uint64_t pfn = 0; pfn < pool; ++pfn)
            std::fill_n(words(two.fa(pfn)), 512, 0);
        run_on_small_tree(two);
        tlb_.granted.clear();
        left_ = 0;
        for (uint16_t cpu = 0; cpu < 2; ++cpu) {
            current_cpu = cpu;
            two.a().memory.running_on |= uint64_t{1} << cpu;
            machine::load_table(two.vcpus[0][cpu].pv.kernel_table);
        }
    }

    void look_around()
    {
        for (size_t cpu = 0; cpu < 2; ++cpu) {
            if ((left_ >> cpu & 1) != 0)
                continue;
            const PvVcpuState& pv = two.vcpus[0][cpu].pv;
            for (unsigned i = 0; i < 8; ++i) {
                const Mfn top = pv.user_table != Mfn(0) && choose_(4) == 0 ? pv.user_table : pv.kernel_table;
                const bool near = choose_(2) == 0;
                const unsigned last = near ? static_cast<unsigned>(choose_(40)) : index();
                const std::array<unsigned, 4> indices{near ? 0 : index(), near ? 0 : index(), near ? 0 : index(), last};
                tlb_.access(cpu, top, indices, choose_(64));
            }
            if (uint64_t* page = tlb_.writable_page(cpu, choose_(64)); page != nullptr)
                page[index()] = value();
        }
    }

    std::string verdict()
    {
        if (const char* what = tlb_.check(two.a()); what != nullptr)
            return std::string(what) + " after operation " + std::to_string(last_);
        for (const Partition* partition : {&two.a(), &two.b()}) {
            const InvariantReport report = two.check(*partition);
            if (report.broken != nullptr)
                return std::string(report.broken) + ", frame " + std::to_string(report.frame.raw()) + ", after operation "
                    + std::to_string(last_);
        }
        return {};
    }

    std::function<uint64_t(uint64_t)> choose_;
    TlbModel tlb_;
    std::array<Handle, 4> handles_{};
    std::vector<Held> held_;
    uint64_t left_ = 0;
    uint64_t last_ = 0;
    Buffer buffer{};
};

}  // namespace bulkhead::fake
