# SPDX-License-Identifier: BSD-2-Clause
"""From each firmware to a partition that runs."""

import filecmp
import os
import subprocess
import time

import firmware
import plans
from box import Failed, die_with_parent
from own_time import OwnTime
from plans import linux
from suite import test

RUNS = r"hello from a PV guest"
REFUSED = (r"Bulkhead cannot start",)


def expect_start(box, by):
    box["core"].expect(rf"Bulkhead \S+, .* started by {by}", never=REFUSED)
    box["hello"].expect(RUNS)


def bios_disk(context, machine, kind):
    folder = firmware.hello_images(context)
    boot = firmware.disk(os.path.join(folder, "disk.img"), kind)
    with context.box(boot=boot, machine=machine, memory="256M") as box:
        expect_start(box, "BIOS disk")


for machine, kind in (("pc", "ide"), ("q35", "sata"), ("q35", "usb"), ("pc", "virtio")):
    test(f"BIOS starts the disk image, {machine}, {kind}", machine=machine, kind=kind)(bios_disk)


def uefi_disk(context, kind):
    folder = firmware.hello_images(context)
    boot = [*firmware.ovmf(folder), *firmware.disk(os.path.join(folder, "disk.img"), kind)]
    with context.box(boot=boot, machine="q35,smm=on", memory="256M") as box:
        expect_start(box, "UEFI from EDK II")


for kind in ("sata", "usb"):
    test(f"UEFI starts the disk image, {kind}", kind=kind)(uefi_disk)


@test("UEFI starts bulkhead.efi from another disk")
def uefi_application(context):
    folder = firmware.hello_images(context)
    image = firmware.efi_disk(folder, os.path.join(folder, "bulkhead.efi"))
    boot = [*firmware.ovmf(folder), *firmware.disk(image, "virtio")]
    with context.box(boot=boot, machine="q35,smm=on", memory="256M") as box:
        expect_start(box, "UEFI from EDK II")


def secure_boot(context, change):
    """Secure Boot is on, with a key enrolled: what is signed starts, what was changed or is not signed does not."""
    folder = firmware.hello_images(context)
    application = os.path.join(folder, "bulkhead.efi")
    if change != "unsigned":
        application = firmware.sign(folder, application)
    if change == "tampered":
        middle = os.path.getsize(application) // 2
        byte = firmware.read_at(application, middle, 1)[0]
        firmware.write_at(application, middle, bytes([byte ^ 1]))
    boot = [*firmware.ovmf(folder, secure=True), *firmware.disk(firmware.efi_disk(folder, application), "virtio")]
    with context.box(boot=boot, machine="q35,smm=on", memory="256M") as box:
        if change is None:
            expect_start(box, "UEFI from EDK II")
        else:
            box.terminal.expect(r"Access Denied|Security Violation", never=(r"Bulkhead",))


test("Secure Boot starts what is signed", change=None)(secure_boot)
test("Secure Boot refuses what was tampered with", change="tampered")(secure_boot)
test("Secure Boot refuses what is not signed", change="unsigned")(secure_boot)


def rom(context, machine, kind):
    """No other firmware: the first instruction of the box is in our flash."""
    folder = firmware.hello_images(context)
    image = os.path.join(folder, "bulkhead.rom")
    boot = ["-bios", image] if kind == "rom" else ["-drive", f"if=pflash,format=raw,file={image}"]
    with context.box(boot=boot, machine=machine, memory="256M") as box:
        expect_start(box, "ROM")
        box["core"].cursor = 0
        box["core"].expect(r"; 2 CPUs started")
        box.power_off()


for machine, kind in (("pc", "rom"), ("q35", "rom"), ("pc", "pflash"), ("q35", "pflash")):
    test(f"the ROM starts without other firmware, {machine}, {kind}", machine=machine, kind=kind)(rom)


@test("coreboot starts the payload that its tools have taken")
def coreboot(context):
    folder = firmware.hello_images(context)
    payload = firmware.through_cbfstool(folder, os.path.join(folder, "payload.elf"))
    with context.box(boot=firmware.coreboot(folder, payload, 256), memory="256M") as box:
        expect_start(box, "coreboot from 4.15")


def whole_system(context, boot_of, machine, by):
    guest = linux("cloud-amd64", run="stress kernel-log", name="guest", memory=128)
    folder = firmware.hello_images(context, guest=guest)
    with context.box(boot=boot_of(folder), machine=machine, memory="512M") as box:
        box["core"].expect(rf"started by {by}", never=REFUSED)
        if not box["guest"].expect(r"^stress: 1 passed, 0 failed", never=(r"Kernel panic",)):
            raise Failed("the guest's log is not clean")


test("Debian's kernel from the disk image by BIOS", machine="pc", by="BIOS disk",
     boot_of=lambda folder: firmware.disk(os.path.join(folder, "disk.img"), "ide"))(whole_system)
test("Debian's kernel from the disk image by UEFI", machine="q35,smm=on", by="UEFI",
     boot_of=lambda folder: [*firmware.ovmf(folder),
                             *firmware.disk(os.path.join(folder, "disk.img"), "sata")])(whole_system)


@test("the loaders for UEFI and BIOS together have at most 64 KiB")
def small(context):
    total = 0
    for loader in ("uefi", "bios"):
        elf = os.path.join(context.build, "loader", loader + ".elf")
        printed = subprocess.run(["size", elf], check=True, capture_output=True, text=True).stdout
        text, data = printed.splitlines()[1].split()[:2]
        total += int(text) + int(data)
    if total > 64 * 1024:
        raise Failed(f"they have {total} bytes")

@test("Bochs' BIOS starts the disk image")
def bochs(context):
    """Another BIOS, and a CPU that says it is Intel's; Bochs has no machine protocol, so its log is looked at."""
    context.not_for_watching("Bochs, which has no plugins")
    folder = firmware.hello_images(context)
    os.makedirs(context.logs, exist_ok=True)
    serial = os.path.join(context.logs, context.slug + ".log")
    configuration = os.path.join(folder, "bochsrc")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write("\n".join([
            "cpu: model=corei7_skylake_x, count=1", "memory: guest=256, host=256",
            "romimage: file=/usr/share/bochs/BIOS-bochs-latest",
            "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest",
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
            f"ata0-master: type=disk, path={folder}/disk.img, mode=flat", "boot: disk",
            f"com1: enabled=1, mode=file, dev={serial}", 'display_library: rfb, options="timeout=0"',
            "clock: sync=none", f"log: {folder}/bochs.log", ""]))
    open(serial, "w", encoding="utf-8").close()
    process = subprocess.Popen(["bochs", "-q", "-f", configuration], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        process.stdin.write(b"c\n")
        process.stdin.flush()
        clock = OwnTime(process.pid)
        while True:
            with open(serial, encoding="latin-1") as file:
                text = file.read()
            if "started by BIOS disk" in text and "hello from a PV guest" in text:
                return
            if clock.now() > 300 or process.poll() is not None:
                raise Failed("the guest did not run: " + text[-500:])
            time.sleep(0.5)
    finally:
        process.kill()
        process.wait()


@test("two builds in two folders make the same images")
def same_images(context):
    guests = {"hello": plans.conformance_guest(context.build, "hello")}
    folders = [os.path.join(context.folder, name) for name in ("one", "two")]
    for folder in folders:
        elf = plans.image(context.build, plans.plan(guests), folder)
        plans.firmware_images(context.build, elf, folder, "--flash-mib", 4)
    names = ["bulkhead.elf", "bulkhead.efi", "disk.img", "payload.elf", "bulkhead.rom", "slot.img", "manifest.txt"]
    _, different, missing = filecmp.cmpfiles(*folders, names, shallow=False)
    if different or missing:
        raise Failed(f"different: {different}, missing: {missing}")
