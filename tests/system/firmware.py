# SPDX-License-Identifier: BSD-2-Clause
"""Boxes that start from firmware: QEMU's arguments for each, and what is changed in images."""

import os
import shutil
import struct
import subprocess

import plans

OVMF = "/usr/share/OVMF"
SNAKEOIL = "/usr/share/ovmf/PkKek-1-snakeoil"
SECTOR = 512
SLOT_TYPE = bytes.fromhex("571b5b6cfd5f2b4b9d1c8f2d2ad02c01")
STATE_TYPE = bytes.fromhex("571b5b6cfd5f2b4b9d1c8f2d2ad02c02")


def hello_images(context, *options, folder=None, **partitions):
    """The folder with all images of a plan with one small partition."""
    guests = partitions or {"hello": plans.conformance_guest(context.build, "hello")}
    elf = context.image(guests)
    folder = folder or context.folder
    plans.firmware_images(context.build, elf, folder, *options)
    return folder


def disk(image, kind):
    """The image as a disk of some kind."""
    drive = ["-drive", f"file={image},format=raw,if=none,id=disk"]
    if kind == "usb":
        return [*drive, "-device", "qemu-xhci", "-device", "usb-storage,drive=disk,bootindex=0"]
    if kind == "sata":
        return [*drive, "-device", "ahci,id=ahci", "-device", "ide-hd,drive=disk,bus=ahci.0,bootindex=0"]
    if kind == "ide":
        return [*drive, "-device", "ide-hd,drive=disk,bus=ide.0,bootindex=0"]
    return [*drive, "-device", "virtio-blk-pci,drive=disk,bootindex=0"]


def ovmf(folder, secure=False):
    """OVMF as flash, with variables of its own; `secure`: Debian's test key is enrolled."""
    name = "OVMF_CODE_4M.secboot.fd" if secure else "OVMF_CODE_4M.fd"
    variables = os.path.join(folder, "variables.fd")
    source = "OVMF_VARS_4M.snakeoil.fd" if secure else "OVMF_VARS_4M.fd"
    shutil.copy(os.path.join(OVMF, source), variables)
    return ["-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/{name}",
            "-drive", f"if=pflash,format=raw,file={variables}"]


def efi_disk(folder, application):
    """A disk with this UEFI application at the removable-media path, made with mtools."""
    image = os.path.join(folder, "efi-disk.img")
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    for command in (["mformat", "-i", image, "-F", "::"], ["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"],
                    ["mcopy", "-i", image, application, "::/EFI/BOOT/BOOTX64.EFI"]):
        subprocess.run(command, check=True, capture_output=True)
    return image


def sign(folder, application):
    """The application signed by the key that Debian's OVMF knows in its test configuration."""
    key = os.path.join(folder, "snakeoil.key")
    subprocess.run(["openssl", "rsa", "-in", SNAKEOIL + ".key", "-passin", "pass:snakeoil", "-out", key],
                   check=True, capture_output=True)
    signed = application + ".signed"
    subprocess.run(["sbsign", "--key", key, "--cert", SNAKEOIL + ".pem", "--output", signed, application],
                   check=True, capture_output=True)
    return signed


def partitions(image, kind):
    """(first byte, bytes) of the partitions of a type, from a disk image's GPT."""
    with open(image, "rb") as file:
        file.seek(2 * SECTOR)
        table = file.read(128 * 128)
    found = []
    for at in range(0, len(table), 128):
        if table[at:at + 16] == kind:
            first, last = struct.unpack_from("<QQ", table, at + 32)
            found.append((first * SECTOR, (last - first + 1) * SECTOR))
    return found


def write_at(path, offset, content):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def read_at(path, offset, count):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(count)


def coreboot_tables(mib):
    """coreboot's tables for a box of so much memory, as they are below the first page."""
    ranges = [(0, 0x1000, 16), (0x1000, 0x9f000, 1), (0xa0000, 0x60000, 2), (0x100000, (mib - 1) << 20, 1)]
    memory = b"".join(struct.pack("<QQI", *entry) for entry in ranges)
    records = struct.pack("<II", 1, 8 + len(memory)) + memory + struct.pack("<II8s", 4, 16, b"4.15")

    def checksum(data):
        total = 0
        for (word,) in struct.iter_unpack("<H", data):
            total += word
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff

    def header(own):
        return struct.pack("<4sIIIII", b"LBIO", 24, own, len(records), checksum(records), 2)
    return header(checksum(header(0))) + records


def through_cbfstool(folder, payload):
    """The payload as coreboot's tools took it and gave it back: in a ROM, compressed."""
    rom, back = os.path.join(folder, "coreboot.rom"), os.path.join(folder, "payload-from-cbfs.elf")
    for command in (["create", "-m", "x86", "-s", "2M"],
                    ["add-payload", "-f", payload, "-n", "fallback/payload", "-c", "lzma"],
                    ["extract", "-m", "x86", "-n", "fallback/payload", "-f", back]):
        subprocess.run(["cbfstool", rom, *command], check=True, capture_output=True)
    return back


def coreboot(folder, payload, mib):
    """A box whose coreboot has put the payload and its tables into memory and now enters it."""
    with open(payload, "rb") as file:
        start = file.read(64)
    entry = struct.unpack_from("<Q" if start[4] == 2 else "<I", start, 24)[0]
    stage, tables = os.path.join(folder, "stage.bin"), os.path.join(folder, "tables.bin")
    source = os.path.join(os.path.dirname(__file__), "coreboot_stage.S")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-Wl,-Ttext=0xffff0000,--oformat=binary,--build-id=none",
                    f"-DENTRY={entry}", "-o", stage, source], check=True, capture_output=True)
    with open(tables, "wb") as file:
        file.write(coreboot_tables(mib))
    return ["-bios", stage, "-device", f"loader,file={payload}", "-device", f"loader,file={tables},addr=0x500"]
