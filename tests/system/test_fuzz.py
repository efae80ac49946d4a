# SPDX-License-Identifier: BSD-2-Clause
"""The fuzzing guest of tests/fuzz/guest, beside a partition on the same CPUs that checks itself throughout."""

import os
import random
import re
import signal

from box import Failed
from suite import test

# QEMU counts instructions: a seed is a run, to the last of them.
EXACT = ("-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm")
LIVES_MOST = 1000
NEVER = r"^FAIL fuzz_guest.*"
# What the command of a checked core says.
CHECKS = r"operations, (\d+) checks"
# After ten crashes in a minute the core waits for the operator.
TIRED = r"^fuzz: .*until it is started by hand"


def fuzz(context, operations, attempts=4, **options):
    """QEMU 7.2 itself ends with a segmentation fault now and then under this guest. That is no verdict on the core, so
    the run is made again; whatever else happens is one."""
    for attempt in range(attempts):
        boxes = []
        try:
            return run(context, operations, boxes, **options)
        except Failed:
            if not boxes or boxes[0].qemu.wait(10) != -signal.SIGSEGV or attempt + 1 == attempts:
                raise


class Lives:
    """What the guest has told so far. A life that has ended was as far as it had said last, or further."""

    def __init__(self, box):
        told = box["fuzz"].text.split("\nfuzz_guest: seed=")[1:]
        self.count = len(told)
        self.operations = sum(max([0, *map(int, re.findall(r"^fuzz_guest: (\d+) operations", life, re.M))]) for life in told)
        self.spoilt = box["fuzz"].count(r"^fuzz_guest: lost: it has written to its own kernel")
        self.lost = box["fuzz"].count(r"^fuzz_guest: lost: ") - self.spoilt
        self.crashed = box["core"].count(r"^fuzz: crashed: ")

    def __str__(self):
        return (f"{self.operations} operations in {self.count} lives; {self.spoilt} of them had written to their own kernel, "
                f"{self.lost} were lost, {self.crashed} crashed")


def run(context, operations, boxes, seed=None, guard=300, check_every=0, exact=False, **options):
    """check_every: on the core that checks itself, so often. The seed is also that of FUZZ_SEED in the environment."""
    def guest(name, **properties):
        return {"type": "pv", "memory": 32, "kernel": os.path.join(context.build, "guests", f"{name}.elf"), **properties}

    seed = seed or int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    partitions = {"fuzz": guest("fuzz_guest", vcpus=2, cpus="0-1", cmdline=f"operations={operations} seed={seed}",
                                priority=10, on_crash="restart", on_poweroff="restart", on_reboot="restart",
                                on_watchdog="restart"),
                  **{f"watcher{i}": guest("fuzz_bystander", vcpus=1, cpus=str(i), priority=20, on_crash="preserve",
                                          on_poweroff="preserve") for i in range(2)}}
    plan = {"options": ("--core", os.path.join(context.build, "checked", "core.elf"))} if check_every else {}
    extra = EXACT if exact else ()
    with context.start(partitions, cpus=2, memory="512M", plan=plan, extra=extra, **options) as box:
        boxes.append(box)
        if check_every:
            box.monitor()
            box.command(f"check {check_every}", CHECKS)
            box.send("quit\r")
        try:
            go_on(box, operations, guard)
            note = f"seed {seed}: {Lives(box)}"
            look_at_watchers(box)
        except Failed as failure:
            raise Failed(f"{failure} (seed {seed}: {Lives(box)})") from None
        if check_every:
            box.monitor()
            checks = int(box.command("check", CHECKS).group(1))
            if checks < operations // check_every // 2:
                raise Failed(f"only {checks} checks")
        return note


def go_on(box, operations, guard):
    """Until so many operations are done, in as many lives as it takes."""
    told, started = 0, 0
    while (lives := Lives(box)).operations < operations:
        if seen := box["fuzz"].seen(NEVER):
            raise Failed(f"fuzz: came, but must not: {seen.group(0)!r}")
        if lives.count > LIVES_MOST:
            raise Failed("too many lives")
        box.require_one_start()
        box.wait_until(lambda: len(box["fuzz"].text) != told or box["core"].count(TIRED) > started,
                       lambda: "the fuzzing guest is silent", guard=guard, silence=guard)
        told = len(box["fuzz"].text)
        if box["core"].count(TIRED) > started:
            started += 1
            box.monitor()
            box.command("part fuzz start")
            box.send("quit\r")


def look_at_watchers(box):
    for i in range(2):
        watcher = box[f"watcher{i}"]
        watcher.expect(r"^fuzz_bystander: \d+ rounds intact", never=[r"^FAIL fuzz_bystander.*"])
        # Once more from now on.
        watcher.cursor = len(watcher.text)
        watcher.expect(r"^fuzz_bystander: \d+ rounds intact", never=[r"^FAIL fuzz_bystander.*"])
        if watcher.seen(r"^FAIL"):
            raise Failed(f"watcher{i} has noticed")
    box.require_one_start()


test("fuzzing guest, 40 thousand operations", operations=40_000)(fuzz)
test("fuzzing guest on a core that checks itself, 40 thousand operations", operations=40_000, check_every=64)(fuzz)
test("fuzzing guest, ten million operations", full=True, operations=10_000_000, exact=True)(fuzz)
test("fuzzing guest on a core that checks itself, ten million operations", full=True, operations=10_000_000,
     check_every=4096, exact=True)(fuzz)
test("fuzzing guest on a core that checks itself, ten million operations, leaky CPU", full=True, operations=10_000_000,
     check_every=4096, exact=True, cpu="max,-smap,vendor=GenuineIntel")(fuzz)
