// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_xen_version: which ABI this is. Guests also use it as the hypercall that does nothing,
// so the version comes first. Source: xen/include/public/version.h.
#include "core/abi_features.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

#include <bulkhead/build_info.hpp>

extern "C" {
#include <xen/version.h>
}

namespace bulkhead {

namespace {

constexpr long abi_major = 4;
constexpr long abi_minor = 17;

// As wide as the ABI's types; the rest is zero.
constexpr xen_extraversion_t extraversion = "-bulkhead";
constexpr xen_capabilities_info_t capabilities = "xen-3.0-x86_64";
constexpr xen_commandline_t command_line = "<denied>";      // may hold secrets of the box
constexpr xen_compile_info_t compile_info = {"gcc " __VERSION__, "bulkhead", "", ""};
constexpr xen_changeset_info_t changeset = BULKHEAD_VERSION;

template <class T>
long answer(GuestVirtual to, const T& value)
{
    return machine::write_guest(to, value) ? 0 : negative(XEN_EFAULT);
}

long platform_parameters(GuestVirtual to)
{
    return answer(to, xen_platform_parameters_t{layout::core_begin});
}

long get_features(const Vcpu& vcpu, GuestVirtual argument)
{
    xen_feature_info_t info;
    if (!machine::read_guest(info, argument))
        return negative(XEN_EFAULT);
    if (info.submap_idx != 0)
        return negative(XEN_EINVAL);
    info.submap = vcpu.hardware == nullptr ? pv_features : hardware_features;
    return answer(argument, info);
}

// Apart, so that the version needs no stack frame.
[[gnu::noinline]] long other_command(const Vcpu& vcpu, uint32_t command, GuestVirtual argument)
{
    switch (command) {
    case XENVER_extraversion:
        return answer(argument, extraversion);
    case XENVER_compile_info:
        return answer(argument, compile_info);
    case XENVER_capabilities:
        return answer(argument, capabilities);
    case XENVER_changeset:
        return answer(argument, changeset);
    case XENVER_platform_parameters:
        return platform_parameters(argument);
    case XENVER_get_features:
        return get_features(vcpu, argument);
    case XENVER_pagesize:
        return argument.raw() == 0 ? static_cast<long>(page_size) : negative(XEN_EINVAL);
    case XENVER_guest_handle:
        return answer(argument, vcpu.partition->plan->uuid);
    case XENVER_commandline:
        return answer(argument, command_line);
    case XENVER_build_id:
        return negative(XEN_ENODATA);               // the core is linked without one
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace

long do_xen_version(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto command = static_cast<uint32_t>(arguments.value[0]);
    if (command == XENVER_version) [[likely]]
        return abi_major << 16 | abi_minor;
    return other_command(vcpu, command, GuestVirtual(arguments.value[1]));
}

}  // namespace bulkhead
