// SPDX-License-Identifier: BSD-2-Clause
// The firmware's tables of IOMMUs, whatever bytes they are: DMAR and IVRS.
#include "platform/x86/dmar.cpp"
#include "platform/x86/ivrs.cpp"

#include <cstdlib>
#include <memory>

using namespace bulkhead;

namespace {

// Nothing lies outside of the arrays, and what is told can be used.
void check(const DmarFacts& facts)
{
    if (facts.problem != nullptr)
        return;
    const PciRead nothing = [](PciAddress, uint16_t) { return ~uint32_t{0}; };
    for (uint32_t i = 0; i < facts.unit_count; ++i)
        if (facts.units[i].first_scope + facts.units[i].scopes > facts.scope_count)
            std::abort();
    for (uint32_t i = 0; i < facts.reserved_count; ++i)
        if (facts.reserved[i].last < facts.reserved[i].base ||
            facts.reserved[i].first_scope + facts.reserved[i].scopes > facts.scope_count)
            std::abort();
    for (uint32_t i = 0; i < facts.scope_count; ++i)
        static_cast<void>(dmar_target(facts.scopes[i], nothing));
}

void check(const IvrsFacts& facts)
{
    if (facts.problem != nullptr)
        return;
    for (uint32_t i = 0; i < facts.range_count; ++i)
        if (facts.ranges[i].unit >= facts.unit_count || facts.ranges[i].first > facts.ranges[i].last)
            std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const acpi_reader::Bytes table(std::span<const uint8_t>(data, size));
    const auto dmar = std::make_unique<DmarFacts>();
    read_dmar(table, *dmar);
    check(*dmar);
    const auto ivrs = std::make_unique<IvrsFacts>();
    read_ivrs(table, *ivrs);
    check(*ivrs);
    return 0;
}
