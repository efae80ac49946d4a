// SPDX-License-Identifier: BSD-2-Clause
// See world.hpp.
#include "world.hpp"

#include "caller.hpp"

#include "core/devices/interrupts.hpp"
#include "core/grant_pin.hpp"
#include "core/grants.hpp"
#include "core/lifecycle.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "core/pv/start_of_day.hpp"
#include "core/pv/vcpu_reset.hpp"
#include "core/questions.hpp"
#include "core/runstate.hpp"
#include "core/schedule.hpp"
#include "core/shared_memory.hpp"
#include "core/trace.hpp"
#include "core/trace_ring.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "machine/current_frame.hpp"
#include "machine/registers.hpp"
#include "machine/switch.hpp"
#include "pvdrivers/abi/machine.h"

extern "C" {
#include <xen/physdev.h>
}

namespace bulkhead::fuzz {

World* world;
std::array<AssignedDevice, 2> devices;

namespace {

constexpr uint32_t ports = 128;
constexpr int turns_at_most = 5000;

PciFunction card;
std::array<plan::Device, 2> planned_devices;
uint32_t msix_table[16];

CpuidResult any_host(uint32_t leaf, uint32_t)
{
    constexpr uint32_t all = 0xFFFF'FFFF;
    if (leaf == 0)
        return {0x1F, 0x68747541, 0, 0};
    if (leaf == 0x8000'0000)
        return {0x8000'0023, 0, 0, 0};
    return {all, all, all, all};
}

void reset_cpus()
{
    for (Cpu& cpu : fake::cpus) {
        std::destroy_at(&cpu.schedule);
        std::construct_at(&cpu.schedule);
        cpu.loaded = nullptr;
    }
    fake::cpus_in_use = 2;
    fake::tsc = 1'000'000'000;
    fake::tsc_step = 0;
    fake::registers = {};
}

}  // namespace

long ask(Vcpu& vcpu, uint64_t number, const HypercallArguments& arguments)
{
    GuestFrame& frame = machine::current_frame();
    frame.rax = number;
    frame.arguments() = arguments;
    for (int turns = 0;; ++turns) {
        require(turns < turns_at_most, "a hypercall that never ends");
        if (const long result = dispatch_hypercall(vcpu, number, frame.arguments()); result != hypercall_continue)
            return result;
    }
}

World::World(Input& the_input) : input(the_input)
{
    world = this;
    reset_cpus();
    kernels_start_ = input.choose(4) != 0;
    init_trace();
    trace_enabled = input.once_in(8);
    init_cpuid_policy(any_host, 0xE7, true);
    for (size_t which = 0; which < 2; ++which)
        make_partition(which);
    two.plans[1].flags |= plan::may_ask;
    const std::span<Partition> both(two.partitions, 2);
    init_events(both);
    init_grants(both);
    init_schedule({});
    make_shared_memory();
    make_devices();
    Partition& service = partition(1);
    service.service.clients_frame = fake::new_frame();
    service.service.clients = machine::frame_pointer<std::atomic<uint64_t>>(service.service.clients_frame);
    client_.vcpus = client_vcpus_;
    client_vcpus_[1].number = VcpuNumber(1);
    service.service.machine.client = &client_;
    service.service.machine.frame = fake::new_frame();
    service.service.machine.page = machine::frame_pointer<bulkhead_machine_page>(service.service.machine.frame);
    for (size_t i = 0; i < vcpu_count; ++i) {
        fake::map_guest(GuestVirtual(buffer_of(i)), buffers[i].data(), buffer_bytes);
        fake::map_guest(GuestVirtual(read_only_buffer_of(i)), buffers[i].data(), buffer_bytes, false);
    }
    init_questions(shared_plan_.header);
    for (size_t which = 0; which < 2; ++which)
        begin_life(which);
    check();
}

World::~World()
{
    fake::on_guest_access = nullptr;
    world = nullptr;
}

void World::make_partition(size_t which)
{
    plan::Partition& plan = two.plans[which];
    Partition& self = partition(which);
    std::snprintf(plan.name.data(), plan.name.size(), "part%zu", which + 1);
    plan.type = which == 0 ? plan::PartitionType::pv : plan::PartitionType::service;
    plan.grant_frames = 2;
    plan.vcpus = 2;
    plan.dma_pfn = fake::given_each - 4;
    plan.dma_frames = 0;
    plan.priority = 10;
    const uint64_t kind = input.choose(16);
    self.memory.linear_tables = (kind & 1) != 0;
    self.memory.pins_late = (kind & 2) != 0;
    self.memory.absent_is_safe = (kind & 4) != 0;
    plan.budget_us = (kind & 8) != 0 ? 100 : 0;
    plan.period_us = (kind & 8) != 0 ? 1000 : 0;
    self.state = PartitionState::running;
    consoles_[which].log.use(logs_[which]);
    consoles_[which].partition = &self;
    self.console.source = &consoles_[which];
    for (Vcpu& each : self.vcpus) {
        each.info = &self.shared->vcpu_info[each.number.raw()];
        each.fpu_area = fake::frame_bytes(fake::new_frame());
    }
}

// "a" (2 frames): the first partition writes, the second reads. "b": the second alone.
void World::make_shared_memory()
{
    SharedPlan& plan = shared_plan_;
    plan.header.shared_regions = {offsetof(SharedPlan, regions), 2};
    plan.regions[0] = {{'a'}, 2, 8, 1, {offsetof(SharedPlan, members), 2}};
    plan.regions[1] = {{'b'}, 1, 10, 2, {offsetof(SharedPlan, members) + 2 * sizeof(plan::SharedMember), 1}};
    plan.members[0] = {0, 1, 0};
    plan.members[1] = {1, 0, 0};
    plan.members[2] = {1, 1, 0};
    init_shared_memory(plan.header);
}

// The second partition has a card with MSI-X, MSI and a line; another one is not on this box.
void World::make_devices()
{
    card = {};
    card.address = pci_address(0, 3, 0);
    card.msi = 0x50;
    card.msix = 0x70;
    for (uint16_t number = 0; number < 2; ++number) {
        planned_devices[number] = {};
        planned_devices[number].number = number;
        AssignedDevice& device = devices[number];
        device.plan = &planned_devices[number];
        device.owner = &partition(1);
        device.function = number == 0 ? &card : nullptr;
        device.why = "it is not there";
        device.facts = {};
        device.frames = {};
        device.has_line = true;
        device.line = {20, false};
        device.open = device.reset_tried = false;
        device.cut_off = false;
        device.faults = 0;
        device.msix_table = number == 0 ? msix_table : nullptr;
        device.msix_count = 0;
    }
    devices[0].facts.msix_count = 2;
    devices[0].frames[0] = {{Mfn(0xF0000), 16}, {}};
    devices[0].frames[3] = {{Mfn(0xF0010), 4}, {Mfn(0xF0011), 2}};
    // The table of interrupts has no end of its own: a process fills it once.
    static const bool added = (add_device_interrupts(devices[0]), true);
    (void)added;
}

// --- Lives -----------------------------------------------------------------------------------------

// Pins an L4 to L1 that map 40 pages, and runs both vCPUs on it.
void World::load_tables(size_t which)
{
    for (uint64_t pfn = 0; pfn < 4; ++pfn)
        std::fill_n(fake::words(frame(which, pfn)), 512, 0);
    for (uint64_t pfn = 0; pfn < 3; ++pfn)
        fake::words(frame(which, pfn))[0] = pte::make(frame(which, pfn + 1), fake::rw);
    for (uint64_t i = 0; i < 40; ++i) {
        const Mfn mapped = frame(which, i < 4 ? i : 20 + i);
        fake::words(frame(which, 3))[i] = pte::make(mapped, i < 4 || Caller::role_of(mapped) <= 4 ? fake::ro : fake::rw);
    }
    Partition& self = partition(which);
    fake::require(fake::mmuext(self.vcpus[0], MMUEXT_PIN_L4_TABLE, frame(which, 0).raw()) == 0, "the first tree is refused");
    for (Vcpu& each : self.vcpus.first(input.once_in(4) ? 1 : 2)) {
        WorkBudget budget;
        fake::require(acquire_table(each, frame(which, 0), FrameType::l4, budget).has_value(), "no reference to it");
        each.pv.kernel_table = frame(which, 0);
        each.initialised = true;
        each.hold = 0;
    }
}

// What every kernel does first: tables for user mode, descriptors, events, grants for the other partition.
void World::start_kernel(size_t which)
{
    Partition& self = partition(which);
    Vcpu& boot = self.vcpus[0];
    const auto peer = static_cast<domid_t>(2 - which);
    std::array<uint8_t, buffer_bytes>& buffer = buffers[which * 2];
    const uint64_t at = buffer_of(which * 2);
    const auto put = [&](const auto& record) {
        std::memcpy(buffer.data(), &record, sizeof(record));
        return at;
    };
    fake::require(fake::mmuext(boot, MMUEXT_NEW_USER_BASEPTR, frame(which, 0).raw()) == 0, "no user tables");
    for (uint64_t i = 4; i < 40; ++i) {
        if (Caller::role_of(frame(which, 20 + i)) != 4)
            continue;
        std::fill_n(fake::words(frame(which, 20 + i)), 512, 0);
        (void)fake::mmuext(boot, MMUEXT_SET_LDT, fake::at(0, 0, 0, i), 512);
        break;
    }
    const auto event = [&](uint64_t operation, const auto& record) {
        (void)ask(boot, __HYPERVISOR_event_channel_op, {{operation, put(record)}});
    };
    event(EVTCHNOP_alloc_unbound, evtchn_alloc_unbound{DOMID_SELF, peer, 0});
    event(EVTCHNOP_bind_interdomain, evtchn_bind_interdomain{peer, 1, 0});
    event(EVTCHNOP_bind_ipi, evtchn_bind_ipi{1, 0});
    event(EVTCHNOP_bind_virq, evtchn_bind_virq{VIRQ_TIMER, 0, 0});
    event(EVTCHNOP_bind_interdomain, evtchn_bind_interdomain{0, 1, 0});
    self.shared->evtchn_mask[0] = ~uint64_t{0};
    if (input.choose(4) == 1) {
        event(EVTCHNOP_init_control, evtchn_init_control{frame(which, 76).raw(), 0, 0, 0, {}});
        event(EVTCHNOP_expand_array, evtchn_expand_array{frame(which, 77).raw()});
    }
    if (which == 1) {
        for (const uint64_t table : {uint64_t{0}, uint64_t{1}}) {
            physdev_map_pirq request{};
            request.domid = DOMID_SELF;
            request.type = table == 0 ? MAP_PIRQ_TYPE_GSI : MAP_PIRQ_TYPE_MSI;
            request.index = 20;
            request.pirq = -1;
            request.devfn = 3 << 3;
            request.table_base = table;
            (void)ask(boot, __HYPERVISOR_physdev_op, {{PHYSDEVOP_map_pirq, put(request)}});
            std::memcpy(&request, buffer.data(), sizeof(request));
            event(EVTCHNOP_bind_pirq, evtchn_bind_pirq{static_cast<uint32_t>(request.pirq), 0, 0});
        }
    }
    constexpr std::array<char, 6> line{'h', 'e', 'l', 'l', 'o', '\n'};
    (void)ask(boot, __HYPERVISOR_console_io, {{CONSOLEIO_write, line.size(), put(line)}});
    grant_memory(which, peer, boot);
}

// In either version; and it maps what the other partition grants it already.
void World::grant_memory(size_t which, domid_t peer, Vcpu& boot)
{
    GrantTable& table = partition(which).grants;
    std::array<uint8_t, buffer_bytes>& buffer = buffers[which * 2];
    const auto grant_op = [&](uint64_t operation, const auto& record) {
        std::memcpy(buffer.data(), &record, sizeof(record));
        (void)ask(boot, __HYPERVISOR_grant_table_op, {{operation, buffer_of(which * 2), 1}});
    };
    if (input.choose(3) == 1)
        grant_op(GNTTABOP_set_version, gnttab_set_version_t{2});
    for (uint32_t ref = 0; ref < 6; ++ref) {
        const auto flags = static_cast<uint16_t>(GTF_permit_access | (ref % 2) * GTF_readonly);
        const Mfn granted = frame(which, 64 + ref);
        if (table.version == 1) {
            table.entries[ref] = entry::make(flags, DomainId(peer), granted);
            continue;
        }
        entry_v2(table, ref).frame = granted.raw();
        entry_v2(table, ref).part = ref == 4 ? 16 | 64 << 16 : 0;
        entry_v2(table, ref).header = uint32_t{peer} << 16 | flags | (ref == 4 ? GTF_sub_page : 0);
    }
    for (uint32_t ref = 0; ref < 2; ++ref) {
        gnttab_map_grant_ref_t record{};
        record.host_addr = ref == 0 ? fake::at(0, 0, 0, 30) : fake::entry_address(frame(which, 3), 31);
        record.flags = ref == 0 ? GNTMAP_host_map : GNTMAP_host_map | GNTMAP_readonly | GNTMAP_contains_pte;
        record.ref = ref;
        record.dom = peer;
        grant_op(GNTTABOP_map_grant_ref, record);
    }
}

void World::begin_life(size_t which)
{
    Partition& self = partition(which);
    ++self.generation;
    self.memory.running_on = 3;
    for (Vcpu& each : self.vcpus) {
        reset_pv_state(each);
        each.pv.kernel_mode = true;
        each.info = &self.shared->vcpu_info[each.number.raw()];
        each.initialised = false;
        each.hold = hold_down;
        each.poll_port = 0;
        reset_time(each);
    }
    self.events.count = ports;
    self.grants.mapping_count = handles;
    if (self.generation == 1)
        self.grants.mappings[handles - 1].ref = handles;
    init_grants(self, StartGrants{});
    open_devices(self);
    load_tables(which);
    update_wall_clock(self);
    if (kernels_start_) {
        be(self.vcpus[0]);
        start_kernel(which);
    }
    self.state = PartitionState::running;
    ended[which] = false;
}

void World::end_life(size_t which)
{
    const auto finish_all = [](auto&& slice) {
        for (int slices = 0; !slice(); ++slices)
            require(slices < 1000, "an end that never comes");
    };
    Partition& self = partition(which);
    for (Cpu& cpu : fake::cpus) {
        if (cpu.current != nullptr && cpu.current->partition == &self) {
            cpu.current = nullptr;
            cpu.schedule.running = nullptr;
        }
    }
    for (size_t i = 0; i < 2; ++i)
        continuations[which * 2 + i].reset();
    cancel_watchdogs(self);
    silence_devices(self);
    self.memory.running_on = 0;
    finish_all([&] { return reset_events(self); });
    finish_all([&] { return reset_grants(self); });
    // Whoever keeps frames of it is ended too.
    if (Partition* holder = first_foreign_holder(self); holder != nullptr) {
        const size_t other = 1 - which;
        require(holder == &partition(other), "a holder that does not exist");
        end_life(other);
        begin_life(other);
    }
    require(first_foreign_holder(self) == nullptr, "a holder outlives its own end");
    finish_all([&] { return reset_memory(self) == BuildStep::done; });
    self.vm_assist = 0;
    two.give_frames(self);
}

void World::finish_ended()
{
    for (size_t which = 0; which < 2; ++which) {
        const bool all_down = std::all_of(partition(which).vcpus.begin(), partition(which).vcpus.end(),
                                          [](const Vcpu& each) { return (each.hold & hold_down) != 0; });
        if (!ended[which] && !all_down)
            continue;
        end_life(which);
        begin_life(which);
    }
}

void World::finish()
{
    kernels_start_ = false;
    for (size_t which = 0; which < 2; ++which) {
        end_life(which);
        begin_life(which);
    }
    check();
    for (size_t which = 0; which < 2; ++which) {
        require(partition(which).grants.mappings_in_use == 0, "a handle outlives its holder");
        // The first tree maps frames below 64.
        for (uint64_t pfn = 64; pfn < fake::given_each; ++pfn)
            require(fake::existing(frame(which, pfn)) == 0, "a reference outlives its holder");
    }
}

// --- One step --------------------------------------------------------------------------------------

void World::be(Vcpu& next)
{
    fake::current_cpu = next.cpu.raw();
    Cpu& cpu = this_cpu();
    cpu.schedule.decided_at = machine::now();
    if (cpu.current == &next)
        return;
    if (cpu.current != nullptr)
        runstate_switch_out(*cpu.current, cpu.current->hold.load());
    cpu.current = &next;
    cpu.schedule.running.store(&next);
    runstate_switch_in(next);
}

void World::decide(size_t number)
{
    fake::current_cpu = number;
    Cpu& cpu = this_cpu();
    if ((cpu.work.exchange(0) & work_lifecycle) != 0)
        check_watchdogs(machine::now());
    run_timers();
    Vcpu* const next = pick_next();
    if (next == cpu.current)
        return;
    if (cpu.current != nullptr)
        runstate_switch_out(*cpu.current, cpu.current->hold.load());
    cpu.current = next;
    if (next != nullptr)
        runstate_switch_in(*next);
}

// One that may run; what it waits for comes now.
Vcpu* World::choose_vcpu()
{
    const size_t first = input.choose(vcpu_count);
    for (size_t i = 0; i < vcpu_count; ++i) {
        Vcpu& each = vcpu((first + i) % vcpu_count);
        if ((each.hold & hold_down) != 0 || ended[each.partition->id.raw() - 1u])
            continue;
        stop_polling(each);
        release(each, hold_blocked | hold_polling);
        if ((each.hold & hold_budget) != 0) {
            fake::tsc = std::max(fake::tsc, each.schedule.budget_end.raw());
            decide(each.cpu.raw());
        }
        be(each);
        return &each;
    }
    return nullptr;
}

void World::go_on(size_t index)
{
    Vcpu& caller = vcpu(index);
    GuestFrame& frame = machine::current_frame();
    for (int turns = 0; continuations[index].has_value(); ++turns) {
        require(turns < turns_at_most, "a hypercall that never ends");
        Continuation& at = *continuations[index];
        frame.rax = at.number;
        frame.arguments() = at.arguments;
        const long result = dispatch_hypercall(caller, at.number, frame.arguments());
        at.arguments = frame.arguments();
        if (result != hypercall_continue || ended[index / 2])
            continuations[index].reset();
        else if (input.once_in(4))
            return;                      // others come first
    }
}

void World::call(Vcpu& caller)
{
    Caller guest(*this, caller);
    const size_t index = (caller.partition->id.raw() - 1u) * 2 + caller.number.raw();
    if (continuations[index].has_value() && !input.once_in(8))
        return go_on(index);
    Call next{__HYPERVISOR_multicall, {}};
    if (input.once_in(8))
        next.arguments = multicall(guest);
    else
        next = choose_call(guest);
    continuations[index] = Continuation{next.number, next.arguments};
    go_on(index);
}

void World::step()
{
    finish_ended();
    Vcpu* chosen = choose_vcpu();
    require(chosen != nullptr, "nobody can run");
    if (input.once_in(4))
        happen(*this, *chosen);
    else
        call(*chosen);
    fake::on_guest_access = nullptr;
    check();
}

}  // namespace bulkhead::fuzz
