// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a hardware guest leaves for any reason, with any registers, page tables and code, again
// and again, on either vendor, with its local APIC in either mode; its machine service decodes as it
// should, or says anything at all. RIP stays or goes on by at most an instruction, what is put in exists, no
// register gets what a guest may not put there, and nothing is touched but the guest's own memory.
//
// Input: the state of paging and what fills its pages, then one exit after the other.
#include "fake_core.hpp"

#include "core/guest_power.hpp"
#include "core/lifecycle.hpp"
#include "core/partition_fault.hpp"
#include "core/schedule.hpp"
#include "hvm/cpu/exits.hpp"
#include "hvm/cpu/nested_paging.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"

#include "core/pv/cpuid_policy.cpp"
#include "core/pv/msr_policy.cpp"
#include "core/pv/segments.cpp"
#include "core/pv/xen_leaves.cpp"
#include "core/machine_service.cpp"
#include "hvm/cpu/cpuid_policy.cpp"
#include "hvm/cpu/decoded.cpp"
#include "hvm/cpu/exits.cpp"
#include "hvm/cpu/guest_window.cpp"
#include "hvm/cpu/instruction_length.cpp"
#include "hvm/cpu/local_apic.cpp"
#include "hvm/cpu/msr_policy.cpp"
#include "hvm/cpu/page_access.cpp"
#include "hvm/cpu/xapic.cpp"
#include "hvm/machine/decode.cpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <memory>

namespace bulkhead {

namespace fuzz {

constexpr uint64_t pages = 32;
inline Mfn memory;                          // the guest's, in a row
inline GuestPaging paging;
inline uint64_t pat;
inline bool wide;
inline unsigned told_length;
inline bool crashed;

}  // namespace fuzz

const Features& features()
{
    static const Features none = {};
    return none;
}
void release(Vcpu& vcpu, uint32_t reasons) { vcpu.hold.fetch_and(~reasons); }
void hold(Vcpu& vcpu, uint32_t reasons) { vcpu.hold.fetch_or(reasons); }
void timers_changed(Vcpu&) {}
void crash_partition(Vcpu&, const char*, ...) { fuzz::crashed = true; }
void shut_down(Partition&, unsigned) { fuzz::crashed = true; }
bool hardware_must_run(const Vcpu& vcpu) { return deliverable(vcpu.hardware->apic) != 0; }
void hardware_hypercall(Vcpu&, GuestFrame& frame) { frame.rax = 0; }
NestedPage nested_page(const Partition&, uint64_t gfn)
{
    return {gfn < fuzz::pages ? fuzz::memory + gfn : invalid_mfn, false};
}
Mfn initial_frame(const PvMemory&, Pfn pfn) { return pfn.raw() < fuzz::pages ? fuzz::memory + pfn.raw() : invalid_mfn; }

static constexpr VendorOperations operations{
    .name = "fuzz",
    .hypercall_opcode = 0xC1,
    .paging = [](const Vcpu&) { return fuzz::paging; },
    .read_cr4 = [](const Vcpu&) { return fuzz::paging.cr4; },
    .code_base = [](const Vcpu&) { return uint64_t{0}; },
    .instruction_bytes = [](const Vcpu&, const GuestFrame&) { return fuzz::told_length; },
    .end_shadow = [](Vcpu&) {},
    .single_stepped = [](Vcpu&) {},
    .in_64_bit_code = [](const Vcpu&) { return fuzz::wide; },
    .in_32_bit_code = [](const Vcpu&) { return fuzz::told_length % 2 != 0; },
    .fetched_code = [](const Vcpu&, std::array<uint8_t, longest_instruction>&) { return 0u; },
    .read_efer = [](const Vcpu&) { return fuzz::paging.efer; },
    .write_efer = [](Vcpu&, uint64_t value) { fuzz::paging.efer = value; },
    .read_switched_msr = [](const Vcpu&, uint32_t msr, uint64_t& value) { value = fuzz::pat; return msr == 0x277; },
    .write_switched_msr = [](Vcpu&, uint32_t, uint64_t value) { fuzz::pat = value; return true; },
};
const VendorOperations* vendor_of_box = &operations;

constinit const HardwareOperations hardware_operations = [] {
    HardwareOperations made{};
    made.machine_answer = take_machine_answer;
    return made;
}();
void init_shared_frame(Mfn, DomainId, SharedAccess) {}

}  // namespace bulkhead

namespace {

using namespace bulkhead;

void require(bool condition, const char* what)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

CpuidResult any_host(uint32_t leaf, uint32_t)
{
    constexpr uint32_t all = 0xFFFF'FFFF;
    if (leaf == 0)
        return {0x1F, 0x756E'6547, 0, 0};
    if (leaf == 0x8000'0000)
        return {0x8000'0023, 0, 0, 0};
    return {all, all, all, all};
}

struct World {
    plan::Partition plan{}, service_plan{};
    std::array<Partition, 2> partitions{};
    Partition& partition = partitions[0];
    Partition& service = partitions[1];
    Vcpu service_vcpu{};
    HardwarePartition hardware_partition{};
    std::array<Vcpu, 2> vcpus{};
    std::array<HardwareVcpu, 2> hardware{};
    GuestFrame frame{};

    explicit World(FuzzedDataProvider& input)
    {
        fake::reset_core();
        fake::registers = {};
        fake::xcr0 = 1;
        fake::flushes.clear();
        fake::loaded_tables.clear();
        plan.name = {"fuzz"};
        plan.memory_frames = fuzz::pages;
        partition.plan = &plan;
        partition.hardware = &hardware_partition;
        partition.vcpus = vcpus;
        fuzz::memory = fake::new_frame(fuzz::pages);
        const bool by_page = input.ConsumeBool();
        make_service();
        for (unsigned i = 0; i < vcpus.size(); ++i) {
            hardware[i].apic.by_page = by_page;
            hardware[i].apic.id = 2 * i;
            vcpus[i].number = VcpuNumber(static_cast<uint16_t>(i));
            vcpus[i].partition = &partition;
            vcpus[i].hardware = &hardware[i];
            vcpus[i].pv.xcr0 = 1;
            make_window(hardware[i].window);
            reset_apic(hardware[i].apic);
        }
        init_cpuid_policy(any_host, 0xE7, true);
        init_hardware_cpuid(any_host);
        init_msr_policy({.microcode_revision = 1, .arch_capabilities = ~uint64_t{0}});
        fuzz::paging = {input.ConsumeIntegral<uint64_t>(), input.ConsumeIntegral<uint64_t>(),
                        input.ConsumeIntegral<uint64_t>(), input.ConsumeIntegral<uint64_t>() & 0xD01,
                        input.ConsumeIntegral<uint64_t>(), static_cast<uint8_t>(input.ConsumeIntegralInRange(0, 3))};
        fuzz::paging.cr3 %= fuzz::pages * page_size;
        fuzz::pat = 0x0007'0406'0007'0406;
        fuzz::crashed = false;
        fill(input);
    }

    void make_service()
    {
        fake::partitions = partitions;
        partition.id = DomainId(1);
        plan.services = uint8_t{1} << first_machine;
        service_plan.type = plan::PartitionType::service;
        service_plan.domain = BULKHEAD_DOMAIN_MACHINE;
        service.plan = &service_plan;
        service.id = DomainId(BULKHEAD_DOMAIN_MACHINE);
        service.state = PartitionState::running;
        service.vcpus = {&service_vcpu, 1};
        service_vcpu.partition = &service;
        init_machine_service(service);
        require(service.service.machine.client == &partition, "the service has a client");
    }

    // Until the vCPU may run again. An answer that does not fit the question is asked for again.
    void answer(FuzzedDataProvider& input, uint64_t rip)
    {
        const bulkhead_machine_page& page = *service.service.machine.page;
        for (unsigned turns = 0; hardware[0].page.open && !fuzz::crashed; ++turns) {
            require((vcpus[0].hold & hold_machine) != 0 && page.waiting == 1, "a question that nobody sees");
            const bool honest = turns == 4 || input.ConsumeBool();
            const uint64_t said = honest ? machine_service::decode(page.slots[0]) : input.ConsumeIntegral<uint64_t>();
            (void)machine_turn(service_vcpu, honest ? 0 : input.ConsumeIntegral<uint32_t>() & 0x8000'0003, said);
            vcpus[0].hold = 0;                  // as if woken for any reason
            resume_page_access(vcpus[0], frame);
            require(frame.rip - rip <= 15, "RIP jumps by an answer");
        }
        require(vcpus[0].hold == 0 || fuzz::crashed, "held for ever");
        vcpus[0].hold = 0;
        if (hardware[0].page.open)
            forget_page_access(vcpus[0]);
        require(page.waiting == 0, "a question without an owner");
    }

    // Every page begins with entries and code; one pattern for each half of the memory.
    static void fill(FuzzedDataProvider& input)
    {
        for (uint64_t half = 0; half < 2; ++half) {
            const std::vector<uint8_t> bytes = input.ConsumeBytes<uint8_t>(16);
            for (uint64_t page = 0; page < fuzz::pages / 2 && !bytes.empty(); ++page) {
                uint8_t* at = fake::frame_bytes(fuzz::memory + half * fuzz::pages / 2 + page);
                for (size_t offset = 0; offset < page_size; ++offset)
                    at[offset] = bytes[offset % bytes.size()];
            }
        }
    }

    void check(const Exit& exit, uint64_t rip_before) const
    {
        require(fuzz::crashed || frame.rip - rip_before <= 15, "RIP jumps");
        require((fuzz::paging.efer & ~uint64_t{0xD01}) == 0, "EFER");
        require(is_allowed_pat(fuzz::pat), "PAT");
        require((vcpus[0].pv.xcr0 & 1) != 0 && (vcpus[0].pv.xcr0 & ~uint64_t{0xE7}) == 0, "XCR0");
        require(fake::log_lines.size() <= vcpus[0].pv.emulation.told_msrs.size(), "the log can be filled");
        const Injection& next = hardware[0].next;
        require(next.type == Injection::Type::none || next.type == Injection::Type::exception, "what is put in");
        require(next.type == Injection::Type::none || next.vector < 32, "vector of an exception");
        require(next.type == Injection::Type::none || exit.reason == ExitReason::exception || next.vector != 2, "NMI");
        require(hardware[0].apic.task_priority <= 0xFF, "task priority");
        const uint8_t vector = deliverable(hardware[0].apic);
        require(vector == 0 || vector >= 16, "vector of an interrupt");
    }

    void leave(FuzzedDataProvider& input)
    {
        constexpr uint32_t first_apic = 0x800;
        Exit exit{};
        exit.reason = static_cast<ExitReason>(input.ConsumeIntegralInRange(0, static_cast<int>(ExitReason::count) - 1));
        exit.vector = input.ConsumeBool() ? 1 : 17;
        exit.write = input.ConsumeBool();
        exit.bytes = static_cast<uint8_t>(1u << input.ConsumeIntegralInRange(0, 2));
        exit.string = input.ConsumeBool();
        exit.general_register = input.ConsumeIntegral<uint8_t>() & 15;
        exit.port = input.ConsumeIntegral<uint16_t>();
        exit.address = input.ConsumeBool() ? apic_page + (input.ConsumeIntegral<uint16_t>() & page_mask)
                                           : input.ConsumeIntegral<uint64_t>();
        exit.by_instruction = input.ConsumeBool();
        frame.rip = input.ConsumeIntegralInRange<uint64_t>(0, fuzz::pages * page_size + 64);
        frame.rax = input.ConsumeIntegral<uint64_t>();
        frame.rdx = input.ConsumeIntegral<uint64_t>();
        // Half of all are for the local APIC: there is most to be found.
        frame.rcx = input.ConsumeBool() ? first_apic + input.ConsumeIntegral<uint8_t>() : input.ConsumeIntegral<uint64_t>();
        frame.rflags = input.ConsumeIntegral<uint64_t>();
        fuzz::wide = input.ConsumeBool();
        fuzz::told_length = input.ConsumeBool() ? static_cast<unsigned>(input.ConsumeIntegralInRange(1, 15)) : 0;
        fake::tsc += input.ConsumeIntegral<uint16_t>();
        hardware[0].next = {};
        fuzz::crashed = false;
        const uint64_t before = frame.rip;
        handle_exit(vcpus[0], frame, exit);
        answer(input, before);
        check(exit, before);
        (void)map_guest_page(vcpus[0], exit.address, exit.write);
        forget_mappings(hardware[0].window);
        if (const uint8_t vector = deliverable(hardware[0].apic); vector != 0)
            accept(hardware[0].apic, vector);
        if (vcpus[0].time.apic_deadline != never && input.ConsumeBool())
            apic_timer_expired(vcpus[0], vcpus[0].time.apic_deadline);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzedDataProvider input(data, size);
    const auto world = std::make_unique<World>(input);
    for (unsigned exits = 0; exits < 64 && input.remaining_bytes() != 0; ++exits)
        world->leave(input);
    return 0;
}
