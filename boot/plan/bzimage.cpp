// SPDX-License-Identifier: BSD-2-Clause
// Source: linux/Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
#include "boot/plan/bzimage.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint64_t setup_sects_offset = 0x1f1;
constexpr uint64_t syssize_offset = 0x1f4;
constexpr uint64_t boot_flag_offset = 0x1fe;
constexpr uint64_t header_magic_offset = 0x202;
constexpr uint64_t protocol_offset = 0x206;
constexpr uint64_t kernel_version_offset = 0x20e;
constexpr uint64_t payload_offset_offset = 0x248;
constexpr uint64_t payload_length_offset = 0x24c;
constexpr uint16_t first_protocol_with_payload = 0x0208;
constexpr uint64_t sector_bytes = 512;
constexpr uint64_t paragraph_bytes = 16;

std::string version_of(View file)
{
    const auto pointer = read_at<uint16_t>(file, kernel_version_offset);
    std::string version;
    if (!pointer || *pointer == 0)
        return version;
    for (uint64_t at = *pointer + sector_bytes; at < file.size() && version.size() < 160; ++at) {
        if (file[at] < 0x20 || file[at] > 0x7e)
            break;
        version += static_cast<char>(file[at]);
    }
    return version;
}

}  // namespace

bool is_bzimage(View file)
{
    const auto boot_flag = read_at<uint16_t>(file, boot_flag_offset);
    const auto magic = slice(file, header_magic_offset, 4);
    return boot_flag == 0xaa55 && magic && std::memcmp(magic->data(), "HdrS", 4) == 0;
}

Outcome<BzImage> parse_bzimage(View file)
{
    const auto protocol = read_at<uint16_t>(file, protocol_offset);
    const auto payload_offset = read_at<uint32_t>(file, payload_offset_offset);
    const auto payload_length = read_at<uint32_t>(file, payload_length_offset);
    if (!protocol || !payload_offset || !payload_length)
        return refuse("is truncated: it ends inside the boot header of its bzImage");
    if (*protocol < first_protocol_with_payload)
        return refuse("is a bzImage of boot protocol ", *protocol >> 8, '.', *protocol & 0xff,
                      ", too old to say where its ELF kernel is; 2.8 (Linux 2.6.24) or later is needed");
    const uint64_t setup_sectors = file[setup_sects_offset] == 0 ? 4 : file[setup_sects_offset];
    const uint64_t setup_bytes = (setup_sectors + 1) * sector_bytes;
    const uint64_t whole = setup_bytes + uint64_t{*read_at<uint32_t>(file, syssize_offset)} * paragraph_bytes;
    if (file.size() + paragraph_bytes <= whole)
        return refuse("is truncated: its bzImage has ", whole, " bytes, the file has ", file.size());
    const uint64_t start = setup_bytes + *payload_offset;
    const auto payload = slice(file, start, *payload_length);
    if (!payload)
        return refuse("is truncated: its bzImage needs ", start + *payload_length, " bytes, the file has ",
                      file.size());
    if (payload->empty())
        return refuse("is a bzImage without a compressed kernel in it");
    return BzImage{*payload, version_of(file)};
}

}  // namespace bulkhead::tool
