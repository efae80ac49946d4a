// SPDX-License-Identifier: BSD-2-Clause
// The first C++: still on the loader's machine state, with start.S's temporary page tables and stack.
// Gathers BootInfo, then has the platform make the core's own address space and goes there.
#include "boot/entry_kinds.hpp"
#include "boot/loader_view.hpp"
#include "core/boot_info.hpp"
#include "core/plan.hpp"
#include "platform/x86/early_traps.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/start.hpp"
#include "platform/x86/uart.hpp"
#include "platform/x86/start_only.hpp"

extern "C" {
[[noreturn]] void boot_main(uint32_t kind, uint64_t information, uint64_t entry_tsc);
extern char image_end[];
}

namespace bulkhead {

extern const plan::Anchor plan_anchor;

namespace {

constinit BootInfo boot_info{};

constexpr uint64_t reachable_bytes = uint64_t{4} << 30;

// start.S has put the first 4 GiB where the direct map will be.
const void* first_4g(uint64_t address, uint64_t size_bytes)
{
    if (address >= reachable_bytes || size_bytes > reachable_bytes - address)
        return nullptr;
    return reinterpret_cast<const void*>(layout::direct_map + address);
}

[[noreturn]] void refuse(const char* reason)
{
    uart_write("\nBulkhead cannot start: ");
    uart_write(reason);
    uart_write("\n");
    x86::halt_for_ever();
}

START_ONLY const char* read_information(uint32_t kind, uint64_t information)
{
    switch (kind) {
    case BOOT_ENTRY_PVH: return boot::read_pvh(first_4g, information, boot_info);
    case BOOT_ENTRY_MULTIBOOT2: return boot::read_multiboot2(first_4g, information, boot_info);
    case BOOT_ENTRY_LOADER: return boot::read_own_loader(first_4g, information, boot_info);
    default: return boot::read_coreboot(first_4g, boot_info);
    }
}

// Our own loaders say where they have put the plan; others have loaded it where the ELF file says.
START_ONLY void note_image()
{
    const uint64_t core_end = reinterpret_cast<uint64_t>(image_end) - LAYOUT_CORE_BASE + LAYOUT_CORE_PHYSICAL;
    boot_info.image_begin = HostPhysical(LAYOUT_CORE_PHYSICAL);
    boot_info.image_end = HostPhysical(core_end);
    if (boot_info.plan_bytes == 0) {
        // The host tool writes the anchor after compilation: its value is not the compiler's to guess.
        const volatile plan::Anchor& anchor = plan_anchor;
        boot_info.plan = HostPhysical(anchor.physical);
        boot_info.plan_bytes = anchor.size_bytes;
    }
    const uint64_t plan = boot_info.plan.raw();
    const uint64_t plan_bytes = boot_info.plan_bytes;
    if (plan_bytes != 0 && (plan < core_end || plan_bytes > reachable_bytes || plan + plan_bytes > reachable_bytes))
        refuse("the plan lies outside the image.");
}

}  // namespace

}  // namespace bulkhead

START_ONLY void boot_main(uint32_t kind, uint64_t information, uint64_t entry_tsc)
{
    using namespace bulkhead;
    uart_start();
    early_traps_install();
    if (const char* problem = read_information(kind, information); problem != nullptr)
        refuse(problem);
    boot_info.entry_tsc = entry_tsc;
    note_image();
    start_platform(boot_info);
}
