// SPDX-License-Identifier: BSD-2-Clause
// The hypercalls that only hardware guests have, and which of PV's they reach: parameters, upcall vectors, the
// pages that they place, their memory map, calls from elsewhere than 64-bit kernel code, and lists of calls.
#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/frames.hpp"
#include "core/grant_operations.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "../hypercall/other_handlers.hpp"

namespace bulkhead {

namespace fake {
inline VendorOperations operations;
inline HypercallOrigin origin;
inline std::vector<uint64_t> console_calls;
inline uint64_t continuations;              // what the next calls return first
}  // namespace fake

const VendorOperations* vendor_of_box = &fake::operations;
unsigned vendor_physical_bits() { return 40; }

Mfn initial_frame(const PvMemory& memory, Pfn pfn) { return initial_run(memory, pfn, 1).first; }
FrameRun initial_run(const PvMemory&, Pfn pfn, uint64_t most)
{
    constexpr uint64_t frames = 0x400, first = 0x40'0000;
    return pfn.raw() < frames ? FrameRun{Mfn(first + pfn.raw()), std::min(most, frames - pfn.raw())} : FrameRun{invalid_mfn, 0};
}
bool grow_grant_table(Partition& self, uint64_t last_frame) { return last_frame < self.grants.max_frames; }

long do_vm_assist(Vcpu&, HypercallArguments& arguments)
{
    if (fake::continuations != 0) {
        --fake::continuations;
        return hypercall_continue;
    }
    fake::console_calls.push_back(arguments.value[0]);
    return 7;
}
long do_mmu_update(Vcpu&, HypercallArguments&) { return 1; }
long do_multicall(Vcpu&, HypercallArguments&) { return 1; }
long do_event_channel_op(Vcpu&, HypercallArguments&) { return 2; }
long do_grant_table_op(Vcpu&, HypercallArguments&) { return 3; }

}  // namespace bulkhead

#include "core/hypercall.cpp"
#include "core/hypercall_names.cpp"
#include "hvm/cpu/hypercalls.cpp"
#include "hvm/cpu/nested_paging.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(HardwareHypercalls)
{
    static constexpr uint64_t at = 0x10000, rip = 0x8000;
    static constexpr uint64_t ram = 0x40'0000;
    std::unique_ptr<fake::World> world;
    HardwarePartition hardware{};
    std::unique_ptr<HardwareVcpu[]> vcpus = std::make_unique<HardwareVcpu[]>(2);
    std::vector<uint64_t> gfns = std::vector<uint64_t>(1 + 4);
    GuestFrame frame{};

    void setup() override
    {
        fake::reset_core();
        fake::guest_regions.clear();
        trace_enabled = false;
        fake::tsc_step = 0;
        fake::origin = HypercallOrigin::kernel_64;
        fake::console_calls.clear();
        fake::continuations = 0;
        fake::operations = {};
        fake::operations.table_bits = 7;
        fake::operations.page_bits = 0x37;
        fake::operations.large_page_bits = 0xB7;
        fake::operations.largest_page_level = [] { return 1u; };
        fake::operations.hypercall_origin = [](Vcpu&) { return fake::origin; };
        world = std::make_unique<fake::World>(2);
        guest().hardware = &hardware;
        guest().grants.first_frame = Mfn(0x777000);
        guest().grants.max_frames = 4;
        world->plans[0].memory_frames = 0x400;
        hardware.shared_gfns = gfns;
        for (unsigned i = 0; i < 2; ++i)
            world->vcpu(0, i).hardware = &vcpus[i];
        make_nested_tables(guest());
        world->run(world->vcpu(0));
    }
    void teardown() override { world.reset(); }

    Partition& guest() { return (*world)[0]; }
    long call(uint64_t number, uint64_t first, uint64_t second = at)
    {
        frame.rax = number;
        frame.rip = rip;
        frame.rdi = first;
        frame.rsi = second;
        hardware_hypercall(world->vcpu(0), frame);
        return static_cast<long>(frame.rax);
    }
    template <class Record>
    long call_with(uint64_t number, uint64_t operation, Record& record)
    {
        fake::guest_regions.clear();
        fake::map_guest(at, record);
        return call(number, operation);
    }
    long set(uint32_t index, uint64_t value, domid_t domain = DOMID_SELF)
    {
        xen_hvm_param_t parameter{domain, 0, index, value};
        return call_with(__HYPERVISOR_hvm_op, HVMOP_set_param, parameter);
    }
    uint64_t get(uint32_t index)
    {
        xen_hvm_param_t parameter{DOMID_SELF, 0, index, 0xDEAD};
        LONGS_EQUAL(0, call_with(__HYPERVISOR_hvm_op, HVMOP_get_param, parameter));
        return parameter.value;
    }
    long put(unsigned space, uint64_t index, uint64_t gfn, domid_t domain = DOMID_SELF)
    {
        xen_add_to_physmap_t request{domain, 0, space, index, gfn};
        return call_with(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, request);
    }
    long take_away(uint64_t gfn)
    {
        xen_remove_from_physmap_t request{DOMID_SELF, gfn};
        return call_with(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, request);
    }
    uint64_t lookup(uint64_t gfn) { return nested_lookup(guest(), gfn).raw(); }
};

TEST(HardwareHypercalls, parameters_are_the_plans)
{
    world->plans[0].pv.console_pfn = 0x3FE;
    world->plans[0].pv.store_pfn = 0x3FF;
    world->plans[0].console_port = 2;
    world->plans[0].store_port = 1;
    LONGS_EQUAL(0x3FE, get(HVM_PARAM_CONSOLE_PFN));
    LONGS_EQUAL(2, get(HVM_PARAM_CONSOLE_EVTCHN));
    LONGS_EQUAL(0x3FF, get(HVM_PARAM_STORE_PFN));
    LONGS_EQUAL(1, get(HVM_PARAM_STORE_EVTCHN));
    world->plans[0].pv.store_pfn = plan::no_pfn;
    LONGS_EQUAL(0, get(HVM_PARAM_STORE_PFN));
    LONGS_EQUAL(negative(XEN_EPERM), set(HVM_PARAM_CONSOLE_PFN, 1));
}

TEST(HardwareHypercalls, a_parameter_that_does_not_exist_cannot_be_read)
{
    xen_hvm_param_t parameter{DOMID_SELF, 0, HVM_PARAM_IDENT_PT, 0xDEAD};
    LONGS_EQUAL(negative(XEN_EINVAL), call_with(__HYPERVISOR_hvm_op, HVMOP_get_param, parameter));
    LONGS_EQUAL(0xDEAD, parameter.value);
}

TEST(HardwareHypercalls, the_call_back_is_by_vector_only)
{
    constexpr uint64_t by_vector = uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56;
    LONGS_EQUAL(0, set(HVM_PARAM_CALLBACK_IRQ, by_vector | 0xF3));
    LONGS_EQUAL(0xF3, hardware.callback_vector);
    CHECK_EQUAL(by_vector | 0xF3, get(HVM_PARAM_CALLBACK_IRQ));
    LONGS_EQUAL(negative(XEN_EINVAL), set(HVM_PARAM_CALLBACK_IRQ, by_vector | 15));
    LONGS_EQUAL(negative(XEN_EINVAL), set(HVM_PARAM_CALLBACK_IRQ, 0xF3));
    LONGS_EQUAL(negative(XEN_EINVAL), set(HVM_PARAM_CALLBACK_IRQ, uint64_t{1} << 56 | 0x20));
    LONGS_EQUAL(0xF3, hardware.callback_vector);
    LONGS_EQUAL(0, set(HVM_PARAM_CALLBACK_IRQ, 0));
    LONGS_EQUAL(0, hardware.callback_vector);
}

TEST(HardwareHypercalls, name_no_other_partition)
{
    LONGS_EQUAL(0, set(HVM_PARAM_CALLBACK_IRQ, 0, 1));
    LONGS_EQUAL(negative(XEN_EPERM), set(HVM_PARAM_CALLBACK_IRQ, 0, 2));
    LONGS_EQUAL(negative(XEN_ESRCH), set(HVM_PARAM_CALLBACK_IRQ, 0, 3));
    LONGS_EQUAL(negative(XEN_EPERM), put(XENMAPSPACE_shared_info, 0, 0x100, 2));
    xen_remove_from_physmap_t request{2, 0x100};
    LONGS_EQUAL(negative(XEN_EPERM), call_with(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, request));
    domid_t other = 2;
    LONGS_EQUAL(negative(XEN_EPERM), call_with(__HYPERVISOR_memory_op, XENMEM_current_reservation, other));
}

TEST(HardwareHypercalls, each_vcpu_has_a_vector_of_its_own)
{
    xen_hvm_evtchn_upcall_vector_t request{1, 0x40};
    LONGS_EQUAL(0, call_with(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, request));
    LONGS_EQUAL(0, vcpus[0].callback_vector);
    LONGS_EQUAL(0x40, vcpus[1].callback_vector);
    request = {1, 15};
    LONGS_EQUAL(negative(XEN_EINVAL), call_with(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, request));
    request = {2, 0x40};
    LONGS_EQUAL(negative(XEN_ENOENT), call_with(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, request));
    LONGS_EQUAL(0x40, vcpus[1].callback_vector);
}

TEST(HardwareHypercalls, what_cannot_be_read_or_written_is_a_fault)
{
    fake::guest_regions.clear();
    for (int operation : {HVMOP_set_param, HVMOP_get_param, HVMOP_set_evtchn_upcall_vector})
        LONGS_EQUAL(negative(XEN_EFAULT), call(__HYPERVISOR_hvm_op, static_cast<uint64_t>(operation)));
    for (int operation : {XENMEM_add_to_physmap, XENMEM_remove_from_physmap, XENMEM_memory_map, XENMEM_maximum_gpfn})
        LONGS_EQUAL(negative(XEN_EFAULT), call(__HYPERVISOR_memory_op, static_cast<uint64_t>(operation)));
    xen_hvm_param_t parameter{DOMID_SELF, 0, HVM_PARAM_CALLBACK_IRQ, 0};
    fake::map_guest(GuestVirtual(at), &parameter, sizeof(parameter), false);
    LONGS_EQUAL(negative(XEN_EFAULT), call(__HYPERVISOR_hvm_op, HVMOP_get_param));
}

TEST(HardwareHypercalls, other_operations_do_not_exist)
{
    LONGS_EQUAL(0, call(__HYPERVISOR_hvm_op, HVMOP_pagetable_dying));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(__HYPERVISOR_hvm_op, 3));
    LONGS_EQUAL(negative(XEN_EPERM), call(__HYPERVISOR_memory_op, XENMEM_machine_memory_map));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(__HYPERVISOR_memory_op, XENMEM_increase_reservation));
}

TEST(HardwareHypercalls, shared_pages_are_where_the_guest_puts_them)
{
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x100));
    CHECK_EQUAL(guest().shared_frame.raw(), lookup(0x100));
    LONGS_EQUAL(0, put(XENMAPSPACE_grant_table, 3, 0x101));
    CHECK_EQUAL(0x777003u, lookup(0x101));
    CHECK_EQUAL(ram + 0x102, lookup(0x102));
    LONGS_EQUAL(0, put(XENMAPSPACE_grant_table, 3, 0x101));
    CHECK_EQUAL(0x777003u, lookup(0x101));
}

TEST(HardwareHypercalls, a_shared_page_is_in_one_place)
{
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x100));
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x200));
    CHECK_EQUAL(ram + 0x100, lookup(0x100));
    CHECK_EQUAL(guest().shared_frame.raw(), lookup(0x200));
    // Where there was no RAM there is none.
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x5000));
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x100));
    CHECK_EQUAL(invalid_mfn.raw(), lookup(0x5000));
}

TEST(HardwareHypercalls, a_place_has_one_page)
{
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x100));
    LONGS_EQUAL(0, put(XENMAPSPACE_grant_table, 0, 0x100));
    CHECK_EQUAL(0x777000u, lookup(0x100));
    // The one that was there moves without taking the other one's place away.
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x101));
    CHECK_EQUAL(0x777000u, lookup(0x100));
    CHECK_EQUAL(guest().shared_frame.raw(), lookup(0x101));
}

TEST(HardwareHypercalls, pages_that_are_not_shared_and_places_that_are_none_are_refused)
{
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_shared_info, 1, 0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_grant_table, 4, 0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_grant_table, ~0ul, 0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_gmfn, 0, 0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_shared_info, 0, uint64_t{1} << 28));
    LONGS_EQUAL(negative(XEN_EINVAL), put(XENMAPSPACE_shared_info, 0, ~0ul));
    CHECK_EQUAL(ram + 0x100, lookup(0x100));
}

TEST(HardwareHypercalls, ram_comes_back_where_a_page_is_taken_away)
{
    LONGS_EQUAL(0, put(XENMAPSPACE_shared_info, 0, 0x100));
    LONGS_EQUAL(0, take_away(0x100));
    CHECK_EQUAL(ram + 0x100, lookup(0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), take_away(0x100));
    LONGS_EQUAL(negative(XEN_EINVAL), take_away(~0ul));
}

TEST(HardwareHypercalls, say_how_much_memory_there_is)
{
    domid_t self = DOMID_SELF;
    LONGS_EQUAL(0x400, call_with(__HYPERVISOR_memory_op, XENMEM_current_reservation, self));
    LONGS_EQUAL(0x400, call_with(__HYPERVISOR_memory_op, XENMEM_maximum_reservation, self));
    LONGS_EQUAL(0x3FF, call_with(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, self));
    world->plans[0].memory_frames = hole_first_gfn + 0x800;
    LONGS_EQUAL(hole_first_gfn + hole_frames + 0x7FF, call_with(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, self));
}

TEST(HardwareHypercalls, the_memory_map_leaves_out_the_hole_and_the_pages_of_the_start)
{
    constexpr uint64_t list_at = 0x20000;
    world->plans[0].memory_frames = hole_first_gfn + 0x800;
    world->plans[0].pv.mapped_end_pfn = 0x300;
    world->plans[0].pv.tables_pfn = 0x340;
    E820Entry list[3] = {};
    xen_memory_map_t map{};
    map.nr_entries = 8;
    map.buffer.p = reinterpret_cast<void*>(list_at);
    fake::map_guest(list_at, list);
    fake::map_guest(at, map);
    LONGS_EQUAL(0, call(__HYPERVISOR_memory_op, XENMEM_memory_map));
    LONGS_EQUAL(3, map.nr_entries);
    const uint64_t wanted[3][2] = {{0, 0x300}, {0x340, hole_first_gfn - 0x340}, {hole_first_gfn + hole_frames, 0x800}};
    for (unsigned i = 0; i < 3; ++i) {
        CHECK_EQUAL(wanted[i][0] << page_shift, uint64_t{list[i].address});
        CHECK_EQUAL(wanted[i][1] << page_shift, uint64_t{list[i].size_bytes});
        CHECK_EQUAL(1u, uint32_t{list[i].type});
    }
    world->plans[0].memory_frames = 0x340;
    LONGS_EQUAL(0, call(__HYPERVISOR_memory_op, XENMEM_memory_map));
    LONGS_EQUAL(1, map.nr_entries);
}

TEST(HardwareHypercalls, come_from_64_bit_kernel_code_only)
{
    fake::origin = HypercallOrigin::user;
    LONGS_EQUAL(negative(XEN_EPERM), call(__HYPERVISOR_vm_assist, 1));
    fake::origin = HypercallOrigin::other_mode;
    LONGS_EQUAL(negative(XEN_ENOSYS), call(__HYPERVISOR_vm_assist, 1));
    LONGS_EQUAL(0, fake::console_calls.size());
}

TEST(HardwareHypercalls, what_only_pv_has_does_not_exist)
{
    LONGS_EQUAL(7, call(__HYPERVISOR_vm_assist, 1));
    LONGS_EQUAL(3, call(__HYPERVISOR_grant_table_op, 0));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(__HYPERVISOR_mmu_update, 0));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(hypercall_out_of_range, 0));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(~0ul, 0));
    LONGS_EQUAL(1, world->vcpu(0).hypercalls.calls[__HYPERVISOR_mmu_update]);
    LONGS_EQUAL(2, world->vcpu(0).hypercalls.calls[hypercall_out_of_range]);
}

TEST(HardwareHypercalls, one_that_is_not_finished_is_executed_again)
{
    fake::continuations = 1;
    (void)call(__HYPERVISOR_vm_assist, 5);
    CHECK_EQUAL(rip - 3, frame.rip);
    CHECK_EQUAL(uint64_t{__HYPERVISOR_vm_assist}, frame.rax);
    hardware_hypercall(world->vcpu(0), frame);
    LONGS_EQUAL(7, frame.rax);
}

TEST(HardwareHypercalls, a_list_reaches_what_single_calls_reach)
{
    multicall_entry_t list[3] = {};
    list[0].op = __HYPERVISOR_vm_assist;
    list[1].op = __HYPERVISOR_mmu_update;
    list[2].op = __HYPERVISOR_multicall;
    fake::map_guest(GuestVirtual(at), list, sizeof(list), true);
    LONGS_EQUAL(0, call(__HYPERVISOR_multicall, at, 3));
    LONGS_EQUAL(7, list[0].result);
    LONGS_EQUAL(negative(XEN_ENOSYS), static_cast<long>(list[1].result));
    LONGS_EQUAL(negative(XEN_EINVAL), static_cast<long>(list[2].result));
}
