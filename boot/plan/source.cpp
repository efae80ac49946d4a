// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/source.hpp"

#include <vector>

#include "boot/plan/annotation.hpp"
#include "boot/plan/process.hpp"

namespace bulkhead::tool {

namespace {

// dtc's own checks are about hardware descriptions. Those that would stop a plan are off where this
// tool says the same with the meaning: two partitions of one name, a property given twice.
const std::vector<std::string> base_command{
    "dtc", "-q", "-I", "dts", "-E", "no-duplicate_node_names", "-E", "no-duplicate_property_names",
    "-E", "no-name_properties"};

Outcome<Bytes> compile(const std::vector<std::string>& options, const std::string& path)
{
    auto command = base_command;
    command.insert(command.end(), options.begin(), options.end());
    command.push_back(path.starts_with('-') ? "./" + path : path);
    auto finished = run(command);
    if (!finished)
        return refuse(path, ": error: ", finished.error(),
                      "; the device tree compiler is Debian's package device-tree-compiler\n");
    if (finished->status != 0)
        return refuse(finished->messages.empty() ? sentence(path, ": error: dtc failed\n")
                                                 : finished->messages);
    return std::move(finished->output);
}

}  // namespace

Outcome<Node> load_source(const std::string& path)
{
    const Bytes dtb = ATTEMPT(compile({"-O", "dtb"}, path));
    const Bytes annotated = ATTEMPT(compile({"-O", "dts", "-T", "-T"}, path));
    auto tree = parse_tree(dtb);
    if (!tree)
        return refuse(path, ": error: ", tree.error(), '\n');
    place(*tree, {reinterpret_cast<const char*>(annotated.data()), annotated.size()}, path);
    return tree;
}

}  // namespace bulkhead::tool
