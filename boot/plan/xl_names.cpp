// SPDX-License-Identifier: BSD-2-Clause
// Source: xl.cfg(5) of Xen 4.17. Refused is what would change how the partition runs; what only
// concerns a toolstack, or full machines, gets a warning.
#include "boot/plan/xl_names.hpp"

#include <array>

namespace bulkhead::tool {

namespace {

constexpr std::string_view no_disk =
    "disks are not built yet; put what the partition needs into its ramdisk and leave this out";
constexpr std::string_view no_loader =
    "no control domain could run it; name the files with kernel and ramdisk";
constexpr std::string_view no_device = "devices cannot be passed through yet; leave this out";
constexpr std::string_view no_weight =
    "CPU time is given by priority, budget and period; a cap of 50 is budget = <5000>, period = <10000>";
constexpr std::string_view machine_only = "it describes a full machine; a pv partition has no such hardware";
constexpr std::string_view toolstack_only = "there is no control domain that would use it";

constexpr std::array foreign{
    Foreign{"disk", true, no_disk},
    Foreign{"bootloader", true, no_loader},
    Foreign{"bootloader_args", true, no_loader},
    Foreign{"bootargs", true, no_loader},
    Foreign{"device_tree", true, "x86 kernels do not take one; leave it out"},
    Foreign{"pci", true, no_device},
    Foreign{"ioports", true, no_device},
    Foreign{"iomem", true, no_device},
    Foreign{"irqs", true, no_device},
    Foreign{"usbctrl", true, no_device},
    Foreign{"usbdev", true, no_device},
    Foreign{"dtdev", true, no_device},
    Foreign{"vtpm", true, "there is no TPM; leave it out"},
    Foreign{"p9", true, "there is no file server; leave it out"},
    Foreign{"pvcalls", true, "there is no socket server; leave it out"},
    Foreign{"vsnd", true, "there is no sound; leave it out"},
    Foreign{"vdispl", true, "there is no display; leave it out"},
    Foreign{"channel", true, "there is one console for each partition; leave it out"},
    Foreign{"cpu_weight", true, no_weight},
    Foreign{"cap", true, no_weight},
    Foreign{"cpus_soft", true, "vCPUs do not move; use cpus"},
    Foreign{"pool", true, "there are no CPU pools; use cpus"},
    Foreign{"vnuma", true, "NUMA is not described to partitions; leave it out"},
    Foreign{"localtime", true, "partitions get UTC; set the time zone in the guest and leave it out"},
    Foreign{"rtc_timeoffset", true, "partitions get UTC; leave it out"},
    Foreign{"tsc_mode", true, "the core chooses a clock that is right on this CPU; leave it out"},
    Foreign{"cpuid", true, "the CPUID policy is the core's; leave it out"},
    Foreign{"on_soft_reset", true, "memory is scrubbed between two lives; leave it out"},
    Foreign{"driver_domain", true, "back ends are part of the image; leave it out"},
    Foreign{"max_event_channels", true, "a partition always has 4096; leave it out"},
    Foreign{"watchdog", true,
            "the guest arms its own (SCHEDOP_watchdog); on_watchdog says what follows when it fires"},
    Foreign{"serial", false, machine_only},
    Foreign{"boot", false, machine_only},
    Foreign{"acpi", false, machine_only},
    Foreign{"apic", false, machine_only},
    Foreign{"pae", false, "64-bit kernels need no PAE setting"},
    Foreign{"nx", false, machine_only},
    Foreign{"hap", false, machine_only},
    Foreign{"hpet", false, machine_only},
    Foreign{"viridian", false, machine_only},
    Foreign{"vfb", false, machine_only},
    Foreign{"vkb", false, machine_only},
    Foreign{"vnc", false, machine_only},
    Foreign{"vnclisten", false, machine_only},
    Foreign{"vncpasswd", false, machine_only},
    Foreign{"sdl", false, machine_only},
    Foreign{"stdvga", false, machine_only},
    Foreign{"vga", false, machine_only},
    Foreign{"videoram", false, machine_only},
    Foreign{"nographic", false, machine_only},
    Foreign{"usb", false, machine_only},
    Foreign{"usbdevice", false, machine_only},
    Foreign{"soundhw", false, machine_only},
    Foreign{"keymap", false, machine_only},
    Foreign{"device_model_version", false, machine_only},
    Foreign{"device_model_override", false, machine_only},
    Foreign{"xen_platform_pci", false, machine_only},
    Foreign{"shadow_memory", false, machine_only},
    Foreign{"timer_mode", false, machine_only},
    Foreign{"nomigrate", false, toolstack_only},
    Foreign{"seclabel", false, toolstack_only},
    Foreign{"init_seclabel", false, toolstack_only},
    Foreign{"max_maptrack_frames", false, "the core's tables are sized by the plan"},
    Foreign{"e820_host", false, "a partition has no devices of the host"},
    Foreign{"max_grant_version", false, "version 1 and 2 are the core's choice"},
};

}  // namespace

std::span<const Foreign> xl_names() { return foreign; }

}  // namespace bulkhead::tool
