# SPDX-License-Identifier: BSD-2-Clause
"""What a start takes from the firmware's hand-over to the core's first line (plugin/boot_time.cpp)."""

import os
import re
import subprocess

import firmware
import plans
from core_time import symbol

LOADERS = {"BIOS disk": "bios", "ROM": "rom", "UEFI": "uefi"}
SIGNATURE_BYTES = 24
HASHING = ("SHA256_Transform", "crypto_hash_sha256_update.part.0", "SHA512_Transform")
SIGNATURE = ("fe25519_mul", "fe25519_sq", "fe25519_sq2", "fe25519_sub", "fe25519_add")       # where nearly all of it goes
# Waits until enough time has passed to know the TSC's rate; under icount that is instructions.
CALIBRATION = ("bulkhead::finish_clock_calibration", "bulkhead::(anonymous namespace)::take_sample",
               "bulkhead::ReferenceClock::read", "bulkhead::read_timer_count")


def code_of(elf):
    """[(address, offset, bytes)] of what is executed."""
    listing = subprocess.run(["readelf", "-lW", elf], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [(int(address, 16), int(offset, 16), int(size, 16)) for offset, address, size in
            re.findall(r"^  LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x\w+ R.?E ", listing.replace("R E", "R-E"), re.M)]


def entry_of(elf):
    listing = subprocess.run(["readelf", "-hW", elf], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(re.search(r"Entry point address: +0x(\w+)", listing).group(1), 16)


def first_bytes(elf, address):
    for start, offset, size in code_of(elf):
        if start <= address < start + size:
            with open(elf, "rb") as file:
                file.seek(offset + address - start)
                return file.read(SIGNATURE_BYTES).hex()
    raise ValueError(f"{elf} has no code at {address:#x}")


def span(elf, name, function):
    first, size = symbol(elf, function)
    return f"span={name}:{first:x}:{first + size:x}"


def loader_words(build, name):
    elf = os.path.join(build, "loader", LOADERS[name] + ".elf")
    start = entry_of(elf)
    words = [f"loader={address:x}:{address + size:x}:{start:x}" for address, _, size in code_of(elf)]
    words += [*(span(elf, "hash", function) for function in HASHING), *(span(elf, "sign", function) for function in SIGNATURE),
              *(span(elf, "copy", function) for function in ("memcpy", "memmove", "memset")),
              f"span=copy:{symbol(elf, 'enter_core_begin')[0]:x}:{symbol(elf, 'enter_core_end')[0]:x}"]
    return words + ([f"begins={first_bytes(elf, start)}"] if name == "UEFI" else [])


def start_from(runs, name, image):
    """(image for QEMU or None, arguments of the box)"""
    if name not in LOADERS:
        return image, {}
    folder = os.path.dirname(image)
    plans.firmware_images(runs.build, image, folder, "--flash-mib", 4)
    if name == "ROM":
        return None, {"boot": ["-drive", f"if=pflash,format=raw,file={os.path.join(folder, 'bulkhead.rom')}"]}
    if name == "UEFI":
        disk = firmware.efi_disk(folder, os.path.join(folder, "bulkhead.efi"))
        return None, {"machine": "q35,smm=on", "boot": [*firmware.ovmf(folder), *firmware.disk(disk, "virtio")]}
    return None, {"boot": firmware.disk(os.path.join(folder, "disk.img"), "ide")}


def measure(runs, name):
    """{total, hash, sign, copy, wait: instructions; bytes: how many are hashed}"""
    report = os.path.join(runs.logs, f"boot-{name.lower().replace(' ', '-')}.txt")
    core = runs.core()
    entry = "elf_entry" if name in LOADERS else "pvh_entry"
    words = [os.path.join(runs.build, "bench", "boot_time.so"), f"report={report}", f"entry={symbol(core, entry)[0]:x}",
             f"until={symbol(core, 'bulkhead::log')[0]:x}", span(core, "copy", "memcpy"), span(core, "copy", "memset"),
             *(span(core, "wait", function) for function in CALIBRATION)]
    if name in LOADERS:
        words += loader_words(runs.build, name)
    made = runs.image("firmware", {"guest": {"type": "pv", "memory": 16, "kernel": runs.guest("turns")}})
    image, options = start_from(runs, name, made)
    with runs.boot_box(f"boot-{name}", image, ["-plugin", ",".join(words)], **options) as box:
        box["core"].expect(r"guest: runs")
    with open(report, encoding="utf-8") as file:
        total, *spans = re.search(r"^first_line (.*)$", file.read(), re.M).group(1).split()
    slot = os.path.join(os.path.dirname(made), "slot.img")
    took = {"total": int(total), "hash": 0, "sign": 0, "copy": 0, "wait": 0, "bytes": os.path.getsize(slot) if name in LOADERS else 0}
    for each in spans:
        key, value = each.split("=")
        took[key] += int(value)
    return took
