# SPDX-License-Identifier: BSD-2-Clause
"""Boxes that are smaller than the plan, and loaders other than QEMU's."""

import os
import shutil
import subprocess

from box import Failed
from plans import conformance_guest, linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"


@test("a box with too little memory leaves out what does not fit and runs the rest")
def little_memory(context):
    guests = {"small": linux(name="small", memory=96), "large": linux(name="large", memory=4096)}
    with context.start(guests, cpus=1, memory="512M") as box:
        box["core"].expect(r"large: LEFT OUT: .*(memory|MiB)")
        box["small"].expect(READY)
        box.monitor()
        box.command("parts", r"large\s+left out")


@test("a box with too few CPUs leaves out what needs the others and runs the rest")
def few_cpus(context):
    guests = {"first": linux(name="first", memory=96, cpus="0"), "fifth": linux(name="fifth", memory=96, cpus="4")}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["core"].expect(r"fifth: LEFT OUT: .*CPU")
        box["first"].expect(READY)


@test("a hundred and twenty-eight MiB box says what is wrong, from the first instruction on")
def tiny_box(context):
    with context.start({"one": linux(name="one", memory=256)}, cpus=1, memory="128M") as box:
        box.allow_panic = True
        box.terminal.expect(r"memory|Memory")


@test("a machine check ends the box's run, and the next one tells of it")
def machine_check(context):
    # No pvh guest: QEMU 7.2 delivers one that hits AMD-V's guest to that guest, intercepted or not.
    guest = conformance_guest(context.build, "loop")
    with context.start({"guest": guest}, memory="256M") as box:
        box["core"].expect(r"guest: runs")
        box.allow_panic = True
        status, in_progress = 0xB200000000000000, 5     # valid, uncorrected, enabled, context corrupt
        box.qmp("human-monitor-command",
                **{"command-line": f"mce 0 1 {status:#x} {in_progress:#x} 0x1000 0"})
        box["core"].expect(r"The last run ended in a panic", r"PANIC on CPU 0: machine check", r"guest: runs")


def grub(context, machine="pc"):
    """GRUB from a CD starts the same ELF by Multiboot2."""
    image = context.image({"one": linux(name="one", memory=96)})
    tree = os.path.join(context.folder, "iso")
    os.makedirs(os.path.join(tree, "boot", "grub"), exist_ok=True)
    shutil.copy(image, os.path.join(tree, "boot", "bulkhead.elf"))
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as file:
        file.write("serial --unit=0 --speed=115200\nterminal_output serial\nset timeout=0\n"
                   "menuentry bulkhead {\n    multiboot2 /boot/bulkhead.elf\n    boot\n}\n")
    iso = os.path.join(context.folder, "box.iso")
    done = subprocess.run(["grub-mkrescue", "-o", iso, tree], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise Failed("grub-mkrescue: " + done.stdout.decode(errors="replace")[-400:])
    with context.box(iso=iso, machine=machine, cpus=2, memory="512M") as box:
        box["core"].expect(r"Bulkhead .*started by Multiboot2.*GRUB")
        box["one"].expect(READY)


test("GRUB starts the image by Multiboot2 on pc", machine="pc")(grub)
test("GRUB starts the image by Multiboot2 on q35", machine="q35")(grub)
