// SPDX-License-Identifier: BSD-2-Clause
// What an emulator tells its firmware: files behind two ports. Source: QEMU, docs/specs/fw_cfg.
#pragma once

#include <cstdint>
#include <string_view>

namespace bulkhead::loader::rom {

struct ConfigFile {
    uint32_t bytes;
    uint16_t selector;
};

[[nodiscard]] bool fw_cfg_present();
// bytes 0: there is no such file.
[[nodiscard]] ConfigFile find_config_file(std::string_view name);
void read_config_file(const ConfigFile& file, void* to);

}  // namespace bulkhead::loader::rom
