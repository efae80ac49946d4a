// SPDX-License-Identifier: BSD-2-Clause
// The properties of a partition that say how it runs and what follows its end.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "boot/plan/fields.hpp"
#include "boot/plan/model.hpp"

namespace bulkhead::tool {

[[nodiscard]] std::span<const Field<PartitionModel>> policy_fields();

// What `trusted-speculation` calls the leaks, as Linux and the vendors do.
struct SpeculationWord {
    std::string_view word;
    plan::SpeculationTrust bit;
};
inline constexpr std::array speculation_words{
    SpeculationWord{"meltdown", plan::trust_meltdown}, SpeculationWord{"l1tf", plan::trust_l1tf},
    SpeculationWord{"mds", plan::trust_mds}, SpeculationWord{"ssb", plan::trust_ssb},
    SpeculationWord{"spectre-v2", plan::trust_spectre_v2}};

}  // namespace bulkhead::tool
