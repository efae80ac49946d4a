// SPDX-License-Identifier: BSD-2-Clause
// The core's table of what hvm/cpu/ does, and the start of a hardware partition's life.
#include "hvm/cpu/operations.hpp"

#include "core/boot_allocator.hpp"
#include "core/hardware.hpp"
#include "hvm/cpu/cpuid_policy.hpp"
#include "hvm/cpu/guest_look.hpp"
#include "hvm/cpu/nested_paging.hpp"
#include "hvm/cpu/xapic.hpp"
#include "machine/memory.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/mitigations.hpp"

#include <array>
#include <new>

// Read by the entries of both vendors.
extern "C" {
extern bool guest_trains_returns;
constinit bool guest_trains_returns = false;
}

namespace bulkhead {

constinit const VendorOperations* vendor_of_box = nullptr;

namespace {

const VendorOperations* offered_vendor()
{
    if (features().svm == Virtualisation::available)
        return &svm_operations;
    return features().vtx == Virtualisation::available ? &vmx_operations : nullptr;
}

const char* why_not()
{
    const Features& cpu = features();
    if (const VendorOperations* offered = offered_vendor(); offered != nullptr)
        return offered->why_not();
    if (cpu.svm == Virtualisation::locked_by_firmware || cpu.vtx == Virtualisation::locked_by_firmware)
        return "the firmware has switched the CPU's virtualisation off: enable VT-x or SVM in its setup";
    if (cpu.svm == Virtualisation::without_nested_paging || cpu.vtx == Virtualisation::without_nested_paging)
        return "the CPU virtualises without nested paging, which hardware partitions need";
    if (cpu.vtx == Virtualisation::without_unrestricted_guest)
        return "the CPU's VT-x lacks unrestricted guest, which hardware partitions need";
    return "the CPU has neither VT-x nor AMD-V, which hardware partitions need";
}

void choose_vendor()
{
    if (vendor_of_box != nullptr)
        return;
    vendor_of_box = offered_vendor();
    guest_trains_returns = mitigations().retpolines;
    init_hardware_cpuid(cpuid);
}

void make(Partition& partition)
{
    choose_vendor();
    partition.hardware = new (boot_allocate(sizeof(HardwarePartition), alignof(HardwarePartition))) HardwarePartition{};
    partition.hardware->shared_gfns = boot_allocate_array<uint64_t>(partition.plan->grant_frames + 1u);
    make_nested_tables(partition);
    if ((partition.plan->flags & plan::apic_by_page) != 0 && vendor().works_on_apic_page()) {
        partition.hardware->apic_frame = boot_allocate_frame();
        map_page_at_start(partition, apic_page >> page_shift, partition.hardware->apic_frame);
    }
    for (Vcpu& vcpu : partition.vcpus) {
        vcpu.hardware = new (boot_allocate(sizeof(HardwareVcpu), alignof(HardwareVcpu))) HardwareVcpu{};
        vcpu.hardware->apic.id = uint32_t{vcpu.number.raw()} * 2;
        vcpu.hardware->apic.by_page = (partition.plan->flags & plan::apic_by_page) != 0;
        make_window(vcpu.hardware->window);
        vendor().make(vcpu);
        vcpu.hardware->delivered_by_cpu = vendor().delivers_apic();
    }
}

void enable_cpu()
{
    if (vendor_of_box != nullptr)
        vendor().enable_cpu();
}

void start_of_day(Partition& partition)
{
    HardwarePartition& hardware = *partition.hardware;
    nested_reset(partition);
    hardware.callback_vector = 0;
    hardware.callback_parameter = 0;
    // Nothing is masked here: a hardware guest masks by its own flag.
    for (vcpu_info_t& info : partition.shared->vcpu_info)
        info.evtchn_upcall_mask = 0;
    for (Vcpu& vcpu : partition.vcpus)
        reset_hardware_vcpu(vcpu);
    Vcpu& first = partition.vcpus[0];
    vendor().set_flat_entry(first);
    first.registers.rip = partition.plan->pv.entry;
    first.registers.rbx = partition.plan->pv.start_info_pfn << page_shift;
}

// In the order of ExitReason.
constexpr std::array<const char*, static_cast<size_t>(ExitReason::count)> reasons{
    "dealt with at once", "interrupt of the box", "interrupt window", "CPUID", "HLT", "port", "RDMSR", "WRMSR",
    "hypercall", "XSETBV", "outside its memory", "exception", "refused instruction", "WBINVD or INVD", "CR8",
    "triple fault", "task switch", "CR4", "refused entry", "unknown"};
static_assert(reasons.back() != nullptr);

// Behind them, of accesses to the APIC's page.
constexpr std::array<const char*, 2> decodings{"decoded by its service", "decoded before"};

const char* exit_name(size_t reason)
{
    if (reason < reasons.size())
        return reasons[reason];
    reason -= reasons.size();
    return reason < decodings.size() ? decodings[reason] : nullptr;
}

uint64_t exit_count(const Vcpu& vcpu, size_t reason)
{
    if (reason < reasons.size())
        return vcpu.hardware->exits.of_reason[reason];
    return reason == reasons.size() ? vcpu.hardware->page.asked : vcpu.hardware->page.from_memory;
}

Mfn frame_of_guest(const Partition& partition, uint64_t gfn)
{
    const uint64_t pfn = pfn_of_gfn(gfn, partition.plan->memory_frames);
    return pfn == ~uint64_t{0} ? invalid_mfn : initial_frame(partition.memory, Pfn(pfn));
}

}  // namespace

void reset_hardware_vcpu(Vcpu& vcpu)
{
    constexpr uint64_t flags_after_reset = 2;
    HardwareVcpu& hardware = *vcpu.hardware;
    reset_apic(hardware.apic);
    forget_page_access(vcpu);
    hardware.next = {};
    hardware.debug = {};
    hardware.kept_paging = {};
    hardware.window_wanted = false;
    hardware.callback_vector = 0;
    hardware.start_vector.store(0, std::memory_order_relaxed);
    vcpu.time.apic_deadline = never;
    // Its kernel's address space is always the one that is loaded.
    vcpu.pv.kernel_mode = true;
    vcpu.registers = {};
    vcpu.registers.rip = 0xFFF0;
    vcpu.registers.rflags = flags_after_reset;
    vendor().reset(vcpu);
}

constinit const HardwareOperations hardware_operations{
    .why_not = why_not,
    .make = make,
    .enable_cpu = enable_cpu,
    .load = load_hardware_vcpu,
    .save = save_hardware_vcpu,
    .run = run_hardware_vcpu,
    .must_run = hardware_must_run,
    .event_raised = raise_callback,
    .timer_expired = apic_timer_expired,
    .map_guest_page = map_guest_page,
    .machine_answer = take_machine_answer,
    .start_of_day = start_of_day,
    .exit_name = exit_name,
    .exit_count = exit_count,
    .frame_of_guest = frame_of_guest,
    .paging = kept_paging,
    .look = look,
};

}  // namespace bulkhead
