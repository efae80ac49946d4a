// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image/driver.hpp"

#include <iomanip>
#include <sstream>

#include "boot/image/disk_image.hpp"
#include "boot/image/flat.hpp"
#include "boot/image/options.hpp"
#include "boot/image/pe_image.hpp"
#include "boot/image/rom_image.hpp"
#include "boot/image/slot_image.hpp"
#include "boot/plan/files.hpp"
#include "boot/plan/hash.hpp"

namespace bulkhead::tool {

namespace {

// One of the files that are made, or why this plan has none.
struct Artefact {
    std::string name;
    std::string purpose;
    Bytes content;
    std::string missing;
};

struct Inputs {
    Bytes image;
    SigningKey key;
    Bytes uefi;
    Bytes bios;
    Bytes rom;
};

Outcome<Bytes> read_named(const std::string& path)
{
    auto file = read_file(path);
    if (!file)
        return refuse(path, " ", file.error());
    return file;
}

Outcome<Bytes> read_loader(const ImageOptions& options, const char* name, const SigningKey& key)
{
    const std::string path = options.loaders + "/" + name;
    const Bytes file = ATTEMPT(read_named(path));
    auto keyed = with_key(file, key.open);
    if (!keyed)
        return refuse(path, " ", keyed.error());
    return keyed;
}

Outcome<Inputs> read_inputs(const ImageOptions& options)
{
    Inputs inputs;
    inputs.image = ATTEMPT(read_named(options.image));
    const Bytes pem = ATTEMPT(read_named(options.key));
    auto key = parse_key(pem);
    if (!key)
        return refuse(options.key, " ", key.error());
    inputs.key = *key;
    inputs.uefi = ATTEMPT(read_loader(options, "uefi.elf", inputs.key));
    inputs.bios = ATTEMPT(read_loader(options, "bios.elf", inputs.key));
    inputs.rom = ATTEMPT(read_loader(options, "rom.elf", inputs.key));
    return inputs;
}

Artefact artefact(std::string name, std::string purpose, Outcome<Bytes> content)
{
    if (!content)
        return {std::move(name), std::move(purpose), {}, content.error()};
    return {std::move(name), std::move(purpose), std::move(content).value(), {}};
}

Outcome<Bytes> disk_of(const ImageOptions& options, const Inputs& inputs, View slot)
{
    const Bytes selector = ATTEMPT(make_efi(inputs.uefi, {}));
    const BiosParts bios = ATTEMPT(split_bios(inputs.bios));
    return make_disk({bios.boot_sector, bios.second_stage, selector, slot, {}, options.slot_mib << 20});
}

std::string manifest(const std::vector<Artefact>& artefacts, const ImageOptions& options, const SigningKey& key, View slot)
{
    std::ostringstream out;
    out << "version " << options.version << ", minimum version " << options.minimum_version << '\n'
        << "slot content " << Size{slot.size()} << ", signed for the key " << hex_text(key.open) << "\n\n";
    for (const auto& entry : artefacts) {
        if (entry.missing.empty())
            out << std::left << std::setw(14) << entry.name << std::right << std::setw(12) << entry.content.size() << "  "
                << hex_text(sha256(entry.content)) << '\n';
        else
            out << std::left << std::setw(14) << entry.name << "not made: " << entry.missing << '\n';
    }
    return std::move(out).str();
}

void summarize(const std::vector<Artefact>& artefacts, std::ostream& out)
{
    for (const auto& entry : artefacts) {
        out << "  " << std::left << std::setw(14) << entry.name;
        if (entry.missing.empty())
            out << sentence(Size{entry.content.size()}, ": ", entry.purpose) << '\n';
        else
            out << "NOT MADE: " << entry.missing << '\n';
    }
}

Outcome<void> build(const ImageOptions& options, std::ostream& out)
{
    const Inputs inputs = ATTEMPT(read_inputs(options));
    const SlotSettings settings{options.version, options.minimum_version, static_cast<uint32_t>(options.tries)};
    auto made = make_slot(inputs.image, settings, inputs.key);
    if (!made)
        return refuse(options.image, " ", made.error());
    const Bytes slot = std::move(made).value();
    std::vector<Artefact> artefacts;
    artefacts.push_back(artefact("bulkhead.efi", "UEFI application", make_efi(inputs.uefi, slot)));
    artefacts.push_back(artefact("disk.img", "disk for BIOS and UEFI", disk_of(options, inputs, slot)));
    artefacts.push_back(artefact("payload.elf", "coreboot payload", make_payload(inputs.image, options.payload_mib << 20)));
    artefacts.push_back(artefact("bulkhead.rom", "flash that starts from the reset vector",
                                 make_rom(inputs.rom, slot, options.flash_mib << 20)));
    artefacts.push_back(artefact("slot.img", "what goes into one slot", slot));

    const std::string text = manifest(artefacts, options, inputs.key, slot);
    std::vector<OutputFile> files;
    for (const auto& entry : artefacts) {
        if (entry.missing.empty())
            files.push_back({entry.name, entry.content});
    }
    files.push_back({"manifest.txt", {reinterpret_cast<const uint8_t*>(text.data()), text.size()}});
    if (const auto written = write_files(options.output, files); !written)
        return refuse(written.error());
    summarize(artefacts, out);
    return {};
}

}  // namespace

int run_image_tool(const std::vector<std::string_view>& arguments, std::ostream& out, std::ostream& err)
{
    const auto options = parse_image_options(arguments);
    if (!options) {
        err << "bulkhead-image: " << options.error() << '\n' << image_usage;
        return 2;
    }
    if (options->help) {
        out << image_usage;
        return 0;
    }
    if (const auto built = build(*options, out); !built) {
        err << "bulkhead-image: " << built.error() << '\n';
        return 1;
    }
    return 0;
}

}  // namespace bulkhead::tool
