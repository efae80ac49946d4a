// SPDX-License-Identifier: BSD-2-Clause
// See vmx_checks.hpp. Each function is a section of the manual's chapter; null: no fault found. All are
// for guests with "unrestricted guest", as every one here is.
#include "hvm/cpu/vmx_checks.hpp"

#include "hvm/cpu/vmx_instructions.hpp"

#include <array>

namespace bulkhead::vmx {

namespace {

constexpr uint64_t cr0_pe = 1, cr0_pg = uint64_t{1} << 31;
constexpr uint64_t cr0_not_checked = 0x6000'0000;       // NW and CD
constexpr uint64_t cr4_pae = 0x20, cr4_pcide = 0x20000;
constexpr uint64_t efer_lme = 0x100, efer_lma = 0x400, efer_known = 0xD01;
constexpr uint64_t flag_trap = 0x100, flag_interrupts = 0x200, flag_virtual_8086 = 0x20000;

bool is_canonical(uint64_t address)
{
    const auto upper = static_cast<int64_t>(address) >> 47;
    return upper == 0 || upper == -1;
}

struct Checks {
    const Capabilities& cpu;
    uint64_t entry, cr0, cr4, rflags;

    [[nodiscard]] bool long_mode() const { return (entry & entry_long_mode) != 0; }
    [[nodiscard]] bool virtual_8086() const { return (rflags & flag_virtual_8086) != 0; }

    [[nodiscard]] const char* control_registers() const;
    [[nodiscard]] const char* msrs() const;
    [[nodiscard]] const char* code_segment() const;
    [[nodiscard]] const char* stack_segment() const;
    [[nodiscard]] const char* data_segments() const;
    [[nodiscard]] const char* system_segments() const;
    [[nodiscard]] const char* descriptor_tables() const;
    [[nodiscard]] const char* instruction_pointer() const;
    [[nodiscard]] const char* non_register_state() const;
};

const char* Checks::control_registers() const
{
    const uint64_t must = cpu.cr0_fixed0 & ~(cr0_pe | cr0_pg | cr0_not_checked);
    if ((cr0 & must) != must || (cr0 & ~cpu.cr0_fixed1) != 0)
        return "GUEST_CR0: a bit that the CPU fixes";
    if ((cr0 & cr0_pg) != 0 && (cr0 & cr0_pe) == 0)
        return "GUEST_CR0: PG without PE";
    if ((cr4 & cpu.cr4_fixed0) != cpu.cr4_fixed0 || (cr4 & ~cpu.cr4_fixed1) != 0)
        return "GUEST_CR4: a bit that the CPU fixes";
    if (long_mode() && ((cr0 & cr0_pg) == 0 || (cr4 & cr4_pae) == 0))
        return "ENTRY_CONTROLS: long mode without CR0.PG or CR4.PAE";
    if (!long_mode() && (cr4 & cr4_pcide) != 0)
        return "GUEST_CR4: PCIDE outside long mode";
    if (read(Field::GUEST_CR3) >> 52 != 0)
        return "GUEST_CR3: beyond physical addresses";
    if (read(Field::GUEST_DR7) >> 32 != 0)
        return "GUEST_DR7: upper half";
    return nullptr;
}

const char* Checks::msrs() const
{
    const uint64_t efer = read(Field::GUEST_EFER);
    if (!is_canonical(read(Field::GUEST_SYSENTER_ESP)))
        return "GUEST_SYSENTER_ESP: not canonical";
    if (!is_canonical(read(Field::GUEST_SYSENTER_EIP)))
        return "GUEST_SYSENTER_EIP: not canonical";
    if ((efer & ~efer_known) != 0)
        return "GUEST_EFER: a reserved bit";
    if (((efer & efer_lma) != 0) != long_mode())
        return "GUEST_EFER: LMA is not what the entry controls say";
    if ((cr0 & cr0_pg) != 0 && ((efer & efer_lme) != 0) != long_mode())
        return "GUEST_EFER: LME is not LMA while paging is on";
    const uint64_t pat = read(Field::GUEST_PAT);
    for (unsigned i = 0; i < 8; ++i) {
        const uint64_t type = pat >> (i * 8) & 0xFF;
        if (type == 2 || type == 3 || type > 7)
            return "GUEST_PAT: a memory type that does not exist";
    }
    return nullptr;
}

struct SegmentView {
    uint64_t selector, limit, rights, base;
    [[nodiscard]] bool usable() const { return (rights & rights_unusable) == 0; }
};

SegmentView view(Segment segment)
{
    return {read(of_segment(Field::GUEST_ES_SELECTOR, segment)), read(of_segment(Field::GUEST_ES_LIMIT, segment)),
            read(of_segment(Field::GUEST_ES_RIGHTS, segment)), read(of_segment(Field::GUEST_ES_BASE, segment))};
}

bool limit_matches(const SegmentView& segment)
{
    const bool granular = (segment.rights & rights_granular) != 0;
    if ((segment.limit & 0xFFF) != 0xFFF && granular)
        return false;
    return segment.limit >> 20 == 0 || granular;
}

constexpr uint64_t rights_reserved = 0xFFFE'0F00;

const char* Checks::code_segment() const
{
    const SegmentView cs = view(Segment::cs);
    const unsigned type = rights_type(cs.rights);
    const unsigned stack_dpl = rights_dpl(view(Segment::ss).rights);
    if (cs.base >> 32 != 0)
        return "GUEST_CS_BASE: beyond 4 GiB";
    if (type != 3 && (type & 9) != 9)
        return "GUEST_CS_RIGHTS: type is neither accessed code nor read-write data";
    if ((cs.rights & rights_system) == 0)
        return "GUEST_CS_RIGHTS: a system segment";
    if (type == 3 && rights_dpl(cs.rights) != 0)
        return "GUEST_CS_RIGHTS: data with DPL over 0";
    if ((type == 9 || type == 11) && rights_dpl(cs.rights) != stack_dpl)
        return "GUEST_CS_RIGHTS: DPL is not that of SS";
    if ((type == 13 || type == 15) && rights_dpl(cs.rights) > stack_dpl)
        return "GUEST_CS_RIGHTS: conforming, with DPL over that of SS";
    if ((cs.rights & rights_present) == 0)
        return "GUEST_CS_RIGHTS: not present";
    if ((cs.rights & rights_reserved) != 0)
        return "GUEST_CS_RIGHTS: a reserved bit";
    if (long_mode() && (cs.rights & rights_long) != 0 && (cs.rights & rights_default_32) != 0)
        return "GUEST_CS_RIGHTS: L and D together";
    return limit_matches(cs) ? nullptr : "GUEST_CS_LIMIT: does not go with the granularity";
}

const char* Checks::stack_segment() const
{
    const SegmentView ss = view(Segment::ss);
    if (((cr0 & cr0_pe) == 0 || rights_type(view(Segment::cs).rights) == 3) && rights_dpl(ss.rights) != 0)
        return "GUEST_SS_RIGHTS: DPL over 0 in real mode";
    if (!ss.usable())
        return nullptr;
    if (ss.base >> 32 != 0)
        return "GUEST_SS_BASE: beyond 4 GiB";
    if (rights_type(ss.rights) != 3 && rights_type(ss.rights) != 7)
        return "GUEST_SS_RIGHTS: not read-write data";
    if ((ss.rights & rights_system) == 0 || (ss.rights & rights_present) == 0 || (ss.rights & rights_reserved) != 0)
        return "GUEST_SS_RIGHTS: system segment, not present, or a reserved bit";
    return limit_matches(ss) ? nullptr : "GUEST_SS_LIMIT: does not go with the granularity";
}

const char* data_segment_fault(Segment segment)
{
    struct Texts {
        const char *base, *type, *rights, *limit;
    };
#define TEXTS(name)                                                                             \
    Texts{"GUEST_" name "_BASE: beyond its width", "GUEST_" name "_RIGHTS: not accessed, or code that cannot be read", \
          "GUEST_" name "_RIGHTS: system segment, not present, or a reserved bit",              \
          "GUEST_" name "_LIMIT: does not go with the granularity"}
    static constexpr std::array<Texts, 6> texts{TEXTS("ES"), TEXTS("CS"), TEXTS("SS"), TEXTS("DS"), TEXTS("FS"), TEXTS("GS")};
#undef TEXTS
    const Texts& text = texts[static_cast<size_t>(segment)];
    const SegmentView s = view(segment);
    const bool wide = segment == Segment::fs || segment == Segment::gs;
    if (wide ? !is_canonical(s.base) : s.usable() && s.base >> 32 != 0)
        return text.base;
    if (!s.usable())
        return nullptr;
    const unsigned type = rights_type(s.rights);
    if ((type & 1) == 0 || ((type & 8) != 0 && (type & 2) == 0))
        return text.type;
    if ((s.rights & rights_system) == 0 || (s.rights & rights_present) == 0 || (s.rights & rights_reserved) != 0)
        return text.rights;
    return limit_matches(s) ? nullptr : text.limit;
}

const char* Checks::data_segments() const
{
    for (const Segment segment : {Segment::ds, Segment::es, Segment::fs, Segment::gs}) {
        if (const char* fault = data_segment_fault(segment); fault != nullptr)
            return fault;
    }
    return nullptr;
}

const char* Checks::system_segments() const
{
    constexpr uint64_t table_indicator = 4;
    const SegmentView tr = view(Segment::tr);
    const unsigned type = rights_type(tr.rights);
    if ((tr.selector & table_indicator) != 0)
        return "GUEST_TR_SELECTOR: in the LDT";
    if (type != 11 && (type != 3 || long_mode()))
        return "GUEST_TR_RIGHTS: not a busy TSS";
    if ((tr.rights & rights_system) != 0 || (tr.rights & rights_present) == 0 || !tr.usable())
        return "GUEST_TR_RIGHTS: not a system segment, not present, or unusable";
    if ((tr.rights & rights_reserved) != 0 || !limit_matches(tr))
        return "GUEST_TR_LIMIT: does not go with the granularity";
    if (!is_canonical(tr.base))
        return "GUEST_TR_BASE: not canonical";
    const SegmentView ldtr = view(Segment::ldtr);
    if (!ldtr.usable())
        return nullptr;
    if ((ldtr.selector & table_indicator) != 0)
        return "GUEST_LDTR_SELECTOR: in the LDT";
    if (rights_type(ldtr.rights) != 2 || (ldtr.rights & rights_system) != 0 || (ldtr.rights & rights_present) == 0)
        return "GUEST_LDTR_RIGHTS: not an LDT, or not present";
    if ((ldtr.rights & rights_reserved) != 0 || !limit_matches(ldtr))
        return "GUEST_LDTR_LIMIT: does not go with the granularity";
    return is_canonical(ldtr.base) ? nullptr : "GUEST_LDTR_BASE: not canonical";
}

const char* Checks::descriptor_tables() const
{
    if (!is_canonical(read(Field::GUEST_GDTR_BASE)))
        return "GUEST_GDTR_BASE: not canonical";
    if (!is_canonical(read(Field::GUEST_IDTR_BASE)))
        return "GUEST_IDTR_BASE: not canonical";
    if (read(Field::GUEST_GDTR_LIMIT) > 0xFFFF)
        return "GUEST_GDTR_LIMIT: over 64 KiB";
    return read(Field::GUEST_IDTR_LIMIT) > 0xFFFF ? "GUEST_IDTR_LIMIT: over 64 KiB" : nullptr;
}

const char* Checks::instruction_pointer() const
{
    constexpr uint64_t reserved = 0xFFFF'FFFF'FFC0'8028, fixed = 2;
    const bool wide = long_mode() && (read(Field::GUEST_CS_RIGHTS) & rights_long) != 0;
    const uint64_t rip = read(Field::GUEST_RIP);
    if (wide ? !is_canonical(rip) : rip >> 32 != 0)
        return "GUEST_RIP: beyond its width";
    if ((rflags & reserved) != 0 || (rflags & fixed) == 0)
        return "GUEST_RFLAGS: a reserved bit";
    if (virtual_8086() && (long_mode() || (cr0 & cr0_pe) == 0))
        return "GUEST_RFLAGS: VM in long mode or real mode";
    const uint64_t event = read(Field::ENTRY_EVENT);
    const bool interrupt = (event & event_valid) != 0 && (event >> event_type_shift & 7) == event_interrupt;
    return interrupt && (rflags & flag_interrupts) == 0 ? "GUEST_RFLAGS: an interrupt is put in with IF off" : nullptr;
}

const char* Checks::non_register_state() const
{
    constexpr uint64_t last_activity = 3, known = 0x1F;
    constexpr uint64_t pending_step = 0x4000, pending_known = 0x1'500F;
    const uint64_t blocked = read(Field::GUEST_INTERRUPTIBILITY);
    const uint64_t event = read(Field::ENTRY_EVENT);
    const uint64_t type = event >> event_type_shift & 7;
    const bool valid = (event & event_valid) != 0;
    if (read(Field::GUEST_ACTIVITY) > last_activity)
        return "GUEST_ACTIVITY: no such state";
    if ((blocked & ~known) != 0 || (blocked & (blocked_by_sti | blocked_by_mov_ss)) == (blocked_by_sti | blocked_by_mov_ss))
        return "GUEST_INTERRUPTIBILITY: a reserved bit, or STI and MOV SS together";
    if ((blocked & blocked_by_sti) != 0 && (rflags & flag_interrupts) == 0)
        return "GUEST_INTERRUPTIBILITY: STI with IF off";
    if (valid && type == event_interrupt && (blocked & (blocked_by_sti | blocked_by_mov_ss)) != 0)
        return "GUEST_INTERRUPTIBILITY: an interrupt is put in while blocked";
    if (valid && type == event_nmi && (blocked & (blocked_by_mov_ss | blocked_by_nmi)) != 0)
        return "GUEST_INTERRUPTIBILITY: an NMI is put in while blocked";
    const uint64_t pending = read(Field::GUEST_PENDING_DEBUG);
    if ((pending & ~pending_known) != 0)
        return "GUEST_PENDING_DEBUG: a reserved bit";
    if ((blocked & (blocked_by_sti | blocked_by_mov_ss)) != 0 &&
        ((rflags & flag_trap) != 0) != ((pending & pending_step) != 0))
        return "GUEST_PENDING_DEBUG: BS is not TF in a shadow";
    return read(Field::VMCS_LINK_POINTER) != ~uint64_t{0} ? "VMCS_LINK_POINTER: is not all ones" : nullptr;
}

}  // namespace

const char* bad_guest_field(const Capabilities& cpu)
{
    const Checks checks{cpu, read(Field::ENTRY_CONTROLS), read(Field::GUEST_CR0), read(Field::GUEST_CR4),
                        read(Field::GUEST_RFLAGS)};
    using Check = const char* (Checks::*)() const;
    static constexpr std::array<Check, 5> first{&Checks::control_registers, &Checks::msrs,
                                                &Checks::descriptor_tables, &Checks::instruction_pointer,
                                                &Checks::non_register_state};
    // In virtual-8086 mode segments are what the CPU made them: nothing of the guest's can be wrong.
    static constexpr std::array<Check, 4> segments{&Checks::code_segment, &Checks::stack_segment,
                                                   &Checks::data_segments, &Checks::system_segments};
    for (const Check check : first) {
        if (const char* fault = (checks.*check)(); fault != nullptr)
            return fault;
    }
    for (const Check check : segments) {
        if (checks.virtual_8086() && check != &Checks::system_segments)
            continue;
        if (const char* fault = (checks.*check)(); fault != nullptr)
            return fault;
    }
    return "no field found at fault";
}

}  // namespace bulkhead::vmx
