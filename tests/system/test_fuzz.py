# SPDX-License-Identifier: BSD-2-Clause
"""The fuzzing guest of tests/fuzz/guest, beside a partition on the same CPUs that checks itself throughout."""

import os
import signal

from box import Failed
from suite import test

# A life that the core ended has said how far it was, at most so many operations ago.
LIFE = r"^fuzz_guest: seed=(\d+)"
PROGRESS = r"^fuzz_guest: (\d+) operations"
LIVES_MOST = 1000


# What the command of a checked core says.
CHECKS = r"operations, (\d+) checks"


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


def run(context, operations, boxes, seed=None, guard=300, check_every=0, **options):
    """check_every: on the core that checks itself, so often."""
    def guest(name, **properties):
        return {"type": "pv", "memory": 32, "kernel": os.path.join(context.build, "guests", f"{name}.elf"), **properties}

    words = f"operations={operations}" + (f" seed={seed}" if seed else "")
    partitions = {"fuzz": guest("fuzz_guest", vcpus=2, cpus="0-1", cmdline=words, priority=10, on_crash="restart",
                                on_poweroff="restart", on_reboot="restart", on_watchdog="restart"),
                  **{f"watcher{i}": guest("fuzz_bystander", vcpus=1, cpus=str(i), priority=20, on_crash="preserve",
                                          on_poweroff="preserve") for i in range(2)}}
    plan = {"options": ("--core", os.path.join(context.build, "checked", "core.elf"))} if check_every else {}
    with context.start(partitions, cpus=2, memory="512M", plan=plan, **options) as box:
        boxes.append(box)
        if check_every:
            box.monitor()
            box.command(f"check {check_every}", CHECKS)
            box.send("quit\r")
        done, lives = 0, 0
        never = [r"^FAIL fuzz_guest.*"]
        while done < operations:
            box["fuzz"].expect(LIFE, never=never, guard=guard, silence=guard)
            lives += 1
            if lives > LIVES_MOST:
                raise Failed(f"{lives} lives, and only {done} operations")
            life = 0
            while life < operations:
                match = box["fuzz"].expect(PROGRESS + r"|" + LIFE, never=never, guard=guard, silence=guard)
                if match.group(1) is None:
                    box["fuzz"].cursor = match.start()
                    break
                life = int(match.group(1))
                if done + life >= operations:
                    break
            done += life
        for i in range(2):
            box[f"watcher{i}"].expect(r"^fuzz_bystander: \d+ rounds intact", never=[r"^FAIL fuzz_bystander.*"])
            # Once more from now on.
            box[f"watcher{i}"].cursor = len(box[f"watcher{i}"].text)
            box[f"watcher{i}"].expect(r"^fuzz_bystander: \d+ rounds intact", never=[r"^FAIL fuzz_bystander.*"])
            if box[f"watcher{i}"].seen(r"^FAIL"):
                raise Failed(f"watcher{i} has noticed")
        if check_every:
            box.monitor()
            checks = int(box.command("check", CHECKS).group(1))
            if checks < operations // check_every // 2:
                raise Failed(f"only {checks} checks")


test("fuzzing guest, 40 thousand operations", operations=40_000)(fuzz)
test("fuzzing guest, ten million operations", full=True, operations=10_000_000)(fuzz)
test("fuzzing guest on a core that checks itself, 40 thousand operations", operations=40_000, check_every=64)(fuzz)
test("fuzzing guest on a core that checks itself, ten million operations", full=True, operations=10_000_000,
     check_every=4096)(fuzz)
