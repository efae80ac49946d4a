// SPDX-License-Identifier: BSD-2-Clause
// The core's functions by address, for its back traces.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "boot/plan/elf_file.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct FunctionSymbol {
    uint64_t address;
    uint64_t size_bytes;
    std::string name;
};

// Functions of the ELF file's .symtab in executable sections, ascending, one an address; those
// without a size (assembly) reach to the next one. Empty if there is no .symtab.
[[nodiscard]] Outcome<std::vector<FunctionSymbol>> function_symbols(const ElfFile& elf);

// "bulkhead::pv::(anonymous namespace)::map(unsigned long)" is "pv::map".
[[nodiscard]] std::string short_name(const std::string& symbol);

}  // namespace bulkhead::tool
