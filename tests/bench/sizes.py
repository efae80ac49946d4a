# SPDX-License-Identifier: BSD-2-Clause
"""How large things are: the image without guests' kernels, what of the box's memory no partition
has, and the lines of code in ring 0."""

import os
import re
import subprocess

from code_lines import report_lines

IMAGE_AT_MOST = 768 << 10
IMAGE_WITH_MACHINE_AT_MOST = 1280 << 10
RING0_LINES_AT_MOST = 15_000
HELLO_AT_MOST = 48 << 10
SWITCH_AT_MOST = 288 << 10
STORE_AT_MOST = 64 << 10
BOX_BYTES = 512 << 20


def image_bytes(folder):
    """The image's size without its payloads, as the host tool's map tells them."""
    with open(os.path.join(folder, "map.txt"), encoding="utf-8") as file:
        text = file.read()
    first, end = re.search(r"^  0x(\w+) +0x(\w+) +.* payloads?$", text, re.M).groups()
    return os.path.getsize(os.path.join(folder, "bulkhead.elf")) - (int(end, 16) - int(first, 16))


def elf_bytes(programs, name):
    return os.path.getsize(os.path.join(programs, f"{name}.elf"))


def read_only_bytes(program):
    listing = subprocess.run(["size", "-A", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    sections = dict(re.findall(r"^(\.\S+)\s+(\d+)", listing, re.M))
    return int(sections[".text"]) + int(sections[".rodata"])


def held_outside(runs):
    """Of a box of 512 MiB with one partition: (bytes that are neither the partition's nor free,
    bytes that the image's payloads take of them, the partition's bytes)."""
    partition_bytes = 64 << 20
    image = runs.image("sizes", {"guest": {"type": "pv", "memory": 64, "kernel": runs.guest("turns")}})
    with runs.box("bulkhead-sizes", image) as box:
        box["core"].expect(r"^guest: runs")
        box.monitor()
        match = box.command("mem", r"of tables, taken at start; ([\d.]+) (KiB|MiB|GiB) are nobody's")
    free = float(match.group(1)) * {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[match.group(2)]
    return BOX_BYTES - partition_bytes - int(free), os.path.dirname(image), partition_bytes


def report_sizes(report, runs):
    held, folder, partition_bytes = held_outside(runs)
    report.head("Sizes")
    report.row("memory outside partitions, bytes", held, (8 << 20) + partition_bytes * 6 // 1000)
    programs = os.path.join(runs.build, "pvdrivers")
    report.row("hello.elf, bytes", elf_bytes(programs, "hello"), HELLO_AT_MOST)
    report.row("store, code and read-only data, bytes", read_only_bytes(os.path.join(programs, "store.debug")), STORE_AT_MOST)
    report.row("switch, code and read-only data, bytes", read_only_bytes(os.path.join(programs, "switch.debug")),
               SWITCH_AT_MOST)
    image = image_bytes(folder) + sum(elf_bytes(programs, name) for name in ("store", "switch"))
    report.row("image, store and switch, bytes", image, IMAGE_AT_MOST)
    report.row("with the machine service, bytes", image + elf_bytes(programs, "machine"), IMAGE_WITH_MACHINE_AT_MOST)
    report_lines(report, RING0_LINES_AT_MOST)
