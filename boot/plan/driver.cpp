// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/driver.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include "boot/plan/check.hpp"
#include "boot/plan/compiled.hpp"
#include "boot/plan/dump.hpp"
#include "boot/plan/files.hpp"
#include "boot/plan/image.hpp"
#include "boot/plan/loading.hpp"
#include "boot/plan/map.hpp"
#include "boot/plan/resolve.hpp"
#include "boot/plan/source.hpp"
#include "boot/plan/symbols.hpp"
#include "boot/plan/system_fields.hpp"
#include "core/plan_check.hpp"

namespace bulkhead::tool {

namespace {

constexpr std::string_view usage =
    "usage: bulkhead-plan --core CORE.elf [--services DIR] --output DIR PLAN.dts\n"
    "       bulkhead-plan --dump IMAGE.elf\n"
    "Compiles a partition plan: writes DIR/bulkhead.elf and DIR/map.txt, or prints the plan in an image.\n"
    "Programs of services are taken from the folder pvdrivers beside CORE.elf, or that of --services.\n";

struct Options {
    std::string core;
    std::string output;
    std::string plan;
    std::string dump;
    std::string services;
    bool help = false;
};

Outcome<Options> parse_options(const std::vector<std::string_view>& arguments)
{
    Options options;
    for (size_t i = 0; i < arguments.size(); ++i) {
        const auto word = arguments[i];
        std::string* value = word == "--core"       ? &options.core
                             : word == "--output"   ? &options.output
                             : word == "--dump"     ? &options.dump
                             : word == "--services" ? &options.services
                                                    : nullptr;
        if (value != nullptr) {
            if (++i == arguments.size() || arguments[i].empty())
                return refuse(word, " needs a value");
            *value = arguments[i];
        } else if (word == "--help" || word == "-h") {
            options.help = true;
        } else if (word.starts_with("--")) {
            return refuse("unknown option ", word);
        } else if (!options.plan.empty()) {
            return refuse("more than one plan: ", options.plan, " and ", word);
        } else {
            options.plan = word;
        }
    }
    const bool builds = !options.core.empty() && !options.output.empty() && !options.plan.empty();
    if (!options.help && options.dump.empty() && !builds)
        return refuse("--core, --output and a plan are needed");
    return options;
}

// core.elf, kept with what was understood of it.
struct LoadedCore {
    Bytes file;
    CoreImage image;
    std::vector<FunctionSymbol> symbols;
};

Outcome<void> load_core(const std::string& path, LoadedCore& core)
{
    core.file = ATTEMPT(read_file(path));
    core.image = ATTEMPT(parse_core(core.file));
    core.symbols = ATTEMPT(function_symbols(core.image.elf));
    return {};
}

// Memory that the plan places by hand must not be where the image itself is loaded.
void check_image_range(const SystemModel& system, const CoreImage& core, uint64_t plan_bytes, Report& report)
{
    const uint64_t end = core.plan_physical + plan_bytes;
    for (const auto& partition : system.partitions)
        for (const auto& range : partition.reg.value)
            if (range.base < end && core.physical_start < range.base + range.size_bytes)
                report.error(partition.reg.at,
                             sentence("reg ", Hex{range.base}, " to ", Hex{range.base + range.size_bytes},
                                      " overlaps the image itself, which is loaded at ", Hex{core.physical_start}, " to ",
                                      Hex{end}, "; a base from there on is free"));
}

// Prints what was found; true if it forbids an image.
bool refused(const Report& report, std::ostream& err)
{
    err << report.text();
    if (report.failed())
        err << "bulkhead-plan: " << Count{report.errors(), "error"} << ", nothing written\n";
    return report.failed();
}

// The core does the same check; what fails it here is a mistake of this tool.
const char* check_compiled(const Bytes& compiled)
{
    std::vector<uint64_t> aligned((compiled.size() + 7) / 8);
    std::memcpy(aligned.data(), compiled.data(), compiled.size());
    const void* start = aligned.data();
    return plan::check_plan(static_cast<const plan::Header*>(start), compiled.size());
}

std::string services_folder(const Options& options)
{
    if (!options.services.empty())
        return options.services;
    return (std::filesystem::path(options.core).parent_path() / "pvdrivers").string();
}

int build(const Options& options, std::ostream& out, std::ostream& err)
{
    LoadedCore core;
    if (const auto loaded = load_core(options.core, core); !loaded) {
        err << "bulkhead-plan: " << options.core << ' ' << loaded.error() << '\n';
        return 1;
    }
    const auto tree = load_source(options.plan);
    if (!tree) {
        err << tree.error();
        return 1;
    }
    Report report;
    SystemModel system = read_system(*tree, options.plan, report);
    system.services_folder = services_folder(options);
    resolve(system, report);
    check_system(system, report);
    PayloadStore payloads;
    const auto loaded = load_partitions(system, payloads, report);
    if (report.failed()) {
        refused(report, err);
        return 1;
    }
    payloads.store(system.packs_payloads.value ? PayloadStore::Form::packed : PayloadStore::Form::plain);
    const Bytes compiled = compile_plan(system, loaded, payloads, core.symbols);
    check_image_range(system, core.image, compiled.size(), report);
    if (refused(report, err))
        return 1;
    if (const char* wrong = check_compiled(compiled)) {
        err << "bulkhead-plan: a mistake in this tool, not in the plan: " << wrong << '\n';
        return 1;
    }
    const auto image = write_image(core.image, compiled);
    if (!image) {
        err << "bulkhead-plan: " << options.core << ' ' << image.error() << '\n';
        return 1;
    }
    const MapInput input{system, loaded, payloads.payloads(), core.image, compiled, image->size()};
    const std::string map = map_text(input);
    const View map_bytes{reinterpret_cast<const uint8_t*>(map.data()), map.size()};
    if (const auto written = write_files(options.output, {{"bulkhead.elf", *image}, {"map.txt", map_bytes}}); !written) {
        err << "bulkhead-plan: " << written.error() << '\n';
        return 1;
    }
    out << summary_text(input) << "written: " << options.output << "/bulkhead.elf and map.txt\n";
    return 0;
}

int dump(const std::string& path, std::ostream& out, std::ostream& err)
{
    const auto file = read_file(path);
    const auto text = file ? dump_image(*file) : refuse(file.error());
    if (!text) {
        err << "bulkhead-plan: " << path << ' ' << text.error() << '\n';
        return 1;
    }
    out << *text;
    return 0;
}

}  // namespace

int run_tool(const std::vector<std::string_view>& arguments, std::ostream& out, std::ostream& err)
{
    const auto options = parse_options(arguments);
    if (!options) {
        err << "bulkhead-plan: " << options.error() << '\n' << usage;
        return 2;
    }
    if (options->help) {
        out << usage;
        return 0;
    }
    return options->dump.empty() ? build(*options, out, err) : dump(options->dump, out, err);
}

}  // namespace bulkhead::tool
