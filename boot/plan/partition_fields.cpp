// SPDX-License-Identifier: BSD-2-Clause
// Names and values are xl's where it has one. Source: xl.cfg(5) of Xen 4.17.
#include "boot/plan/partition_fields.hpp"

#include "boot/plan/fields.hpp"
#include "boot/plan/policy_fields.hpp"
#include "boot/plan/readers.hpp"
#include "boot/plan/value.hpp"
#include "boot/plan/xl_names.hpp"

namespace bulkhead::tool {

namespace {

using P = PartitionModel;
constexpr uint64_t most_memory_mib = 1024 * 1024;

Outcome<void> read_name(const Property& property, P& target, Report&)
{
    auto name = ATTEMPT(text(property.value));
    if (auto checked = check_name(name); !checked)
        return checked;
    target.name.state(std::move(name), property.at);
    return {};
}

Outcome<void> read_type(const Property& property, P& target, Report&)
{
    static constexpr std::array<std::string_view, 4> types{"pv", "pvh", "hvm", "service"};
    auto type = ATTEMPT(text(property.value));
    if (type == "hvm")
        return refuse("is \"hvm\": full PCs cannot be built yet; \"pv\" and \"pvh\" run stock Linux kernels");
    if (type == "service")
        return refuse("is \"service\": services are added by themselves; \"pv\" runs kernels and programs on the runtime");
    if (type != "pv" && type != "pvh")
        return refuse("is ", Quoted{type}, "; ", suggestion(type, types, "\"pv\" is expected"));
    target.type.state(std::move(type), property.at);
    return {};
}

Outcome<void> read_builder(const Property& property, P&, Report& report)
{
    const auto builder = ATTEMPT(text(property.value));
    if (builder != "generic" && builder != "linux")
        return refuse("is ", Quoted{builder}, "; use type = \"pv\" instead");
    report.warning(property.at, "\"builder\" has no effect: type says what a partition is");
    return {};
}

Outcome<void> read_uuid(const Property& property, P& target, Report&)
{
    const auto words = ATTEMPT(text(property.value));
    target.uuid.state(ATTEMPT(parse_uuid(words)), property.at);
    return {};
}

Outcome<void> read_cmdline(const Property& property, P& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (words.size() > longest_cmdline)
        return refuse("has ", words.size(), " characters; start info has room for ", longest_cmdline);
    target.cmdline.state(std::move(words), property.at);
    return {};
}

Outcome<void> read_reg(const Property& property, P& target, Report&)
{
    const auto words = ATTEMPT(wide_cells(property.value));
    if (words.size() % 2 != 0)
        return refuse("has ", words.size(), " numbers; pairs of a base and a size are expected");
    if (words.size() / 2 > plan::max_memory_ranges)
        return refuse("has ", words.size() / 2, " ranges; at most ", plan::max_memory_ranges, " are possible");
    std::vector<plan::MemoryRange> ranges;
    for (size_t i = 0; i < words.size(); i += 2) {
        const plan::MemoryRange range{words[i], words[i + 1]};
        if (range.base % 4096 != 0 || range.size_bytes % 4096 != 0 || range.size_bytes == 0)
            return refuse("has the range ", Hex{range.base}, " of ", Hex{range.size_bytes},
                          " bytes; base and size are multiples of 0x1000, the size not 0");
        static constexpr uint64_t physical_end = uint64_t{1} << 52;
        if (range.base >= physical_end || range.size_bytes > physical_end - range.base)
            return refuse("has the range ", Hex{range.base}, " of ", Hex{range.size_bytes},
                          " bytes; physical addresses end at ", Hex{physical_end});
        ranges.push_back(range);
    }
    target.reg.state(std::move(ranges), property.at);
    return {};
}

Outcome<void> read_vif(const Property& property, P& target, Report& report)
{
    std::vector<Vif> vifs;
    const auto cards = ATTEMPT(texts(property.value));
    for (const auto& words : cards) {
        auto vif = ATTEMPT(parse_vif(words));
        if (!vif.without_effect.empty())
            report.warning(property.at, sentence("vif: ", vif.without_effect, " has no effect here"));
        vifs.push_back(std::move(vif));
    }
    target.vifs.state(std::move(vifs), property.at);
    return {};
}

Outcome<void> read_store(const Property& property, P& target, Report&)
{
    static constexpr std::array<std::string_view, 2> words{"default", "none"};
    const auto word = ATTEMPT(text(property.value));
    if (word != words[0] && word != words[1])
        return refuse("is ", Quoted{word}, "; ", suggestion(word, words, "\"default\" or \"none\" is expected"));
    target.has_store.state(word == words[0], property.at);
    return {};
}

Outcome<void> read_apic(const Property& property, P& target, Report&)
{
    static constexpr std::array<std::string_view, 2> words{"x2apic", "xapic"};
    const auto word = ATTEMPT(text(property.value));
    if (word != words[0] && word != words[1])
        return refuse("is ", Quoted{word}, "; ", suggestion(word, words, "\"x2apic\" or \"xapic\" is expected"));
    target.apic_by_page.state(word == words[1], property.at);
    return {};
}

Outcome<void> read_max_vcpus(const Property& property, P& target, Report& report)
{
    return read_number<&P::maxvcpus, 1, plan::max_vcpus>(property, target, report);
}

// Bounds that depend on the machine node, so the reader needs more than a property.
void read_cpus(const Node& node, CpuBound bound, P& target, Report& report)
{
    const Property* property = node.property("cpus");
    if (property == nullptr)
        return;
    auto cpus = parse_cpus(property->value, bound);
    if (cpus)
        target.cpus.state(std::move(*cpus), property->at);
    else
        report.error(target.cpus.at = property->at, sentence("cpus ", cpus.error()));
}

Outcome<void> read_later(const Property&, P&, Report&) { return {}; }

constexpr std::array own_fields{
    Field<P>{"name", read_name},
    Field<P>{"type", read_type},
    Field<P>{"builder", read_builder},
    Field<P>{"uuid", read_uuid},
    Field<P>{"memory", read_number<&P::memory_mib, 1, most_memory_mib>},
    Field<P>{"maxmem", read_number<&P::maxmem_mib, 1, most_memory_mib>},
    Field<P>{"vcpus", read_number<&P::vcpus, 1, plan::max_vcpus>},
    Field<P>{"maxvcpus", read_max_vcpus},
    Field<P>{"cpus", read_later},
    Field<P>{"kernel", read_text<&P::kernel>},
    Field<P>{"ramdisk", read_text<&P::ramdisk>},
    Field<P>{"cmdline", read_cmdline},
    Field<P>{"root", read_text<&P::root>},
    Field<P>{"extra", read_text<&P::extra>},
    Field<P>{"reg", read_reg},
    Field<P>{"vif", read_vif},
    Field<P>{"store", read_store},
    Field<P>{"apic", read_apic},
};

constexpr std::array<std::string_view, 1> partition_children{"config"};

void check_required(const Node& node, std::string_view property, std::string_view example, Report& report)
{
    if (node.property(property) == nullptr)
        report.error(node.at, sentence("partition ", Quoted{node.name}, " has no ", Quoted{property},
                                       "; such as ", example, " is required"));
}

}  // namespace

Outcome<Uuid> parse_uuid(std::string_view text)
{
    const bool dashed = text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
                        text[23] == '-';
    std::string digits;
    for (const char character : text)
        if (character != '-')
            digits += character;
    Uuid uuid{};
    bool valid = digits.size() == 32 && (dashed || text.size() == 32);
    for (size_t i = 0; valid && i < uuid.size(); ++i) {
        const auto byte = parse_number("0x" + digits.substr(2 * i, 2));
        valid = byte.has_value();
        uuid[i] = static_cast<uint8_t>(valid ? *byte : 0);
    }
    if (!valid)
        return refuse("is ", Quoted{text}, "; such as \"cf67710d-b756-086b-8cde-be61d2faca1b\" is expected");
    return uuid;
}

PartitionModel read_partition(const Node& node, CpuBound cpus, Report& report)
{
    PartitionModel partition;
    partition.at = node.at;
    partition.name = {node.name, node.at, false};
    std::vector<Field<P>> fields(own_fields.begin(), own_fields.end());
    const auto policy = policy_fields();
    fields.insert(fields.end(), policy.begin(), policy.end());
    read_fields<P>(node, sentence("partition ", Quoted{node.name}), fields, xl_names(), partition, report);
    read_cpus(node, cpus, partition, report);
    check_children(node, sentence("partition ", Quoted{node.name}), partition_children, report);
    if (const Node* config = node.child(partition_children[0]))
        partition.config = *config;
    if (!partition.name.stated)
        if (const auto checked = check_name(node.name); !checked)
            report.error(node.at, sentence("the partition's name ", checked.error()));
    if (partition.config && partition.ramdisk.stated)
        report.error(partition.ramdisk.at, sentence("partition ", Quoted{node.name}, " has both a config, at ",
                                                    to_text(partition.config->at), ", and a ramdisk; a config is handed ",
                                                    "over in the ramdisk's place, so keep one"));
    if (partition.apic_by_page.stated && partition.type.stated && partition.type.value != "pvh")
        report.error(partition.apic_by_page.at, sentence("apic is of no use in a partition of type ",
                                                         Quoted{partition.type.value}, "; type = \"pvh\" has local APICs"));
    check_required(node, "type", "type = \"pv\"", report);
    check_required(node, "memory", "memory = <256> (MiB)", report);
    check_required(node, "kernel", "kernel = \"vmlinuz\"", report);
    return partition;
}

}  // namespace bulkhead::tool
