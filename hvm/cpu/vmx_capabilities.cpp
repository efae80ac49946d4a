// SPDX-License-Identifier: BSD-2-Clause
// See vmx_capabilities.hpp.
#include "hvm/cpu/vmx_capabilities.hpp"

#include <cstdio>
#include <span>

namespace bulkhead::vmx {

namespace {

enum class Need : uint8_t { required, optional };

struct Wish {
    uint32_t bit;
    Need need;
    const char* name;
};

constexpr std::array pin_wishes{
    Wish{pin_interrupts, Need::required, "external-interrupt exiting"},
    Wish{pin_nmi, Need::required, "NMI exiting"},
    Wish{pin_virtual_nmi, Need::required, "virtual NMIs"},
    Wish{pin_preemption_timer, Need::optional, "preemption timer"},
};

constexpr std::array primary_wishes{
    Wish{primary_halt, Need::required, "HLT exiting"},
    Wish{primary_mwait, Need::required, "MWAIT exiting"},
    Wish{primary_rdpmc, Need::required, "RDPMC exiting"},
    Wish{primary_cr8_load, Need::required, "CR8-load exiting"},
    Wish{primary_cr8_store, Need::required, "CR8-store exiting"},
    Wish{primary_tpr_shadow, Need::optional, "TPR shadow"},
    Wish{primary_ports, Need::required, "unconditional I/O exiting"},
    Wish{primary_msr_bitmap, Need::required, "MSR bitmaps"},
    Wish{primary_monitor, Need::required, "MONITOR exiting"},
    Wish{primary_secondary, Need::required, "secondary controls"},
};
// Set and cleared as a guest runs.
constexpr std::array primary_later{
    Wish{primary_interrupt_window, Need::required, "interrupt-window exiting"},
    Wish{primary_nmi_window, Need::required, "NMI-window exiting"},
};

constexpr std::array secondary_wishes{
    Wish{secondary_ept, Need::required, "extended page tables"},
    Wish{secondary_unrestricted, Need::required, "unrestricted guest"},
    Wish{secondary_wbinvd, Need::required, "WBINVD exiting"},
    Wish{secondary_rdtscp, Need::optional, "RDTSCP"},
    Wish{secondary_vpid, Need::optional, "virtual-processor identifiers"},
    Wish{secondary_x2apic, Need::optional, "x2APIC mode"},
    Wish{secondary_virtual_interrupts, Need::optional, "virtual-interrupt delivery"},
    Wish{secondary_apic_accesses, Need::optional, "APIC accesses"},
    Wish{secondary_apic_registers, Need::optional, "APIC registers"},
};

constexpr std::array exit_wishes{
    Wish{exit_save_debug, Need::required, "save debug controls"},
    Wish{exit_host_64, Need::required, "64-bit host"},
    Wish{exit_save_pat, Need::required, "save IA32_PAT"},
    Wish{exit_load_pat, Need::required, "load IA32_PAT on exit"},
    Wish{exit_save_efer, Need::required, "save IA32_EFER"},
    Wish{exit_load_efer, Need::required, "load IA32_EFER on exit"},
};

constexpr std::array entry_wishes{
    Wish{entry_load_debug, Need::required, "load debug controls"},
    Wish{entry_load_pat, Need::required, "load IA32_PAT on entry"},
    Wish{entry_load_efer, Need::required, "load IA32_EFER on entry"},
};

// A guest's own page tables must be its own affair.
constexpr uint32_t primary_unwanted = primary_cr3_load | primary_cr3_store;

struct Decoder {
    ReadMsrFunction msr_of;
    Capabilities& made;
    bool has_true_controls;

    void lacks(const char* name) const
    {
        if (made.lacks[0] == '\0')
            snprintf(made.lacks.data(), made.lacks.size(),
                     "the CPU's VT-x lacks %s, which hardware partitions need", name);
    }

    // Low half: bits that must be set. High half: bits that may be.
    [[nodiscard]] uint32_t word(uint32_t msr, std::span<const Wish> wishes) const
    {
        const uint64_t allowed = msr_of(msr);
        const auto may = static_cast<uint32_t>(allowed >> 32);
        auto value = static_cast<uint32_t>(allowed);
        for (const Wish& wish : wishes) {
            value |= wish.bit & may;
            if (wish.need == Need::required && (wish.bit & may) == 0)
                lacks(wish.name);
        }
        return value;
    }

    void controls() const;
    void nested_tables() const;
    void local_apic() const;
};

void Decoder::controls() const
{
    made.pin = word(has_true_controls ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS, pin_wishes);
    made.preemption_timer = (made.pin & pin_preemption_timer) != 0;
    made.pin &= ~uint32_t{pin_preemption_timer};
    made.timer_shift = msr_of(IA32_VMX_MISC) & 0x1F;
    const uint32_t primary_msr = has_true_controls ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS;
    made.primary = word(primary_msr, primary_wishes);
    (void)word(primary_msr, primary_later);
    if ((made.primary & primary_unwanted) != 0)
        lacks("a way to let guests load CR3");
    made.exit = word(has_true_controls ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS, exit_wishes);
    made.entry = word(has_true_controls ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS, entry_wishes);
    // The further MSRs exist only then.
    if ((made.primary & primary_secondary) != 0)
        made.secondary = word(IA32_VMX_PROCBASED_CTLS2, secondary_wishes);
}

// What vCPUs in xAPIC mode have in place of x2APIC mode.
constexpr uint32_t by_page = secondary_apic_accesses | secondary_apic_registers;

// All of it or nothing: each part needs the one before.
void Decoder::local_apic() const
{
    constexpr uint32_t needed = secondary_x2apic | secondary_virtual_interrupts;
    made.virtual_apic = (made.primary & primary_tpr_shadow) != 0 && (made.secondary & needed) == needed;
    made.apic_page = made.virtual_apic && (made.secondary & by_page) == by_page;
    made.secondary &= ~by_page;
    if (made.virtual_apic) {
        made.primary &= ~uint32_t{primary_cr8_load | primary_cr8_store};
    } else {
        made.primary &= ~uint32_t{primary_tpr_shadow};
        made.secondary &= ~needed;
    }
}

void Decoder::nested_tables() const
{
    constexpr unsigned four_levels = 6, write_back = 14, large_2m = 16, large_1g = 17, has_invept = 20;
    constexpr unsigned single_context = 25, all_contexts = 26, has_invvpid = 32, invvpid_all_contexts = 42;
    if ((made.secondary & (secondary_ept | secondary_vpid)) == 0)
        return;
    const uint64_t offered = msr_of(IA32_VMX_EPT_VPID_CAP);
    const auto has = [offered](unsigned number) { return (offered >> number & 1) != 0; };
    if (!has(four_levels))
        lacks("extended page tables of four levels");
    if (!has(write_back))
        lacks("extended page tables in write-back memory");
    if (!has(has_invept) || (!has(single_context) && !has(all_contexts)))
        lacks("INVEPT");
    made.pages_2m = has(large_2m);
    made.pages_1g = has(large_1g);
    made.invept_single = has(single_context);
    made.invept_all = has(all_contexts);
    made.invvpid_all = has(has_invvpid) && has(invvpid_all_contexts);
    // Identifiers that nothing can invalidate are of no use: former contents of the TLB may remain.
    if (!made.invvpid_all)
        made.secondary &= ~uint32_t{secondary_vpid};
    made.vpid = (made.secondary & secondary_vpid) != 0;
}

}  // namespace

Capabilities decode_capabilities(ReadMsrFunction msr_of)
{
    constexpr unsigned true_controls = 55;
    Capabilities made{};
    const uint64_t basic = msr_of(IA32_VMX_BASIC);
    made.revision = static_cast<uint32_t>(basic) & 0x7FFF'FFFF;
    const Decoder decoder{msr_of, made, (basic >> true_controls & 1) != 0};
    decoder.controls();
    decoder.nested_tables();
    decoder.local_apic();
    made.cr0_fixed0 = msr_of(IA32_VMX_CR0_FIXED0);
    made.cr0_fixed1 = msr_of(IA32_VMX_CR0_FIXED1);
    made.cr4_fixed0 = msr_of(IA32_VMX_CR4_FIXED0);
    made.cr4_fixed1 = msr_of(IA32_VMX_CR4_FIXED1);
    return made;
}

uint32_t secondary_controls(const Capabilities& cpu, bool apic_by_page)
{
    if (!apic_by_page)
        return cpu.secondary;
    return (cpu.secondary & ~uint32_t{secondary_x2apic}) | (cpu.apic_page ? by_page : 0);
}

}  // namespace bulkhead::vmx
