# SPDX-License-Identifier: BSD-2-Clause
"""Stock kernels from power-on to their first program, on boxes of all shapes."""

import re

from box import Failed
from plans import linux
from suite import test

CLEAN = r"^stress: 1 passed, 0 failed"
READY = r"^bulkhead-ramdisk: ready kernel=(\S+) cpus=(\d+) memory=(\d+)MiB"
BROKEN = (r"Kernel panic", r"^stress: FAIL", r"^stress: .* [1-9]\d* failed")


def boot(context, flavour="cloud-amd64", vcpus=1, memory=128, machine="pc", cpus=1, box="512M", threads="single"):
    """One partition boots, finds what the plan gives it, and its kernel's log is clean."""
    guest = linux(flavour, run="stress kernel-log", name="guest", memory=memory, vcpus=vcpus,
                  cpus=f"0-{cpus - 1}" if cpus > 1 else "0")
    with context.start({"guest": guest}, machine=machine, cpus=cpus, memory=box, threads=threads) as started:
        ready = started["guest"].expect(READY, never=BROKEN)
        if not re.fullmatch(r"[\d.]+-\d+-" + flavour, ready.group(1)):
            raise Failed(f"another kernel started: {ready.group(1)}")
        if int(ready.group(2)) != vcpus:
            raise Failed(f"the kernel found {ready.group(2)} CPUs, not {vcpus}")
        if not memory * 0.3 <= int(ready.group(3)) <= memory:
            raise Failed(f"the kernel has {ready.group(3)} MiB of {memory}")
        started["guest"].expect(CLEAN, never=BROKEN)
        started["core"].expect(r"guest: powered off")


# Kernel, vCPUs, MiB, machine, CPUs of the box, memory of the box. Each value of each
# column stands beside most values of the others; the full run has the whole product.
PAIRS = [
    ("amd64", 1, 96, "pc", 1, "256M"),
    ("amd64", 2, 512, "q35", 2, "1G"),
    ("amd64", 4, 4096, "pc", 4, "8G"),
    ("cloud-amd64", 1, 4096, "q35", 8, "8G"),
    ("cloud-amd64", 2, 96, "pc", 1, "256M"),
    ("cloud-amd64", 4, 512, "q35", 4, "1G"),
    ("rt-amd64", 1, 512, "q35", 1, "1G"),
    ("rt-amd64", 2, 96, "pc", 2, "256M"),
    ("rt-amd64", 4, 1024, "q35", 8, "2G"),
]

for kernel, vcpus, memory, machine, cpus, box in PAIRS:
    test(f"boot {kernel}, {vcpus} vCPU, {memory} MiB, {machine} with {cpus} CPU and {box}", shows="boot", flavour=kernel,
         vcpus=vcpus, memory=memory, machine=machine, cpus=cpus, box=box)(boot)

for kernel in ("amd64", "cloud-amd64", "rt-amd64"):
    for vcpus in (1, 2, 4):
        for memory, box in ((96, "256M"), (512, "1G"), (4096, "8G")):
            for machine in ("pc", "q35"):
                for cpus in (1, 2, 4, 8):
                    if (kernel, vcpus, memory, machine, cpus, box) not in PAIRS:
                        test(f"boot {kernel}, {vcpus} vCPU, {memory} MiB, {machine} with {cpus} CPU and {box}",
                             full=True, shows="boot", flavour=kernel, vcpus=vcpus, memory=memory, machine=machine,
                             cpus=cpus, box=box)(boot)


@test("the banner names version, plan, CPU, memory and partitions")
def banner(context):
    guests = {"one": linux(memory=96, name="one"), "two": linux(memory=128, name="two", autostart=False)}
    with context.start(guests, plan={"model": "a plan for the banner"}, cpus=2, memory="1G") as box:
        box["core"].expect(r"Bulkhead \S+, compiled with GCC 12\S*.* started by PVH",
                           r"plan: a plan for the banner",
                           r"CPU: .*; 2 CPUs started",
                           r"virtualisation: ",
                           r"memory: \d+ MiB usable",
                           r"partition 1 one: pv, 1 vCPU on CPU 0",
                           r"partition 2 two: pv, 1 vCPU on CPU 0",
                           r"memory 0x[0-9a-f]+ to 0x[0-9a-f]+, 96 MiB")
        box["one"].expect(READY)


def several(context, cpus, pins):
    """Four partitions boot at the same time; each stays within its memory and its name."""
    names = ["north", "east", "south", "west"]
    flavours = ["amd64", "cloud-amd64", "cloud-amd64", "amd64"]
    guests = {name: linux(flavour, run="stress kernel-log userland", name=name, memory=160, cpus=pin)
              for name, flavour, pin in zip(names, flavours, pins)}
    with context.start(guests, cpus=cpus, memory="1G") as box:
        for name in names:
            box[name].expect(READY + rf" name={name}\b", never=BROKEN)
        for name in names:
            box[name].expect(r"^stress: 2 passed, 0 failed", never=BROKEN)
            box["core"].cursor = 0
            box["core"].expect(rf"{name}: powered off")


test("four partitions on one CPU", cpus=1, pins=["0", "0", "0", "0"])(several)
test("four partitions on four CPUs", cpus=4, pins=["0", "1", "2", "3"])(several)
