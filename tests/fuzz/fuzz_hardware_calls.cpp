// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a hardware guest makes the hypercalls that only it has, with any records, alone and in lists.
// A shared page is in at most one place and no place has two; where none is there is RAM as at the start, or
// nothing; call-back vectors are none or not an exception's; nothing is left locked.
//
// Input: the size of the partition, then one call after the other.
#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/frames.hpp"
#include "core/grant_operations.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "tests/unit/hypercall/other_handlers.hpp"

namespace bulkhead {

namespace fuzz {

constexpr uint64_t ram = 0x40'0000;
inline uint64_t frames;                     // of the guest's memory
inline HypercallOrigin origin;
inline bool again;                          // a call of a list is not finished

}  // namespace fuzz

static constexpr VendorOperations operations{
    .name = "fuzz",
    .table_bits = 7,
    .page_bits = 0x37,
    .large_page_bits = 0xB7,
    .largest_page_level = [] { return 1u; },
    .hypercall_origin = [](Vcpu&) { return fuzz::origin; },
};
const VendorOperations* vendor_of_box = &operations;
unsigned vendor_physical_bits() { return 40; }

Mfn initial_frame(const PvMemory& memory, Pfn pfn) { return initial_run(memory, pfn, 1).first; }
FrameRun initial_run(const PvMemory&, Pfn pfn, uint64_t most)
{
    return pfn.raw() < fuzz::frames ? FrameRun{Mfn(fuzz::ram + pfn.raw()), std::min(most, fuzz::frames - pfn.raw())}
                                    : FrameRun{invalid_mfn, 0};
}
bool grow_grant_table(Partition& self, uint64_t last_frame) { return last_frame < self.grants.max_frames; }

long do_vm_assist(Vcpu&, HypercallArguments& arguments)
{
    ++arguments.value[5];
    return fuzz::again ? hypercall_continue : 0;
}
long do_mmu_update(Vcpu&, HypercallArguments&) { __builtin_trap(); }
long do_multicall(Vcpu&, HypercallArguments&) { __builtin_trap(); }
long do_event_channel_op(Vcpu&, HypercallArguments&) { return 0; }
long do_grant_table_op(Vcpu&, HypercallArguments&) { return 0; }

}  // namespace bulkhead

#include "core/hypercall.cpp"
#include "core/hypercall_names.cpp"
#include "hvm/cpu/hypercalls.cpp"
#include "hvm/cpu/nested_paging.cpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <memory>
#include <set>

namespace {

using namespace bulkhead;

void require(bool condition, const char* what)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

struct Box {
    static constexpr uint64_t at = 0x10000, list_at = 0x20000, rip = 0x8000;
    fake::World world{2};
    HardwarePartition hardware{};
    std::array<HardwareVcpu, 2> vcpus{};
    std::array<uint64_t, 1 + 4> gfns{};
    std::array<uint64_t, 512> memory{};     // the guest's, where its records are
    std::set<uint64_t> touched;             // frame numbers that it has named
    GuestFrame frame{};

    explicit Box(FuzzedDataProvider& input)
    {
        fuzz::frames = input.ConsumeBool() ? 0x400 : input.ConsumeIntegralInRange<uint64_t>(1, hole_first_gfn + 0x800);
        guest().hardware = &hardware;
        guest().grants.first_frame = Mfn(0x777000);
        guest().grants.max_frames = 4;
        plan().memory_frames = fuzz::frames;
        plan().pv.tables_pfn = std::min<uint64_t>(0x340, fuzz::frames);
        plan().pv.mapped_end_pfn = std::min<uint64_t>(0x300, fuzz::frames);
        plan().pv.store_pfn = input.ConsumeBool() ? plan::no_pfn : 0x340;
        plan().flags = input.ConsumeBool() ? plan::apic_by_page : 0;
        hardware.shared_gfns = gfns;
        for (unsigned i = 0; i < 2; ++i)
            world.vcpu(0, i).hardware = &vcpus[i];
        make_nested_tables(guest());
        if ((plan().flags & plan::apic_by_page) != 0)
            map_page_at_start(guest(), apic_page >> page_shift, Mfn(0x888000));
        fake::guest_regions.clear();
        fake::map_guest(at, memory);
        fake::map_guest(list_at, memory);
        world.run(world.vcpu(0));
    }

    Partition& guest() { return world[0]; }
    plan::Partition& plan() { return world.plans[0]; }

    static uint16_t domain(FuzzedDataProvider& input)
    {
        return input.PickValueInArray<uint16_t>({DOMID_SELF, DOMID_SELF, DOMID_SELF, 1, 2, 3, 0, 0xFFFF});
    }

    uint64_t gfn(FuzzedDataProvider& input)
    {
        static constexpr uint64_t far[] = {0xFEE00, hole_first_gfn - 1, hole_first_gfn, 0x100000, 1 << 28, (1 << 28) - 1, ~0ull};
        const uint64_t value = input.ConsumeBool() ? input.ConsumeIntegralInRange<uint64_t>(0, 0x420)
                             : input.ConsumeBool() ? input.PickValueInArray(far) : input.ConsumeIntegral<uint64_t>();
        // What is beyond the CPU's addresses is refused, and has no entry.
        if (value < 1 << 28)
            touched.insert(value);
        return value;
    }

    template <class Record>
    void put(const Record& record) { std::memcpy(memory.data(), &record, sizeof(record)); }

    // A record, and the operation that it is for.
    uint64_t hvm_operation(FuzzedDataProvider& input)
    {
        if (input.ConsumeBool()) {
            put(xen_hvm_evtchn_upcall_vector_t{input.ConsumeIntegralInRange<uint32_t>(0, 3), input.ConsumeIntegral<uint8_t>()});
            return input.ConsumeBool() ? uint64_t{HVMOP_set_evtchn_upcall_vector} : input.ConsumeIntegralInRange<uint64_t>(0, 30);
        }
        const uint64_t kind = input.ConsumeBool() ? HVM_PARAM_CALLBACK_TYPE_VECTOR : input.ConsumeIntegral<uint8_t>();
        put(xen_hvm_param_t{domain(input), 0, input.ConsumeIntegralInRange<uint32_t>(0, HVM_NR_PARAMS),
                            kind << 56 | input.ConsumeIntegral<uint16_t>()});
        return input.ConsumeBool() ? HVMOP_set_param : HVMOP_get_param;
    }

    uint64_t memory_operation(FuzzedDataProvider& input)
    {
        switch (input.ConsumeIntegralInRange(0, 5)) {
        case 0:
            put(xen_remove_from_physmap_t{domain(input), gfn(input)});
            return XENMEM_remove_from_physmap;
        case 1: {
            xen_memory_map_t map{};
            map.nr_entries = input.ConsumeBool() ? 8 : input.ConsumeIntegral<uint32_t>();
            map.buffer.p = reinterpret_cast<void*>(list_at + 64);
            put(map);
            return XENMEM_memory_map;
        }
        case 2:
            put(domain(input));
            return input.ConsumeIntegralInRange<uint64_t>(0, 40);
        default: {
            const uint64_t index = input.ConsumeBool() ? input.ConsumeIntegralInRange<uint64_t>(0, 5) : input.ConsumeIntegral<uint64_t>();
            const bool grants = input.ConsumeBool();
            put(xen_add_to_physmap_t{domain(input), 0, input.ConsumeIntegralInRange<unsigned>(0, 20) != 0 ? unsigned{grants} : 2,
                                     grants ? index : index & ~1ull, gfn(input)});
            return XENMEM_add_to_physmap;
        }
        }
    }

    // Where the record is: memory that holds, nearly always.
    static uint64_t place(FuzzedDataProvider& input)
    {
        return input.ConsumeIntegralInRange(0, 15) != 0 ? at : at + input.ConsumeIntegral<uint16_t>();
    }

    void call(FuzzedDataProvider& input)
    {
        fuzz::again = input.ConsumeIntegralInRange(0, 15) == 15;
        const int mode = input.ConsumeIntegralInRange(0, 15);
        fuzz::origin = mode == 15 ? HypercallOrigin::user : mode == 14 ? HypercallOrigin::other_mode : HypercallOrigin::kernel_64;
        frame.rip = rip;
        switch (input.ConsumeIntegralInRange(0, 7)) {
        case 0:
            frame.rax = input.ConsumeIntegralInRange<uint64_t>(0, 70);
            frame.rdi = input.ConsumeIntegral<uint64_t>();
            frame.rsi = place(input);
            break;
        case 1:
            frame.rax = __HYPERVISOR_multicall;
            make_list(input);
            break;
        case 2:
        case 3:
            frame.rax = __HYPERVISOR_hvm_op;
            frame.rdi = hvm_operation(input);
            frame.rsi = place(input);
            break;
        default:
            frame.rax = __HYPERVISOR_memory_op;
            frame.rdi = memory_operation(input);
            frame.rsi = place(input);
            break;
        }
        const uint64_t number = frame.rax;
        hardware_hypercall(world.vcpu(0), frame);
        require(frame.rip == rip || (frame.rip == rip - 3 && frame.rax == number), "RIP, or what is executed again");
        require(frame.rip != rip || static_cast<int64_t>(frame.rax) >= -200, "a result that is neither");
        check();
    }

    void make_list(FuzzedDataProvider& input)
    {
        // The record is of the first call; the list follows it in the same memory.
        const uint64_t operation = memory_operation(input);
        const uint64_t length = input.ConsumeIntegralInRange<uint64_t>(1, 6);
        auto* list = reinterpret_cast<multicall_entry_t*>(memory.data() + 16);
        for (uint64_t i = 0; i < length; ++i) {
            list[i] = {};
            list[i].op = i == 0 ? uint64_t{__HYPERVISOR_memory_op} : input.ConsumeIntegralInRange<uint64_t>(0, 70);
            list[i].args[0] = i == 0 ? operation : input.ConsumeIntegralInRange<uint64_t>(0, 40);
            list[i].args[1] = at;
        }
        frame.rdi = at + 16 * sizeof(uint64_t);
        frame.rsi = input.ConsumeIntegralInRange(0, 15) != 0 ? length : input.ConsumeIntegral<uint64_t>();
    }

    [[nodiscard]] Mfn shared(size_t index)
    {
        return index == 0 ? guest().shared_frame : guest().grants.first_frame + (index - 1);
    }

    void check()
    {
        require(!guest().memory.lock.is_locked(), "the lock of pages is held");
        std::set<uint64_t> places;
        for (size_t i = 0; i < gfns.size(); ++i) {
            if (gfns[i] == 0)
                continue;
            require(places.insert(gfns[i] - 1).second, "two pages in one place");
            require(nested_lookup(guest(), gfns[i] - 1) == shared(i), "a shared page is not where it is said to be");
        }
        for (uint64_t number : touched) {
            if (!places.contains(number))
                require(nested_lookup(guest(), number) == at_start(number), "neither RAM nor nothing");
        }
        require(hardware.callback_vector == 0 || hardware.callback_vector >= 16, "a vector of an exception");
        for (const HardwareVcpu& vcpu : vcpus)
            require(vcpu.callback_vector == 0 || vcpu.callback_vector >= 16, "a vCPU's vector of an exception");
    }

    [[nodiscard]] Mfn at_start(uint64_t number)
    {
        if (number == apic_page >> page_shift && (plan().flags & plan::apic_by_page) != 0)
            return Mfn(0x888000);
        if (number >= hole_first_gfn && number < hole_first_gfn + hole_frames)
            return invalid_mfn;
        const uint64_t pfn = number < hole_first_gfn ? number : number - hole_frames;
        return pfn < fuzz::frames ? Mfn(fuzz::ram + pfn) : invalid_mfn;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzedDataProvider input(data, size);
    fake::reset_core();
    const auto box = std::make_unique<Box>(input);
    for (int calls = 0; calls < 64 && input.remaining_bytes() != 0; ++calls)
        box->call(input);
    nested_reset(box->guest());
    box->check();
    require(box->hardware.pool_used == 0, "a table outlives the life");
    return 0;
}
