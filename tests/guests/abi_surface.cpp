// SPDX-License-Identifier: BSD-2-Clause
// Claim: what docs/abi.md says of every hypercall and sub-operation is true: those that are refused
// answer with their errno, whatever their arguments, and the others know what they are asked. (The
// first domain of Xen may do more: there only the second half is claimed.)
#include "framework/traps.hpp"

extern "C" {
#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
}

namespace {

enum class Kind : uint8_t {
    hypervisor, mmu, mmuext, vmasst_type, consoleio, xenmem, evtchnop, gnttabop, schedop, vcpuop, callbackop,
    callbacktype, physdevop, xenver,
};

struct Line {
    const char* name;
    unsigned number;
    long refused;            // 0: it is there
    Kind kind;
};

constexpr Line lines[] = {
#include "framework/abi_surface.inc"
};

// In the hypervisor's part of every address space: a record there cannot be read.
constexpr uint64_t unreadable = 0xffff830000000000;
char zeros[256];
constexpr uint64_t no_frame = (uint64_t{1} << 40) - 1;

// By a number that is known only when it runs.
long call(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    long result;
    register uint64_t r10 asm("r10") = a4;
    asm volatile("call *%[entry]"
                 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                 : [entry] "r"(as_argument(hypercall_page) + number * 32)
                 : "memory", "rcx", "r8", "r9", "r11");
    return result;
}

long ask_mmuext(unsigned command)
{
    mmuext_op_t request = {};
    request.cmd = command;
    request.arg1.mfn = no_frame;
    return call(__HYPERVISOR_mmuext_op, as_argument(&request), 1, 0, DOMID_SELF);
}

long ask_mmu(unsigned command)
{
    mmu_update_t request = {no_frame << 12 | command, 0};
    return call(__HYPERVISOR_mmu_update, as_argument(&request), 1, 0, DOMID_SELF);
}

// An address that no handler can have: the type is looked at first.
long ask_callback(unsigned type)
{
    callback_register_t request = {static_cast<uint16_t>(type), 0, uint64_t{1} << 60};
    return call(__HYPERVISOR_callback_op, CALLBACKOP_register, as_argument(&request), 0, 0);
}

long ask(const Line& line)
{
    // What is refused is so with a record that can be read, too.
    const uint64_t record = line.refused != 0 ? as_argument(zeros) : unreadable;
    switch (line.kind) {
    case Kind::hypervisor:
        return call(line.number, 0, record, 0, 0);
    case Kind::mmu:
        return ask_mmu(line.number);
    case Kind::mmuext:
        return ask_mmuext(line.number);
    case Kind::vmasst_type:
        return call(__HYPERVISOR_vm_assist, VMASST_CMD_disable, line.number, 0, 0);
    case Kind::consoleio:
        return call(__HYPERVISOR_console_io, line.number, 0, record, 0);
    case Kind::xenmem:
        return call(__HYPERVISOR_memory_op, line.number, record, 0, 0);
    case Kind::evtchnop:
        return call(__HYPERVISOR_event_channel_op, line.number, record, 0, 0);
    case Kind::gnttabop:
        return call(__HYPERVISOR_grant_table_op, line.number, record, 1, 0);
    case Kind::schedop:
        return call(__HYPERVISOR_sched_op, line.number, record, 0, 0);
    case Kind::vcpuop:
        return call(__HYPERVISOR_vcpu_op, line.number, 0, record, 0);
    case Kind::callbackop:
        return call(__HYPERVISOR_callback_op, line.number, record, 0, 0);
    case Kind::callbacktype:
        return ask_callback(line.number);
    case Kind::physdevop:
        return call(__HYPERVISOR_physdev_op, line.number, record, 0, 0);
    case Kind::xenver:
        return call(__HYPERVISOR_xen_version, line.number, record, 0, 0);
    }
    return 0;
}

// Would end or stop this guest; other guests show them, or an argument has to be right first.
bool is_left_out(const Line& line)
{
    if (line.kind == Kind::hypervisor)
        return line.refused == 0;
    return (line.kind == Kind::schedop && (line.number == SCHEDOP_block || line.number == SCHEDOP_remote_shutdown)) ||
           (line.kind == Kind::vcpuop && line.number == VCPUOP_down);
}

void check(const Line& line)
{
    if (is_left_out(line) || (line.refused != 0 && !on_bulkhead()))
        return;
    const long result = ask(line);
    if (line.refused != 0 && result != -line.refused)
        fail("%s is %ld, and not -%ld as the page says", line.name, result, line.refused);
    if (line.refused == 0 && (result == -XEN_ENOSYS || result == -XEN_EOPNOTSUPP))
        fail("%s is not there, though the page says so", line.name);
}

}  // namespace

GUEST_TEST(abi_surface)
{
    install_traps();
    unsigned count = 0;
    for (const Line& line : lines) {
        check(line);
        ++count;
    }
    CHECK(count > 150);
}
