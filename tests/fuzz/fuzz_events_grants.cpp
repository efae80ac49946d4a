// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: three partitions of two vCPUs do anything with event channels and grants, alone
// and in multicalls, write anything into their shared tables, and end and begin lives. Every
// connection keeps two ends; in the end nothing is held.
//
// Input: operations of one byte and their data; see World::step(). Small numbers are frequent, so that
// ports, references and handles meet.
#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"
#include "tests/unit/grants/grant_fakes.hpp"
#include "tests/unit/hypercall/other_handlers.hpp"

namespace bulkhead {
// No shared memory: tests/unit/events/test_shared_memory.cpp has it.
Result<uint32_t> bind_bell(Partition&, uint32_t) { return fail(XEN_ESRCH); }
void unbind_bell(const Partition&, uint32_t) {}
void ring_bell(const Partition&, uint32_t) {}
}  // namespace bulkhead

#include "core/event_bind.cpp"
#include "core/event_channel_op.cpp"
#include "core/event_close.cpp"
#include "core/event_fifo.cpp"
#include "core/events.cpp"
#include "core/hypercall.cpp"
#include "core/hypercall_names.cpp"
#include "core/multicall.cpp"
#include "tests/unit/events/event_invariants.hpp"

namespace bulkhead {

long do_vm_assist(Vcpu&, HypercallArguments&) { return 0; }
long do_mmu_update(Vcpu&, HypercallArguments&) { return 0; }

}  // namespace bulkhead

namespace {

using namespace bulkhead;

constexpr uint64_t list_at = 0x40000;
constexpr uint64_t multicall_at = 0x60000;
constexpr size_t frames_each = 4;

void require(bool condition, const char* what)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

struct Input {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    uint32_t word()
    {
        uint32_t value = 0;
        for (int i = 0; i < 4; ++i)
            value = value << 8 | byte();
        return value;
    }
    // Mostly below `limit`, at times anything.
    uint32_t number(uint32_t limit)
    {
        const uint8_t first = byte();
        return first == 0xff ? word() : first % limit;
    }
    domid_t domain()
    {
        static constexpr domid_t domains[] = {DOMID_SELF, 1, 2, 3, 0, 9};
        return domains[byte() % std::size(domains)];
    }
};

void core_port_handler(Partition&, Port) {}

class World {
public:
    explicit World(Input input) : input_(input), world_(3)
    {
        for (plan::Partition& plan : world_.plans)
            plan.grant_frames = 2;
        init_events(world_.partitions);
        init_grants(world_.partitions);
        for (size_t i = 0; i < 3; ++i) {
            make_small(world_[i]);
            init_grants(world_[i], StartGrants{});
            for (Mfn& frame : frames_[i]) {
                frame = fake::new_frame();
                frame::entry_of(frame).owner_and_stamp = uint64_t{world_[i].id.raw()} << 48;
                frame::entry_of(frame).state = frame::given;
            }
        }
        fake::map_guest(list_at, list_);
        fake::map_guest(multicall_at, multicall_);
    }

    void run()
    {
        for (int steps = 0; input_.size != 0 && steps < 200; ++steps)
            step();
        check_events();
        for (size_t i = 0; i < 3; ++i)
            end_life(world_[i]);
        check_events();
        check_nothing_held();
    }

private:
    // So that tables fill up, and an input is done soon.
    static void make_small(Partition& partition)
    {
        partition.events.count = 128;
        partition.grants.mapping_count = 32;
        partition.grants.mappings[31].ref = 32;
    }

    void step()
    {
        Vcpu& vcpu = world_.run(world_.vcpu(input_.byte() % 3, input_.byte() % 2));
        switch (input_.byte() % 8) {
        case 0:
        case 1:
            direct(vcpu, __HYPERVISOR_event_channel_op, event_arguments());
            break;
        case 2:
        case 3:
        case 4:
            direct(vcpu, __HYPERVISOR_grant_table_op, grant_arguments());
            break;
        case 5:
            several(vcpu);
            break;
        case 6:
            write_entry(*vcpu.partition);
            break;
        default:
            from_the_core(vcpu);
        }
    }

    // --- Hypercalls ------------------------------------------------------------------------------------
    void direct(Vcpu& vcpu, uint64_t number, HypercallArguments arguments)
    {
        GuestFrame& frame = machine::current_frame();
        frame.rax = number;
        frame.arguments() = arguments;
        for (int turns = 0; dispatch_hypercall(vcpu, number, frame.arguments()) == hypercall_continue; ++turns)
            require(turns < 1000, "a hypercall that never ends");
    }

    void several(Vcpu& vcpu)
    {
        const size_t count = 1 + input_.byte() % multicall_.size();
        for (size_t i = 0; i < count; ++i) {
            const bool grants = input_.byte() % 2 != 0;
            const HypercallArguments arguments = grants ? grant_arguments() : event_arguments();
            multicall_entry_t& entry = multicall_[i];
            entry.op = grants ? __HYPERVISOR_grant_table_op : __HYPERVISOR_event_channel_op;
            if (input_.byte() == 0xff)
                entry.op = input_.word();
            for (size_t n = 0; n < 6; ++n)
                entry.args[n] = arguments.value[n];
        }
        direct(vcpu, __HYPERVISOR_multicall, {{multicall_at, count}});
    }

    template <class Record>
    void put(const Record& record, size_t at = 0)
    {
        std::memcpy(list_.data() + at * sizeof(Record), &record, sizeof(record));
    }

    HypercallArguments event_arguments()
    {
        const uint32_t operation = input_.byte() % 15;
        switch (operation) {
        case EVTCHNOP_alloc_unbound:
            put(evtchn_alloc_unbound{input_.domain(), input_.domain(), 0});
            break;
        case EVTCHNOP_bind_interdomain:
            put(evtchn_bind_interdomain{input_.domain(), input_.number(12), 0});
            break;
        case EVTCHNOP_status: {
            evtchn_status record{};
            record.dom = input_.domain();
            record.port = input_.number(12);
            put(record);
            break;
        }
        case EVTCHNOP_init_control:
            put(evtchn_init_control{any_frame().raw(), input_.number(20) * 256, input_.number(3), 0, {}});
            break;
        case EVTCHNOP_expand_array:
            put(evtchn_expand_array{any_frame().raw()});
            break;
        case EVTCHNOP_reset:
            put(evtchn_reset{input_.domain()});
            break;
        default:
            put(evtchn_bind_virq{input_.number(26), input_.number(3), 0});
        }
        return {{operation, address()}};
    }

    HypercallArguments grant_arguments()
    {
        const uint32_t operation = input_.byte() % 14;
        const uint32_t count = 1 + input_.byte() % 20;
        for (uint32_t i = 0; i < count; ++i)
            put_grant_record(operation, i);
        return {{operation, address(), input_.byte() == 0xff ? input_.word() : count}};
    }
    void put_grant_record(uint32_t operation, uint32_t at)
    {
        switch (operation) {
        case GNTTABOP_map_grant_ref:
            put(gnttab_map_grant_ref_t{place(), input_.number(32), input_.number(8), input_.domain(), 0, 0, 0}, at);
            break;
        case GNTTABOP_unmap_grant_ref:
            put(gnttab_unmap_grant_ref_t{place(), input_.number(16) / 15, input_.number(12), 0}, at);
            break;
        case GNTTABOP_unmap_and_replace:
            put(gnttab_unmap_and_replace_t{place(), place(), input_.number(12), 0}, at);
            break;
        case GNTTABOP_copy:
            put(copy_record(), at);
            break;
        default:
            put(gnttab_swap_grant_ref_t{input_.number(8), input_.number(8), 0}, at);
        }
    }
    gnttab_copy_t copy_record()
    {
        gnttab_copy_t record{};
        record.flags = static_cast<uint16_t>(input_.byte() % 4);
        for (auto* side : {&record.source, &record.dest}) {
            const bool reference = (record.flags & (side == &record.source ? 1 : 2)) != 0;
            side->domid = input_.domain();
            side->u.gmfn = reference ? input_.number(8) : any_frame().raw();
            side->offset = static_cast<uint16_t>(input_.number(64));
        }
        record.len = static_cast<uint16_t>(input_.number(64));
        return record;
    }

    uint64_t address() { return input_.byte() == 0xff ? input_.word() * uint64_t{0x100000001} : list_at; }
    uint64_t place() { return (input_.byte() % 12) * page_size; }
    Mfn any_frame()
    {
        const uint8_t which = input_.byte();
        return which == 0xff ? Mfn(input_.word()) : frames_[which % 3][which / 3 % frames_each];
    }

    // --- Memory and lives ----------------------------------------------------------------------------
    void write_entry(Partition& partition)
    {
        const auto flags = static_cast<uint16_t>(input_.number(32));
        const uint64_t value = entry::make(flags, DomainId(input_.domain()), any_frame());
        partition.grants.entries[input_.byte() % 8].store(value & ~uint64_t{0}, std::memory_order_relaxed);
    }

    void from_the_core(Vcpu& vcpu)
    {
        Partition& partition = *vcpu.partition;
        switch (input_.byte() % 6) {
        case 0:
            send_virq(vcpu, input_.number(26));
            break;
        case 1:
            send_virq(partition.vcpus[0], input_.number(12));
            break;
        case 2:
            (void)bind_core_port(partition, Port(input_.number(12)), core_port_handler);
            break;
        case 3:
            notify_core_port(partition, Port(input_.number(12)));
            break;
        case 4:
            start_polling(vcpu, input_.byte() % 2 != 0 ? poll_several : input_.number(12));
            hold(vcpu, hold_polling | hold_blocked);
            break;
        default:
            end_life(partition);
            begin_life(partition);
        }
    }

    static void end_life(Partition& partition)
    {
        const auto finish = [](auto&& slice) {
            for (int slices = 0; !slice(); ++slices)
                require(slices < 1000, "an end that never comes");
        };
        finish([&] { return reset_events(partition); });
        finish([&] { return reset_grants(partition); });
        // Its page tables are gone as a whole.
        std::erase_if(fake::entries,
                      [&](const auto& mapped) { return std::get<0>(mapped.first) == partition.id.raw(); });
    }
    static void begin_life(Partition& partition)
    {
        while (Partition* holder = first_foreign_holder(partition)) {
            end_life(*holder);
            if (first_foreign_holder(*holder) == nullptr && !holder->grants.open) {
                ++holder->generation;
                init_grants(*holder, StartGrants{});
            }
        }
        ++partition.generation;
        init_grants(partition, StartGrants{});
    }

    // --- What is always true ---------------------------------------------------------------------------
    void check_events()
    {
        const char* broken = broken_event_invariant(world_.partitions);
        require(broken == nullptr, broken);
    }
    void check_nothing_held()
    {
        for (size_t i = 0; i < 3; ++i) {
            const GrantTable& table = world_[i].grants;
            require(!table.lock.is_locked() && !world_[i].memory.lock.is_locked(), "a lock is held");
            require(table.mappings_in_use == 0, "a handle is in use");
            for (const auto& held : table.held_by)
                require(held == 0, "somebody is announced");
            for (uint32_t ref = 0; ref < table.max_frames * grant_entries_per_frame; ++ref)
                require(table.uses[ref].counts == 0, "an entry is pinned");
            for (const Mfn frame : frames_[i])
                require(frame::count(frame::entry_of(frame).state) == 0, "a frame is held");
        }
    }

    Input input_;
    fake::World world_;
    std::array<std::array<Mfn, frames_each>, 3> frames_;
    std::array<uint8_t, 1024> list_{};
    std::array<multicall_entry_t, 20> multicall_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    fake::reset_core();
    fake::reset_frame_tables();
    fake::entries.clear();
    World(Input{data, size}).run();
    return 0;
}
