# SPDX-License-Identifier: BSD-2-Clause
"""The conformance guests of tests/guests: each in a partition of its own, beside a
Linux that must notice nothing."""

import glob
import os

from box import EXACT
from plans import PAIR, REPOSITORY, linux, pair
from suite import test


# How late a deadline comes is the host's doing otherwise.
TIMED = ("timers",)


def conformance(context, guest):
    elf = os.path.join(context.build, "guests", f"{guest}.elf")
    partitions = {"claim": {"type": "pv", "memory": 64, "vcpus": 2, "cpus": "0-1", "kernel": elf},
                  "linux": linux(name="linux", memory=96, cpus="0-1")}
    with context.start(partitions, cpus=2, memory="512M", extra=EXACT if guest in TIMED else ()) as box:
        box["claim"].expect(rf"^PASS {guest}\b", never=[rf"^FAIL {guest}"])
        box["linux"].expect(r"^bulkhead-ramdisk: ready")


for path in sorted(glob.glob(os.path.join(REPOSITORY, "tests", "guests", "*.cpp"))):
    name = os.path.basename(path)[:-4]
    test(f"guest {name}", guest=name)(conformance)


def conformance_of_two(context, guest):
    with context.start(pair(os.path.join(context.build, "guests", f"{guest}.elf")), cpus=2, memory="256M") as box:
        for role in PAIR:
            box[role].expect(rf"^PASS {guest}\b", never=[rf"^FAIL {guest}"])


for path in sorted(glob.glob(os.path.join(REPOSITORY, "tests", "guests", "pairs", "*.cpp"))):
    name = os.path.basename(path)[:-4]
    test(f"guest {name}", guest=name)(conformance_of_two)


@test("a CPU that leaks: the conformance guests and a Linux of two vCPUs on tables without the core")
def leaky(context):
    partitions = {name: {"type": "pv", "memory": 32, "vcpus": 2, "cpus": "0-1",
                         "kernel": os.path.join(context.build, "guests", f"{name}.elf")}
                  for name in ("page_tables", "traps", "user_mode", "smp", "compat_mode", "descriptors", "entry_corners")}
    partitions["linux"] = linux(name="linux", memory=128, vcpus=2, cpus="0-1",
                                run="stress processes copy-on-write shootdown signals userland")
    with context.start(partitions, cpus=2, memory="512M", cpu="max,-smap,vendor=GenuineIntel") as box:
        box["core"].expect(r"^against them: on: .*page tables without the core \(Meltdown\), .*\(L1TF\)")
        for name in partitions:
            if name != "linux":
                box[name].expect(rf"^PASS {name}\b", never=[rf"^FAIL {name}"])
        box["linux"].expect(r"^stress: \d+ passed, 0 failed", never=[r"^stress: failed"])
        # In its next life a vCPU has tables of its own as well.
        box.monitor()
        for name in ("smp", "user_mode"):
            box.command(f"part {name} start")
        box.send("quit\r")
        for name in ("smp", "user_mode"):
            box[name].expect(rf"^PASS {name}\b", never=[rf"^FAIL {name}"])
