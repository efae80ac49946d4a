// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/vcpu.h, VCPUOP_initialise; arch-x86/xen.h, struct vcpu_guest_context.
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/address_space.hpp"
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/fpu.hpp"
#include "pvdrivers/runtime/hardware_guest.hpp"
#include "pvdrivers/runtime/memory.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"
#include "pvdrivers/runtime/traps.hpp"
#include "pvdrivers/runtime/vcpu_local.hpp"

#include <bulkhead/slice.hpp>

#include <algorithm>
#include <memory>

extern "C" {
#include <xen/vcpu.h>
void start_further_vcpu();
[[noreturn]] void run_further_vcpu(bulkhead::VcpuLocal& vcpu);
}

namespace bulkhead {

VcpuLocal vcpu_locals[most_vcpus];

namespace {

constexpr uint64_t default_stack_bytes = 64 * 1024;
constexpr uint64_t smallest_stack_bytes = 16 * 1024;

SpinLock start_lock;

long vcpu_operation(unsigned command, VcpuNumber vcpu, void* argument = nullptr)
{
    return hypercall<__HYPERVISOR_vcpu_op>(command, static_cast<uint32_t>(vcpu), as_argument(argument));
}

// `stack` (KiB) in the plan's config node.
uint64_t stack_bytes()
{
    const uint64_t wanted = config().number("stack", default_stack_bytes / 1024) * 1024;
    return std::clamp(wanted, smallest_stack_bytes, layout::stack_slot_bytes - page_bytes) & ~(page_bytes - 1);
}

bool describe(vcpu_guest_context_t& context, VcpuLocal& vcpu)
{
    context = {};
    context.flags = VGCF_in_kernel;
    context.user_regs.rip = reinterpret_cast<uint64_t>(start_further_vcpu);
    context.user_regs.rsp = vcpu.stack_end;
    context.user_regs.rdi = as_argument(&vcpu);
    context.user_regs.rflags = 0x202;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = vcpu.stack_end;
    context.ctrlreg[3] = xen_pfn_to_cr3(raw(current_tables()));
    context.gs_base_kernel = as_argument(&vcpu);
    describe_traps(context);
    return true;
}

}  // namespace

void init_vcpu(VcpuLocal& vcpu)
{
    const auto timer = bind_virq(VIRQ_TIMER, {});
    if (!timer)
        fatal("no port for the timer: %s", name_of(timer.error()));
    vcpu.timer_port = *timer;
    vcpu.running.store(true, std::memory_order_release);
}

bool prepare_stack(VcpuLocal& vcpu)
{
    const uint64_t slot = layout::stacks_base + uint64_t{static_cast<uint32_t>(vcpu.number)} * layout::stack_slot_bytes;
    const uint64_t end = slot + layout::stack_slot_bytes;
    if (vcpu.stack_end == end)
        return true;
    const uint64_t low = end - stack_bytes();
    const auto pages = allocate_pages((end - low) / page_bytes);
    if (!pages)
        return false;
    for (uint64_t at = low; at < end; at += page_bytes) {
        const auto* page = pages->data() + (at - low);
        if (!prepare_tables(at, take_table_page) ||
            set_mapping(at, PageEntry::page(mfn_of(pfn_of(page)), Rights::write)) != 0)
            return false;
    }
    vcpu.stack_low = low;
    vcpu.stack_end = end;
    return true;
}

uint32_t vcpu_count()
{
    static uint32_t count = [] {
        uint32_t number = 1;
        while (number < most_vcpus && vcpu_operation(VCPUOP_is_up, VcpuNumber(number)) >= 0)
            ++number;
        return number;
    }();
    return count;
}

VcpuNumber current_vcpu() { return this_vcpu().number; }

bool is_running(VcpuNumber vcpu)
{
    return static_cast<uint32_t>(vcpu) < most_vcpus && local_of(vcpu).running.load(std::memory_order_acquire);
}

Result<> start_vcpu(VcpuNumber number, void (*function)(void* context), void* context)
{
    if (static_cast<uint32_t>(number) >= vcpu_count())
        return failure(XEN_ENOENT);
    if (hardware_guest != nullptr)
        return failure(XEN_ENOSYS);
    const Locked lock(start_lock);
    VcpuLocal& vcpu = local_of(number);
    // A vCPU that has returned is down a moment later than it says.
    if (is_running(number) || vcpu_operation(VCPUOP_is_up, number) != 0)
        return failure(XEN_EEXIST);
    const bool is_new = vcpu.self == nullptr;
    vcpu.number = number;
    vcpu.function = function;
    vcpu.context = context;
    if (is_new) {
        vcpu.info = &shared_info->vcpu_info[static_cast<uint32_t>(number)];
        if (!prepare_stack(vcpu))
            return failure(XEN_ENOMEM);
        const auto registers = std::make_unique<vcpu_guest_context_t>();
        describe(*registers, vcpu);
        if (const long result = vcpu_operation(VCPUOP_initialise, number, registers.get()); result != 0)
            return failure(static_cast<Errno>(-result));
        vcpu.self = &vcpu;
    }
    vcpu.running.store(true, std::memory_order_release);
    if (const long result = vcpu_operation(VCPUOP_up, number); result != 0) {
        vcpu.running.store(false, std::memory_order_release);
        return failure(static_cast<Errno>(-result));
    }
    return {};
}

}  // namespace bulkhead

void run_further_vcpu(bulkhead::VcpuLocal& vcpu)
{
    using namespace bulkhead;
    enable_vector_registers();
    init_vcpu(vcpu);
    for (;;) {
        vcpu.function(vcpu.context);
        vcpu.running.store(false, std::memory_order_release);
        vcpu_operation(VCPUOP_down, vcpu.number);
    }
}
