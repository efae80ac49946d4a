# SPDX-License-Identifier: BSD-2-Clause
"""Runs of benchmark guests in QEMU with exact instruction counts, on Bulkhead and on Debian's Xen."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

import plans  # noqa: E402
from box import EXACT_ONCE as EXACT, Box, Failed  # noqa: E402

USUAL_CPU = "max,-smap"
LEAKY_CPU = "max,-smap,vendor=GenuineIntel"
PVH_MACHINE = ["-machine", "q35", "-device", "amd-iommu"]
XEN = os.path.join(plans.SHARED, "kernels", "xen")
FIGURE = re.compile(r"^(\w+) (\d+)$", re.M)


class Runs:
    """Where things are, and boxes started in the way of a benchmark."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.logs = os.path.join(self.build, "bench")
        self.folder = os.path.join(self.build, "bench", "images")

    def guest(self, name):
        return os.path.join(self.build, "guests", f"{name}.elf")

    def core(self):
        return os.path.join(self.build, "core.elf")

    def image(self, name, partitions, **properties):
        return plans.image(self.build, plans.plan(partitions, **properties), os.path.join(self.folder, name))

    def box(self, name, image, *, cpu=USUAL_CPU, extra=(), memory="512M"):
        return Box(image, log=os.path.join(self.logs, f"{name}.log"), cpus=1, memory=memory, cpu=cpu,
                   extra=[*EXACT, *extra])

    def boot_box(self, name, image, extra, **options):
        return Box(image, log=os.path.join(self.logs, f"{name.lower().replace(' ', '-')}.log"), cpus=1,
                   **{"memory": "256M", "cpu": USUAL_CPU, **options}, extra=[*EXACT, *extra])

    def on_bulkhead(self, guest, *, cpu=USUAL_CPU, name=None, **partition):
        """What the guest prints as the only partition: {name: number}."""
        name = name or guest
        partitions = {"bench": {"type": "pv", "memory": 64, "kernel": self.guest(guest), **partition}}
        with self.box(f"bulkhead-{name}", self.image(name, partitions), cpu=cpu) as box:
            box["bench"].expect(rf"^PASS {self.title(guest)}", never=[rf"^FAIL {self.title(guest)}"])
            return figures(box["bench"].text)

    def on_xen(self, guest, *, cpu=USUAL_CPU, name=None, pvh=False):
        """What it prints as Xen's first domain. A PVH one needs an IOMMU."""
        options = "console=com1 com1=115200,8n1 dom0_mem=128M" + (" dom0=pvh" if pvh else "")
        extra = ["-append", options, "-initrd", self.guest(guest), *(PVH_MACHINE if pvh else [])]
        with self.box(f"xen-{name or guest}", os.path.join(XEN, "xen.elf"), cpu=cpu, extra=extra) as box:
            box.terminal.expect(rf"^PASS {self.title(guest)}", never=[rf"^FAIL {self.title(guest)}"])
            return figures(box.terminal.text)

    @staticmethod
    def title(guest):
        """What the guest calls itself: loop is the same file for both kinds of partition."""
        return "loop" if guest == "hardware_loop" else guest


def figures(text):
    return {name: int(number) for name, number in FIGURE.findall(text)}


def figures_of(program, text):
    """Of lines `PROGRAM: name number`, as programs in Debian partitions print them."""
    return {name: int(number) for name, number in re.findall(rf"^{program}: (\w+) (\d+)\s*$", text, re.M)}


def xen_version():
    with open(os.path.join(XEN, "version"), encoding="utf-8") as file:
        return file.read().strip()
