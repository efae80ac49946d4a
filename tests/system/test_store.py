# SPDX-License-Identifier: BSD-2-Clause
"""The store, used by Debian's own tools and kernel, and killed under them."""

import os
import random
import time

from box import Failed
from plans import SHARED, linux
from suite import test

# A guest's second is 31 million instructions: the time after which crashes are forgotten passes fast.
HASTY = ["-icount", "shift=5,sleep=off", "-rtc", "base=2024-01-01,clock=vm"]
# Three crashes in ten seconds would mean that the region is to blame, eleven in a minute that it is hopeless.
PACE_MS = 6200
READY = r"^bulkhead-ramdisk: ready"


def client(name, run, **properties):
    return linux(name=name, memory=96, run=run, store="default", **properties)


@test("Debian's xenstore tools work in a partition")
def tools(context):
    commands = ("xenstore-read name domid; xenstore-list device; xenstore-write data/a one data/b two; "
                "xenstore-read data/a data/b; xenstore-rm data/a; xenstore-exists data/a || echo gone; "
                "xenstore-chmod data/b n1 r2; xenstore-ls -p data; xenstore-ls -f /local/domain/1; xenstore-ls | head -n 3; "
                "xenstore-read /local/domain/2/name || echo refused; xenstore-write /local/domain/2/x y || echo refused too; "
                "cat /sys/devices/system/cpu/online")
    with context.start({"one": client("one", commands), "two": client("two", "sleep 1000")}, cpus=2, memory="512M") as box:
        box["one"].expect(READY, r"^one\s+1\s", r"^one\s+two\s", r"^gone", r'^b = "two"\s+\(n1,r2\)',
                          r'^/local/domain/1/cpu/0/availability = "online"', r'^/local/domain/1/memory/target = "98304"',
                          r"^refused\s", r"^refused too", r'^local = ""', r"bh.run ended with status 0")
    # Where there is nobody else's home to be refused, the whole tree is shown.
    with context.start({"one": client("one", "xenstore-ls > /tmp/all && grep -q availability /tmp/all && echo whole")},
                       cpus=1, memory="512M") as box:
        box["one"].expect(READY, r"^whole")


# Uses the store for ever, and says so whenever something is not as it was.
USER = ("xenstore-watch data/n > /tmp/events & n=0; while :; do n=$((n+1)); "
        "[ $(xenstore-read name) = NAME ] || echo BROKEN name; "
        "xenstore-write data/n $n data/long 0123456789012345678901234567890123456789012345678901234567890123456789 "
        "|| echo BROKEN write; "
        "[ $(xenstore-read data/n) = $n ] || echo BROKEN read; "
        "[ $((n % 5)) = 0 ] && echo round $n events $(wc -l < /tmp/events); done")
ROUND = r"^round \d+ events [1-9]\d*"


@test("a store that is killed again and again is not noticed by those who use it")
def killed(context):
    guests = {name: client(name, USER.replace("NAME", name)) for name in ("one", "two")}
    guests["clock"] = linux(name="clock", memory=96, run="while :; do sleep 1; echo second; done")
    with context.start(guests, cpus=2, memory="512M") as box:
        for name in ("one", "two"):
            box[name].expect(READY, ROUND)
        for life in range(2, 5):
            box.monitor()
            box.command("part store kill", r"store: ")
            box.key("0")
            box["core"].expect(rf"store: runs \(life {life}\b")
            for name in ("one", "two"):
                rounds = box[name].count(ROUND) + 2
                box.wait_until(lambda name=name, rounds=rounds: box[name].count(ROUND) >= rounds,
                               lambda name=name: f"{name} does not go on")
            # Three crashes in ten seconds would mean that the region is to blame.
            seconds = box["clock"].count(r"^second") + 6
            box.wait_until(lambda seconds=seconds: box["clock"].count(r"^second") >= seconds, lambda: "no clock")
        for name in ("one", "two"):
            if box[name].seen(r"^BROKEN"):
                raise Failed(f"{name} noticed")
        box.monitor()
        box.command("parts", r"1  one\s+running\s+1\s+\d\s+96 MiB\s+1\s")


def killed_anywhere(context, kills, seed):
    """A program keeps the store busy and checks all that it gets; the store is killed wherever it is."""
    chance = random.Random(seed)
    worker = {"type": "pv", "memory": 8, "vcpus": 1, "cpus": "0", "store": "default",
              "kernel": os.path.join(context.build, "tests", "programs", "store_worker.elf")}
    progress = r"^\d+ rounds, (\d+) ms"
    with context.start({"worker": worker}, memory="128M", cpus=1, extra=HASTY) as box:
        def wait_until_ms(least):
            while int(box["worker"].expect(progress, never=[r"^FAIL"]).group(1)) < least:
                pass
        for life in range(2, kills + 2):
            wait_until_ms((life - 1) * PACE_MS)
            time.sleep(chance.uniform(0, 0.02))
            box.monitor()
            box.command("part store kill", r"store: ")
            box.key("0")
            box["core"].expect(rf"store: runs \(life {life}\b", never=[r"the region is made anew", r"^worker: (?!runs \(life 1)"])
        wait_until_ms((kills + 1) * PACE_MS)
        box.monitor()
        box.command("parts", r"1  worker\s+running\s+1\s")


test("a store that is killed at any instruction loses nothing", kills=5, seed=1)(killed_anywhere)
test("a store that is killed at any of 150 instructions loses nothing", full=True, kills=150, seed=2)(killed_anywhere)


PEERS = {"xenstored": "xenstored -N", "oxenstored": "oxenstored --no-fork --config-file=/etc/oxenstored.conf"}
# oxenstored 4.17 has no directories in parts, and finds no node where a special name is no path.
OF_ITS_OWN = {"xenstored": set(),
              "oxenstored": {"special", "directory in parts", "part of nothing", "part without a place"}}


def probed(text):
    """Answers and events, in their order, of what store-probe has printed."""
    return [line[len("probe: "):] for line in text.replace("\r", "").splitlines() if line.startswith("probe: ")]


def own_answers(context, ramdisk):
    guest = {**linux("amd64", name="one", memory=128, run="store-probe 1", store="default"), "ramdisk": ramdisk}
    with context.start({"one": guest}, cpus=1, memory="256M") as box:
        box["one"].expect(r"^probe: finished", guard=300)
        return probed(box["one"].text)


def answers_of(context, ramdisk, command):
    kernel = os.path.join(SHARED, "kernels", "amd64", "vmlinuz")
    arguments = ["-append", "console=com1 com1=115200,8n1 dom0_mem=256M noreboot", "-no-reboot",
                 "-initrd", f'{kernel} console=hvc0 bh.run="store-peer {command}",{ramdisk}']
    with context.box(os.path.join(SHARED, "kernels", "xen", "xen.elf"), cpus=1, memory="768M", extra=arguments) as box:
        box.terminal.expect(r"^probe: finished", guard=300)
        return probed(box.terminal.text)


@test("the store answers as Debian's stores do", full=True)
def as_debians(context):
    ramdisk = os.path.join(SHARED, "ramdisk", "store-peer.cpio.gz")
    ours = own_answers(context, ramdisk)
    for name, command in PEERS.items():
        theirs = answers_of(context, ramdisk, command)
        different = [f"{name}: {their!r}, ours: {our!r}" for our, their in zip(ours, theirs, strict=True)
                     if our != their and our.split(":")[0] not in OF_ITS_OWN[name]]
        if different:
            raise Failed("\n".join(different))
