// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/elfnote.h and features.h; where these are silent, what Xen 4.17's
// domain builder (libelf) accepts.
#include "boot/plan/xen_notes.hpp"

#include <array>
#include <elf.h>

#include "boot/plan/value.hpp"

extern "C" {
#include <xen/elfnote.h>
#include <xen/features.h>
}

namespace bulkhead::tool {

namespace {

struct Feature {
    std::string_view name;
    uint32_t number;
};
constexpr std::array<Feature, 7> feature_names{{
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"hvm_callback_vector", XENFEAT_hvm_callback_vector},
    {"dom0", XENFEAT_dom0},
}};

// What no PV partition can have, whatever its kernel requires.
constexpr uint32_t unavailable = 1U << XENFEAT_auto_translated_physmap |
                                 1U << XENFEAT_supervisor_mode_kernel | 1U << XENFEAT_hvm_callback_vector |
                                 1U << XENFEAT_dom0;
constexpr std::string_view runtime_owner = "Bulkhead";
constexpr uint32_t runtime_note = 1;
constexpr uint64_t hypervisor_start = 0xffff800000000000;

std::string string_of(const ElfNote& note)
{
    std::string out;
    for (const uint8_t byte : note.description) {
        if (byte == 0 || out.size() == 256)
            break;
        out += static_cast<char>(byte);
    }
    return out;
}

Outcome<uint64_t> number_of(const ElfNote& note, std::string_view name)
{
    if (const auto wide = read_at<uint64_t>(note.description, 0))
        return *wide;
    if (const auto narrow = read_at<uint32_t>(note.description, 0))
        return *narrow;
    return refuse("has the ELF note ", name, " with ", note.description.size(), " bytes; 4 or 8 are expected");
}

Outcome<void> parse_features(std::string_view list, XenNotes& notes)
{
    for (auto word : split(list, '|')) {
        const bool required = word.starts_with('!');
        if (required)
            word.remove_prefix(1);
        bool known = false;
        for (const auto& feature : feature_names) {
            if (feature.name != word)
                continue;
            known = true;
            notes.supported_features |= 1U << feature.number;
            notes.required_features |= required ? 1U << feature.number : 0;
        }
        if (required && !known)
            return refuse("requires the feature ", Quoted{word}, " (ELF note FEATURES), which is not known");
    }
    return {};
}

Outcome<void> parse_numeric_note(const ElfNote& note, XenNotes& notes)
{
    switch (note.type) {
    case XEN_ELFNOTE_ENTRY: notes.entry = ATTEMPT(number_of(note, "ENTRY")); break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        notes.hypercall_page = ATTEMPT(number_of(note, "HYPERCALL_PAGE"));
        break;
    case XEN_ELFNOTE_VIRT_BASE: notes.virt_base = ATTEMPT(number_of(note, "VIRT_BASE")); break;
    case XEN_ELFNOTE_PADDR_OFFSET: notes.paddr_offset = ATTEMPT(number_of(note, "PADDR_OFFSET")); break;
    case XEN_ELFNOTE_INIT_P2M: notes.init_p2m = ATTEMPT(number_of(note, "INIT_P2M")); break;
    case XEN_ELFNOTE_HV_START_LOW: notes.hv_start_low = ATTEMPT(number_of(note, "HV_START_LOW")); break;
    case XEN_ELFNOTE_PHYS32_ENTRY: notes.phys32_entry = ATTEMPT(number_of(note, "PHYS32_ENTRY")); break;
    case XEN_ELFNOTE_MOD_START_PFN:
        notes.mod_start_pfn = ATTEMPT(number_of(note, "MOD_START_PFN")) != 0;
        break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        notes.supported_features |=
            static_cast<uint32_t>(ATTEMPT(number_of(note, "SUPPORTED_FEATURES")));
        break;
    default: break;  // L1_MFN_VALID, SUSPEND_CANCEL and what later kernels add
    }
    return {};
}

Outcome<void> parse_note(const ElfNote& note, XenNotes& notes)
{
    notes.any = true;
    switch (note.type) {
    case XEN_ELFNOTE_GUEST_OS: notes.guest_os = string_of(note); return {};
    case XEN_ELFNOTE_GUEST_VERSION: notes.guest_version = string_of(note); return {};
    case XEN_ELFNOTE_XEN_VERSION: notes.xen_version = string_of(note); return {};
    case XEN_ELFNOTE_LOADER: notes.loader = string_of(note); return {};
    case XEN_ELFNOTE_BSD_SYMTAB: notes.bsd_symtab = string_of(note) == "yes"; return {};
    case XEN_ELFNOTE_FEATURES: return parse_features(string_of(note), notes);
    default: return parse_numeric_note(note, notes);
    }
}

Outcome<void> parse_content(View content, XenNotes& notes)
{
    const auto all = ATTEMPT(parse_notes(content));
    for (const auto& note : all) {
        notes.runtime_program = notes.runtime_program || (note.name == runtime_owner && note.type == runtime_note);
        if (note.name == "Xen")
            if (auto done = parse_note(note, notes); !done)
                return done;
    }
    return {};
}

}  // namespace

Outcome<XenNotes> parse_xen_notes(const ElfFile& elf)
{
    XenNotes notes;
    for (const auto& segment : elf.segments)
        if (segment.type == PT_NOTE)
            if (auto done = parse_content(segment.content, notes); !done)
                return Refusal{done.error()};
    if (notes.any)
        return notes;
    for (const auto& section : elf.sections)
        if (section.type == SHT_NOTE)
            if (auto done = parse_content(section.content, notes); !done)
                return Refusal{done.error()};
    return notes;
}

Outcome<void> check_pv_notes(const XenNotes& notes)
{
    if (!notes.any)
        return refuse("has no Xen ELF notes; a kernel with CONFIG_XEN_PV, such as any of Debian's amd64 kernels, ",
                      "has them");
    if (!notes.xen_version.starts_with("xen-3.0"))
        return refuse("has ", notes.xen_version.empty() ? "no" : "another", " ELF note XEN_VERSION; \"xen-3.0\" ",
                      "is the interface that a PV kernel names");
    if (!notes.loader.starts_with("generic") && !notes.guest_os.starts_with("linux"))
        return refuse("has neither the ELF note LOADER = \"generic\" nor GUEST_OS = \"linux\"; a PV kernel has one");
    const bool says_nothing = !notes.virt_base && !notes.entry;
    if (says_nothing && (notes.phys32_entry || notes.guest_os.starts_with("linux")))
        return refuse("has no ELF notes ENTRY and VIRT_BASE", notes.phys32_entry ? ", only PHYS32_ENTRY" : "",
                      ": it was built without CONFIG_XEN_PV", notes.phys32_entry ? " and runs as pvh only" : "",
                      "; such as Debian's amd64 kernels have both");
    if (notes.paddr_offset && !notes.virt_base)
        return refuse("has the ELF note PADDR_OFFSET without VIRT_BASE; both or neither are expected");
    if (notes.hv_start_low && *notes.hv_start_low > hypervisor_start)
        return refuse("has the ELF note HV_START_LOW = ", Hex{*notes.hv_start_low}, "; a 64-bit kernel leaves ",
                      "the range from ", Hex{hypervisor_start}, " to the hypervisor");
    for (const auto& feature : feature_names)
        if ((notes.required_features & unavailable & 1U << feature.number) != 0)
            return refuse("requires the feature ", feature.name, " (ELF note FEATURES), which a pv partition ",
                          "does not have");
    return {};
}

}  // namespace bulkhead::tool
