# SPDX-License-Identifier: BSD-2-Clause
"""Two slots: which one starts, when the other one takes over, and what an attacker or a power failure can do."""

import os
import random

import firmware
import plans
from box import Failed
from suite import test

MACHINE = {"machine": "pc", "memory": "256M"}
HELLO = r"hello from a PV guest"


def slot(context, version, *options, guest=None, health=0):
    """All images of this version, whose one partition is a small guest or the one given."""
    folder = os.path.join(context.folder, f"version-{version}")
    guest = guest or plans.conformance_guest(context.build, "hello")
    text = plans.plan({"guest": guest}, model=f"version {version}",
                      **{"slot-health": health})
    elf = plans.image(context.build, text, folder)
    plans.firmware_images(context.build, elf, folder, "--version", version, *options)
    return folder


def disk_with(context, first, second=None):
    """A disk with two slots: of the first folder's disk image, the other one's content beside it."""
    image = os.path.join(first, "disk.img")
    if second is not None:
        with open(os.path.join(second, "slot.img"), "rb") as file:
            firmware.write_at(image, firmware.partitions(image, firmware.SLOT_TYPE)[1][0], file.read())
    return image


def start(context, image):
    return context.box(boot=firmware.disk(image, "ide"), **MACHINE)


def expect_slot(box, letter, version, state=r"\w[\w ]*"):
    box["core"].expect(rf"slot {letter}, version {version}, {state};", never=(r"Bulkhead cannot start",))


@test("the newer slot starts, proves itself, and stays after a reboot")
def newer(context):
    image = disk_with(context, slot(context, 1), slot(context, 2))
    with start(context, image) as box:
        expect_slot(box, "B", 2, "on trial")
        box["core"].expect(r"slot B, version 2: healthy", r"the box is being reset once, to confirm it")
        box["core"].expect(r"slot B, version 2, proved;")
        box.monitor()
        box.command("slots", r"slot B runs: version 2, proved, healthy", r"slot A could start: version 1")
        box.send("reboot\r")
        box["core"].expect(r"slot B, version 2, proved;")
    for _ in range(5):
        with start(context, image) as box:
            expect_slot(box, "B", 2, "proved")


@test("the operator chooses a slot")
def operator(context):
    image = disk_with(context, slot(context, 1), slot(context, 2))
    with start(context, image) as box:
        expect_slot(box, "B", 2, "proved")
        box.monitor()
        box.command("slots use A", r"Slot A starts from the next reboot on")
        box.send("reboot\r")
        expect_slot(box, "A", 1)
    with start(context, image) as box:
        expect_slot(box, "A", 1)


@test("a slot whose partition crashes gives way to the other one")
def unhealthy(context):
    # A kernel without a root file system panics.
    crashing = {"type": "pv", "memory": 96, "kernel": plans.kernel("cloud-amd64"), "on_crash": "destroy",
                "cmdline": "console=hvc0 panic=1"}
    second = slot(context, 2, "--tries", 2, guest=crashing, health=600)
    image = disk_with(context, slot(context, 1, "--slot-mib", 64), second)
    with start(context, image) as box:
        for _ in range(2):
            expect_slot(box, "B", 2, "on trial")
            box["core"].expect(r"slot B, version 2: not healthy: guest has crashed", r"to let the other slot take over")
        expect_slot(box, "A", 1, "on trial")
        box["core"].expect(r"slot A, version 1: healthy")


@test("a slot that never reports gives way after its tries")
def silent(context):
    image = disk_with(context, slot(context, 1), slot(context, 2, "--tries", 2, health=3600))
    for letter, version in (("B", 2), ("B", 2), ("A", 1)):
        with start(context, image) as box:
            expect_slot(box, letter, version, "on trial")


@test("a slot with a changed header or content does not start")
def tampered(context):
    image = disk_with(context, slot(context, 1), slot(context, 2))
    where = firmware.partitions(image, firmware.SLOT_TYPE)[1][0]
    for offset, sentence in ((16, "its signature is not that of this box's key"),
                             (4096 + 1000, "its content is not what was signed")):
        byte = firmware.read_at(image, where + offset, 1)
        firmware.write_at(image, where + offset, bytes([byte[0] ^ 4]))
        with start(context, image) as box:
            box.terminal.expect(rf"slot B is not started: {sentence}")
            expect_slot(box, "A", 1)
        firmware.write_at(image, where + offset, byte)


@test("an older image does not start once a newer one forbids it")
def rollback(context):
    image = disk_with(context, slot(context, 1), slot(context, 2, "--minimum-version", 2))
    with start(context, image) as box:
        expect_slot(box, "B", 2)
        box["core"].expect(r"slot B, version 2: healthy")
        box["core"].expect(r"slot B, version 2, proved; the other slot: nothing to start")
    firmware.write_at(image, firmware.partitions(image, firmware.SLOT_TYPE)[1][0], bytes(4096))
    with start(context, image) as box:
        box.terminal.expect(r"Bulkhead cannot start: no slot holds an image that may start")


@test("an update that is cut off leaves a box that starts")
def cut_off(context):
    image = disk_with(context, slot(context, 1))
    with open(os.path.join(slot(context, 2), "slot.img"), "rb") as file:
        update = file.read()
    where = firmware.partitions(image, firmware.SLOT_TYPE)[1][0]
    chance = random.Random(1)
    for written in [100, 512, 4096, *(chance.randrange(len(update) - 8192) for _ in range(5)), len(update) - 8192]:
        firmware.write_at(image, where, bytes(len(update)))
        firmware.write_at(image, where, update[:written])
        with start(context, image) as box:
            expect_slot(box, "A", 1)
            box["guest"].expect(HELLO)
    # The whole of it was never there before: as new as a newer version.
    with open(os.path.join(slot(context, 3), "slot.img"), "rb") as file:
        firmware.write_at(image, where, file.read())
    with start(context, image) as box:
        expect_slot(box, "B", 3)


@test("the slots of a flash fall back too")
def flash(context):
    first, second = slot(context, 1), slot(context, 2, "--tries", 1, health=3600)
    image = os.path.join(first, "bulkhead.rom")
    with open(os.path.join(second, "bulkhead.rom"), "rb") as file:
        content = file.read()
    size = os.path.getsize(image)
    if len(content) != size:
        raise Failed("the two images have flashes of different sizes")
    second_slot = (size - 0x20000) // 2 // 0x10000 * 0x10000
    firmware.write_at(image, second_slot, content[:second_slot])
    boot = ["-drive", f"if=pflash,format=raw,file={image}"]
    for letter, version in (("B", 2), ("A", 1)):
        with context.box(boot=boot, **MACHINE) as box:
            expect_slot(box, letter, version, "on trial")
