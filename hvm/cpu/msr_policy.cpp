// SPDX-License-Identifier: BSD-2-Clause
// See msr_policy.hpp. What a PV kernel has, a hardware guest has too, with the same values
// (core/pv/msr_policy.cpp), but for what is its own here.
#include "hvm/cpu/msr_policy.hpp"

#include "core/pv/msr_policy.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/nested_paging.hpp"
#include "hvm/cpu/xapic.hpp"
#include "machine/memory.hpp"
#include "platform/x86/msr.hpp"

#include <array>
#include <cstring>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

constexpr uint32_t msr_apic_base = 0x1B;
constexpr uint32_t msr_tsc_deadline = 0x6E0;
constexpr uint32_t first_apic_register = 0x800;
constexpr uint32_t last_apic_register = 0x8FF;
constexpr uint32_t msr_efer = 0xC0000080;
constexpr uint64_t efer_sce = 1, efer_lme = 0x100, efer_active = 0x400, efer_nxe = 0x800;
constexpr uint64_t apic_enabled = apic_page | 0x800, apic_x2apic = 0x400;
constexpr uint64_t apic_boot_cpu = 0x100;

// The registers are MSRs in x2APIC mode only.
bool is_apic(const Vcpu& vcpu, uint32_t msr)
{
    return msr == msr_tsc_deadline ||
           (!vcpu.hardware->apic.by_page && msr >= first_apic_register && msr <= last_apic_register);
}

uint64_t apic_base_of(const Vcpu& vcpu)
{
    return apic_enabled | (vcpu.hardware->apic.by_page ? 0 : apic_x2apic) | (vcpu.number.raw() == 0 ? apic_boot_cpu : 0);
}

// One entry: 32 bytes for each number. VMMCALL or VMCALL.
void write_hypercall(uint8_t* at, uint32_t number)
{
    static constexpr std::array<uint8_t, 9> code{
        0xB8, 0, 0, 0, 0,           // mov $number, %eax
        0x0F, 0x01, 0,              // vmmcall or vmcall
        0xC3,                       // ret
    };
    std::memcpy(at, code.data(), code.size());
    std::memcpy(at + 1, &number, sizeof(number));
    at[7] = vendor().hypercall_opcode;
}

bool write_hypercall_page(const Vcpu& vcpu, uint64_t value)
{
    constexpr size_t entry_bytes = 32;
    // Bits 0 to 11 choose a page; there is one.
    if ((value & page_mask) != 0)
        return false;
    const uint64_t pfn = pfn_of_gfn(value >> page_shift, vcpu.partition->plan->memory_frames);
    if (pfn == ~uint64_t{0})
        return false;
    auto* page = machine::frame_pointer<uint8_t>(initial_frame(vcpu.partition->memory, Pfn(pfn)));
    std::memset(page, 0xCC, page_size);
    for (uint32_t number = 0; number < page_size / entry_bytes; ++number) {
        // PV's only.
        if (number != __HYPERVISOR_iret)
            write_hypercall(page + number * entry_bytes, number);
    }
    return true;
}

bool store_efer(Vcpu& vcpu, uint64_t value)
{
    if ((value & ~(efer_sce | efer_lme | efer_active | efer_nxe)) != 0)
        return false;
    const uint64_t former = vendor().read_efer(vcpu);
    const bool paging = (vendor().paging(vcpu).cr0 >> 31 & 1) != 0;
    if (paging && ((former ^ value) & efer_lme) != 0)
        return false;
    vendor().write_efer(vcpu, value);
    return true;
}

// Memory types: only those that exist.
bool is_allowed_pat(uint64_t value)
{
    for (unsigned i = 0; i < 8; ++i) {
        const uint64_t type = value >> (i * 8) & 0xFF;
        if (type == 2 || type == 3 || type > 7)
            return false;
    }
    return true;
}

}  // namespace

bool read_hardware_msr(Vcpu& vcpu, uint32_t msr, uint64_t& value)
{
    if (is_apic(vcpu, msr))
        return read_apic(vcpu, msr, value);
    if (vendor().read_switched_msr(vcpu, msr, value))
        return true;
    switch (msr) {
    case msr_apic_base:
        value = apic_base_of(vcpu);
        return true;
    case msr_efer:
        value = vendor().read_efer(vcpu);
        return true;
    default:
        break;
    }
    const std::optional<uint64_t> common = read_guest_msr(vcpu, msr);
    value = common.value_or(0);
    return common.has_value();
}

bool write_hardware_msr(Vcpu& vcpu, uint32_t msr, uint64_t value)
{
    if (is_apic(vcpu, msr))
        return write_apic(vcpu, msr, value);
    switch (msr) {
    case msr_apic_base:
        return value == apic_base_of(vcpu);
    case msr_efer:
        return store_efer(vcpu, value);
    case static_cast<uint32_t>(Msr::IA32_PAT):
        return is_allowed_pat(value) && vendor().write_switched_msr(vcpu, msr, value);
    case hypercall_page_msr:
        return write_hypercall_page(vcpu, value);
    default:
        return write_guest_msr(vcpu, msr, value);
    }
}

}  // namespace bulkhead
