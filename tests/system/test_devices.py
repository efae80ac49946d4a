# SPDX-License-Identifier: BSD-2-Clause
"""Devices that the plan gives away: a driver reaches its own device, by registers, interrupts and DMA,
and nothing else. The driver is tests/programs/device_checks.cpp in the place of the switch."""

import os

from suite import test

PC = {"machine": "pc"}
Q35 = {"machine": "q35"}
# The I/O APIC's interrupts go through the unit, as on hardware.
VTD = {"machine": "q35,kernel-irqchip=split", "unit": "intel-iommu,intremap=on,caching-mode=off"}
AMD = {"machine": "q35,kernel-irqchip=split", "unit": "amd-iommu,intremap=on"}
EDU = "edu,dma_mask=0xffffffffffffffff"


def start(context, device, uplink, machine, unit=None):
    """A box with that device, whose driver is the test program."""
    services = os.path.join(context.folder, "services")
    os.makedirs(services, exist_ok=True)
    for name, program in (("store", "pvdrivers/store"), ("switch", "tests/programs/device_checks")):
        link = os.path.join(services, f"{name}.elf")
        if os.path.lexists(link):
            os.remove(link)
        os.symlink(os.path.join(context.build, f"{program}.elf"), link)
    partitions = {"hello": {"type": "pv", "memory": 16, "kernel": os.path.join(context.build, "pvdrivers", "hello.elf"),
                            "store": "default", "vif": "bridge=lan", "on_poweroff": "preserve"}}
    image = context.image(partitions, options=("--services", services), networks={"lan": {"uplink": uplink}})
    units = ["-device", unit] if unit else []
    devices = ["-device", device] if device else []
    return context.box(image, machine=machine, memory="512M", extra=[*units, *devices])


def expect_common(box, *more):
    box["switch"].expect(r"bus master at the start: off", r"config write: EACCES",
                         r"frame of the local APIC: E\w+", r"no such device: ENOENT", r"registers mapped: yes", *more,
                         never=[r": NO\b"])


def expect_interrupts(box):
    box["switch"].expect(r"interrupt bound: yes", *(rf"interrupt {i} came: yes" for i in (1, 2, 3)))


def edu(context, machine, unit=None):
    with start(context, EDU, "1234:11e8", machine, unit) as box:
        box["core"].expect(r"IOMMU: " + ("none" if not unit else "VT-d" if "intel" in unit else "AMD-Vi"))
        box["core"].expect(r"device 0 of switch \(network lan\): \S+ 1234:11e8, MSI",
                           r"reach 1024 KiB only, and it cannot forge interrupts" if unit else
                           r"NO IOMMU confines it: switch is as trusted as the core")
        box["switch"].expect(r"device 1234:11e8 at .* confined " + ("yes, remapped yes" if unit else "NO, remapped NO"))
        expect_common(box)
        box["switch"].expect(r"registers answer: yes")
        expect_interrupts(box)
        box["switch"].expect(r"bound twice: EEXIST", r"dma on: yes", r"dma in its own region: yes",
                             r"dma outside of it: " + ("blocked" if unit else "reached memory"),
                             r"dma off: yes", r"dma while it is off: nothing", r"device checks are done")
        if unit and "intel" in unit:
            box["core"].expect(r"IOMMU: device \S+ of switch writes to 0x[0-9a-f]+, which is not its own")
        # The next life finds the device quiet, and uses it as the first did.
        box.monitor()
        box.send("part switch restart\rquit\r")
        box["switch"].expect(r"---- life 2 ----", r"bus master at the start: off", r"interrupt 3 came: yes",
                             r"dma in its own region: yes", r"device checks are done")


test("a driver has its device's registers, MSI and DMA, without an IOMMU on pc", machine="pc")(edu)
test("a driver has its device's registers, MSI and DMA, without an IOMMU on q35", machine="q35")(edu)
test("VT-d confines a device to its owner's memory and to its own interrupts", **VTD)(edu)
test("AMD-Vi confines a device to its owner's memory and to its own interrupts", **AMD)(edu)


def card(context, device, uplink, machine, unit=None, how="MSI-X"):
    with start(context, device, uplink, machine, unit) as box:
        box["core"].expect(rf"device 0 of switch \(network lan\): \S+ 8086:\w+, {how}")
        expect_common(box, *([r"frame of the MSI-X table: E\w+"] if how == "MSI-X" else []))
        expect_interrupts(box)
        box["switch"].expect(r"device checks are done")


LINE = "its interrupt line"
test("an 82540EM interrupts by its line on pc", device="e1000", uplink="first", how=LINE, **PC)(card)
test("an 82540EM interrupts by its line on q35", device="e1000", uplink="8086:100e", how=LINE, **Q35)(card)
test("an 82540EM interrupts by its line through VT-d", device="e1000", uplink="first", how=LINE, **VTD)(card)
test("an 82574L interrupts by MSI-X on q35", device="e1000e", uplink="first", **Q35)(card)
test("an 82574L interrupts by MSI-X through VT-d", device="e1000e", uplink="first", **VTD)(card)
test("an 82574L interrupts by MSI-X through AMD-Vi", device="e1000e", uplink="first", **AMD)(card)


@test("a device that is missing is looked for in words, and the rest of the box works")
def missing(context):
    with start(context, "e1000e", "1234:11e8", "q35") as box:
        box["core"].expect(r"device 0 of switch \(network lan\): MISSING: looked for .*1234:11e8.*: this box has none",
                           r"there is \S+ 8086:10d3, class 020000")
        box["switch"].expect(r"missing: this box has none")
        box["hello"].expect(r"hello from hello")
