# SPDX-License-Identifier: BSD-2-Clause
"""Services, and what they do for partitions: the store, shared memory, restarts that clients do
not notice."""

import os
import subprocess

from box import Failed
from plans import kernel, linux, ramdisk
from suite import test

READY = r"^bulkhead-ramdisk: ready"


def program(context, name):
    return os.path.join(context.build, "pvdrivers", f"{name}.elf")


def little_endian(text):
    return int.from_bytes(bytes.fromhex(text), "little")


@test("a Linux program reads the process image that a control loop shares, at each ring of its bell")
def shared_memory(context):
    partitions = {
        "plc": {"type": "pv", "memory": 8, "cpus": "1", "priority": 20, "kernel": program(context, "plc")},
        "linux": linux(name="linux", memory=128, cpus="0", then="shell", store="default",
                       run="insmod /lib/modules/xen-evtchn.ko; insmod /lib/modules/xen-gntdev.ko; "
                           "shared-memory process-image wait 3; shared-memory process-image write x"),
    }
    shared = {"process-image": {"size": 4096, "writer": "plc", "readers": "linux"}}
    with context.start(partitions, plan={"shared-memory": shared}, cpus=2, memory="512M") as box:
        box["plc"].expect("process image in shared memory")
        box["linux"].expect(r"process-image: 4096 bytes, may be read; grant 8 and port 1 of domain 0")
        cycles = []
        for _ in range(3):
            line = box["linux"].expect(r"process-image: ([0-9a-f]{16}) ([0-9a-f]{16}) ")
            cycles.append(little_endian(line.group(2)))
        if not cycles[0] < cycles[1] < cycles[2]:
            raise Failed(f"the control loop's cycles do not go on: {cycles}")
        box["linux"].expect(r"shared-memory: writing: Permission denied")


@test("three kills in ten seconds clear the store's region and restart its clients, and only them")
def region_given_up(context):
    partitions = {"client": linux(name="client", memory=96, store="default"),
                  "other": linux(name="other", memory=96, store="none")}
    with context.start(partitions, cpus=2, memory="512M") as box:
        box["client"].expect(READY)
        box["other"].expect(READY)
        box.monitor()
        kills = box.kill_until_given_up("store")
        box["core"].expect(r"client: runs \(life 2\b", never=[r"other: runs \(life 2\b"])
        box.command("part store", rf"lives\s+{kills + 1} starts, .* {kills} crashes")


@test("GRUB's Xen platform, as the kernel of a partition, boots Debian's from its memdisk")
def grub(context):
    os.makedirs(context.folder, exist_ok=True)
    config = os.path.join(context.folder, "grub.cfg")
    with open(config, "w", encoding="utf-8") as file:
        file.write("insmod xzio\nlinux (memdisk)/vmlinuz console=hvc0 bh.name=booted\n"
                   "initrd (memdisk)/initrd\nboot\n")
    image = os.path.join(context.folder, "grub.elf")
    # GRUB unpacks xz, which the cloud kernel is not packed with.
    subprocess.run(["grub-mkstandalone", "-O", "x86_64-xen", "-o", image, f"boot/grub/grub.cfg={config}",
                    f"vmlinuz={kernel('amd64')}", f"initrd={ramdisk('amd64')}"], check=True, timeout=120)
    partitions = {"grub": {"type": "pv", "memory": 320, "cpus": "0", "kernel": image, "store": "default"}}
    with context.start(partitions, cpus=2, memory="512M") as box:
        box["grub"].expect(r"Welcome to GRUB!", never=[r"^error:"])
        box["grub"].expect(READY + r" .*name=booted", guard=120)
