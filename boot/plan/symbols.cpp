// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/symbols.hpp"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <elf.h>
#include <memory>

namespace bulkhead::tool {

namespace {

constexpr size_t longest_name = 96;

std::string demangled(const std::string& symbol)
{
    if (!symbol.starts_with("_Z"))
        return symbol;
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 && name ? name.get() : symbol;
}

void remove_all(std::string& text, std::string_view part)
{
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
        text.erase(at, part.size());
}

// Where the parameters begin: the first '(' outside template arguments that is not of "operator()".
size_t parameters_of(const std::string& name)
{
    int depth = 0;
    for (size_t i = 0; i < name.size(); ++i) {
        if (name.compare(i, 8, "operator") == 0) {
            i += 8;
            while (i < name.size() && name[i] != '(')
                ++i;
            if (name.compare(i, 2, "()") == 0)
                ++i;
            else
                --i;
        } else if (name[i] == '<') {
            ++depth;
        } else if (name[i] == '>') {
            --depth;
        } else if (name[i] == '(' && depth == 0) {
            return i;
        }
    }
    return name.size();
}

// Templates are demangled with their return type, which ends at the last space outside brackets.
size_t return_type_of(const std::string& name)
{
    int depth = 0;
    size_t start = 0;
    for (size_t i = 0; i < name.size(); ++i) {
        if (name.compare(i, 8, "operator") == 0)
            break;
        depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
        if (name[i] == ' ' && depth == 0)
            start = i + 1;
    }
    return start;
}

// Higher is the better name for an address that has several.
int rank(const Elf64_Sym& symbol)
{
    return (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC ? 2 : 0) + (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL ? 0 : 1);
}

bool is_function(const ElfFile& elf, const Elf64_Sym& symbol)
{
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx >= elf.sections.size() || symbol.st_shndx == SHN_UNDEF)
        return false;
    return (type == STT_FUNC || type == STT_NOTYPE) &&
           (elf.sections[symbol.st_shndx].flags & SHF_EXECINSTR) != 0;
}

std::string string_at(View strings, uint64_t offset)
{
    std::string out;
    while (offset < strings.size() && strings[offset] != 0)
        out += static_cast<char>(strings[offset++]);
    return out;
}

struct Ranked {
    FunctionSymbol function;
    int rank;
};

std::vector<Ranked> collect(const ElfFile& elf, const ElfSection& table, View strings)
{
    std::vector<Ranked> found;
    for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= table.content.size(); offset += sizeof(Elf64_Sym)) {
        const auto symbol = *read_at<Elf64_Sym>(table.content, offset);
        if (!is_function(elf, symbol))
            continue;
        auto name = string_at(strings, symbol.st_name);
        if (!name.empty() && !name.starts_with(".L"))
            found.push_back({{symbol.st_value, symbol.st_size, short_name(name)}, rank(symbol)});
    }
    return found;
}

}  // namespace

std::string short_name(const std::string& symbol)
{
    auto name = demangled(symbol);
    remove_all(name, "(anonymous namespace)::");
    remove_all(name, "[abi:cxx11]");
    name.resize(parameters_of(name));
    name.erase(0, return_type_of(name));
    remove_all(name, "bulkhead::");
    if (name.size() > longest_name)
        name.resize(longest_name);
    return name;
}

Outcome<std::vector<FunctionSymbol>> function_symbols(const ElfFile& elf)
{
    std::vector<FunctionSymbol> functions;
    const ElfSection* table = elf.section(".symtab");
    if (table == nullptr)
        return functions;
    if (table->link >= elf.sections.size())
        return refuse("is damaged: its symbols have no names");
    auto found = collect(elf, *table, elf.sections[table->link].content);
    std::stable_sort(found.begin(), found.end(), [](const Ranked& a, const Ranked& b) {
        return std::pair(a.function.address, -a.rank) < std::pair(b.function.address, -b.rank);
    });
    for (auto& entry : found)
        if (functions.empty() || functions.back().address != entry.function.address)
            functions.push_back(std::move(entry.function));
    for (size_t i = 0; i + 1 < functions.size(); ++i) {
        const uint64_t gap = functions[i + 1].address - functions[i].address;
        if (functions[i].size_bytes == 0 || functions[i].size_bytes > gap)
            functions[i].size_bytes = gap;
    }
    return functions;
}

}  // namespace bulkhead::tool
