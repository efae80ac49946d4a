# SPDX-License-Identifier: BSD-2-Clause
"""The image onto the board: Debian's OpenOCD writes to the simulated board of tests/flash/, and what
its chip holds afterwards is started in QEMU."""

import os
import random
import shutil
import subprocess

import firmware
import plans
from box import Failed, die_with_parent
from suite import test

FLASH = os.path.join(plans.REPOSITORY, "platform", "x86", "flash", "flash")
BLOCK = 0x10000
CHIP = ["--chip", "0xef4014", "--bytes", "0x100000"]      # a W25Q80, 1 MiB
DISK = os.path.join(plans.REPOSITORY, "platform", "x86", "flash", "disk")
HELLO = r"hello from a PV guest"


def rom(context, version):
    """A flash image of this version."""
    folder = os.path.join(context.folder, f"version-{version}")
    firmware.hello_images(context, "--version", version, folder=folder)
    return os.path.join(folder, "bulkhead.rom")


def flash(context, content, *arguments, chip=CHIP, faults=()):
    """(status, what was printed) of the flash tool, on a board whose chip's content is this file."""
    simulator = subprocess.Popen([os.path.join(context.build, "flash", "simulator"), "--content", content, *chip,
                                  *(str(word) for word in faults)],
                                 stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    try:
        environment = {**os.environ, "BULKHEAD_FLASH_PORT": simulator.stdout.readline().strip()}
        done = subprocess.run([FLASH, "--board", "simulated", *arguments], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        simulator.wait(timeout=60)
    finally:
        simulator.kill()
    with open(os.path.join(context.logs, context.slug + ".log"), "a", encoding="utf-8") as log:
        log.write(done.stdout)
    return done.returncode, done.stdout


def expect(outcome, status, *sentences):
    if outcome[0] != status or not all(sentence in outcome[1] for sentence in sentences):
        raise Failed(f"status {outcome[0]}, not {status}, or a sentence is missing of {sentences}:\n{outcome[1]}")


def expect_start(context, chip, slot, version):
    """The chip's content starts; a copy, so that the selector does not change it."""
    copy = chip + ".started"
    shutil.copy(chip, copy)
    boot = ["-drive", f"if=pflash,format=raw,file={copy}"]
    with context.box(boot=boot, machine="pc", memory="256M") as box:
        box["core"].expect(rf"slot {slot}, version {version}, ", never=(r"cannot start",))
        box["hello"].expect(HELLO)


def content(path):
    with open(path, "rb") as file:
        return file.read()


@test("OpenOCD writes an empty chip, only what changes, and reads it back")
def write(context):
    os.makedirs(context.logs, exist_ok=True)
    image = rom(context, 1)
    chip = os.path.join(context.folder, "chip")
    expect(flash(context, chip, "--image", image), 0, "win w25q80bv, 1024 KiB", "the whole chip is written",
           "all verified")
    if content(chip) != content(image):
        raise Failed("the chip does not hold the image")
    expect_start(context, chip, "A", 1)
    expect(flash(context, chip, "--image", image), 0, "holds this image, version 1, already", "0 of 16 blocks changed")
    back = os.path.join(context.folder, "back")
    expect(flash(context, chip, "--read", back), 0, "read 16 of 16 blocks")
    if content(back) != content(image):
        raise Failed("what was read is not what the chip holds")


@test("OpenOCD puts an update into the other slot")
def update(context):
    os.makedirs(context.logs, exist_ok=True)
    chip = os.path.join(context.folder, "chip")
    first, second = rom(context, 1), rom(context, 2)
    shutil.copy(first, chip)
    expect(flash(context, chip, "--image", second), 0, "version 2 goes to slot B; slot A, version 1, is not touched")
    expect_start(context, chip, "B", 2)
    expect_start(context, chip, "B", 2)
    half = content(first)[:BLOCK]
    if content(chip)[:BLOCK] != half:
        raise Failed("slot A was changed")


def unplugged(context, points, seed):
    """The cable is out in the middle of an update."""
    os.makedirs(context.logs, exist_ok=True)
    chip = os.path.join(context.folder, "chip")
    first, second = rom(context, 1), rom(context, 2)
    chance = random.Random(seed)
    most = os.path.getsize(second.replace("bulkhead.rom", "slot.img")) // 256
    for _ in range(points):
        shutil.copy(first, chip)
        after = chance.randrange(most)
        expect(flash(context, chip, "--image", second, faults=["--unplug-after", after]), 1,
               "the connection to the board broke off")
        expect_start(context, chip, "A", 1)


def unplugged_anywhere(context, points, at_once, seed):
    """What the chip holds at many points of an update, of which one run of OpenOCD yields many."""
    os.makedirs(context.logs, exist_ok=True)
    chip = os.path.join(context.folder, "chip")
    first, second = rom(context, 1), rom(context, 2)
    most = os.path.getsize(second.replace("bulkhead.rom", "slot.img")) // 256
    cut = chip + ".cut"
    left = random.Random(seed).sample(range(1, most), points)
    while left:
        now, left = left[:at_once], left[at_once:]
        shutil.copy(first, chip)
        faults = [word for point in now for word in ("--keep-at", point)]
        expect(flash(context, chip, "--image", second, faults=faults), 0, "all verified")
        for point in now:
            context.boxes = 0               # one log, the last one
            os.replace(f"{chip}.{point}", cut)
            expect_start(context, cut, "A", 1)


test("an unplugged cable leaves a board that starts", points=3, seed=1)(unplugged)
test("a cable unplugged at 1,000 points leaves a board that starts", full=True, points=1000, at_once=100,
     seed=2)(unplugged_anywhere)


@test("the flash tool says what is wrong with a chip")
def broken(context):
    os.makedirs(context.logs, exist_ok=True)
    chip = os.path.join(context.folder, "chip")
    first, second = rom(context, 1), rom(context, 2)
    slot_b = (os.path.getsize(first) - 2 * BLOCK) // 2 // BLOCK * BLOCK
    # The first byte behind the first block of slot B that is to hold a zero where a bit is stuck.
    wanted = content(second)
    at = next(i for i in range(BLOCK, 2 * BLOCK) if wanted[i] & 1 == 0)
    for faults, sentence in ((["--stuck-at", slot_b + at], "the chip is worn out or defective"),
                             (["--protect", 1], "the chip is write-protected")):
        shutil.copy(first, chip)
        # Garbage in slot B's place: otherwise nothing needs an erase there.
        firmware.write_at(chip, slot_b, bytes(BLOCK * 2))
        expect(flash(context, chip, "--image", second, faults=faults), 1, sentence)
        expect_start(context, chip, "A", 1)


@test("the flash tool refuses another board and another chip")
def another(context):
    os.makedirs(context.logs, exist_ok=True)
    chip = os.path.join(context.folder, "chip")
    image = rom(context, 1)
    shutil.copy(image, chip)
    before = content(chip)
    expect(flash(context, chip, "--image", image, faults=["--idcode", 0x0362d093]), 1, "this is another board")
    expect(flash(context, chip, "--image", image, faults=["--chip", 0x123456]), 1,
           "OpenOCD does not know this flash chip")
    if content(chip) != before:
        raise Failed("the chip was changed")
    expect(flash(context, chip + "-large", "--image", image, chip=[]), 1, "the chip has 16384 KiB, the image 1024 KiB")
    expect(flash(context, chip, "--image", os.path.join(context.folder, "nothing")), 1, "No such file")


def write_disk(image, device, answer):
    done = subprocess.run([DISK, "--image", image, device], input=answer, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


class Loop:
    """A file of zeros as a disk of this machine."""

    def __init__(self, path, size):
        with open(path, "wb") as file:
            file.truncate(size)
        done = subprocess.run(["losetup", "--find", "--show", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"this needs root, for a loop device: {done.stdout.strip()}")
        self.device = done.stdout.strip()

    def __enter__(self):
        return self.device

    def __exit__(self, *_):
        subprocess.run(["losetup", "--detach", self.device], check=False)


@test("a disk is written after a yes only, and what was written starts")
def to_disk(context):
    os.makedirs(context.folder, exist_ok=True)
    image = os.path.join(firmware.hello_images(context), "disk.img")
    size = os.path.getsize(image)
    expect(write_disk(image, image, "yes\n"), 1, f"{image} is no disk")
    path = os.path.join(context.folder, "disk")
    with Loop(path, 1 << 20) as device:
        expect(write_disk(image, device, "yes\n"), 1, f"{device} has 1 MiB, the image {size >> 20} MiB")
    with Loop(path, size + (1 << 20)) as device:
        expect(write_disk(image, device, "y\n"), 1, "Everything on it will be lost", "nothing was written")
        if any(content(path)):
            raise Failed("it was written without a yes")
        expect(write_disk(image, device, "yes\n"), 0, "verified")
    if content(path)[:size] != content(image):
        raise Failed("the disk does not hold the image")
    with context.box(boot=firmware.disk(path, "sata"), machine="pc", memory="256M") as box:
        box["hello"].expect(HELLO)
