# SPDX-License-Identifier: BSD-2-Clause
"""The hardware fuzzing guest of tests/fuzz/guest: random instructions in every mode of the CPU, beside a PV partition and a
hardware partition on the same CPU that check themselves throughout."""

import os
import re
import signal

from box import Failed
from suite import test

# After ten crashes in a minute the core waits for the operator.
TIRED = r"fuzz: .*until it is started by hand"
# What QEMU says before it ends for want of an implementation.
OWN_ENDS = ["qemu: fatal: invalid tss"]
PATIENT = {"guard": 900, "silence": 600}
# What says that a partition beside it is damaged, and that it is not.
WATCHERS = {"soft": (r"^FAIL fuzz_bystander.*", r"^fuzz_bystander: \d+ rounds intact"),
            "hard": (r"^(FAIL|wrong).*", r"^fuzz_hardware_bystander: \S+ rounds intact")}


def fuzz_hardware(context, start, operations, ends_most=3, **options):
    """QEMU 7.2's own ends are no verdict on the core: another box does the rest. They are a segmentation fault, and what
    OWN_ENDS names. Anything else is a verdict."""
    done = 0
    while done < operations:
        boxes = []
        try:
            done += run_hardware(context, start, operations - done, boxes, **options)
        except Failed:
            text = boxes[0].terminal.text if boxes else ""
            ended = boxes and boxes[0].ended and start == "start"
            by_itself = ended and (boxes[0].qemu.wait(10) == -signal.SIGSEGV or any(words in text for words in OWN_ENDS))
            if not by_itself or ends_most == 0:
                raise
            ends_most -= 1
            done += hardware_operations(boxes[0])


def hardware_operations(box):
    """A life that random instructions have ended counts as what it had told and one operation more."""
    lives = box["fuzz"].text.split("fuzz_hardware: seed=")[1:]
    told = [max([0, *map(int, re.findall(r"^fuzz_hardware: (\d+) operations", life, re.M))]) for life in lives]
    return sum(told) + max(0, len(lives) - 1)


def run_hardware(context, start, operations, boxes, **options):
    def guest(name, **properties):
        return {"memory": 8, "vcpus": 1, "cpus": "0", "kernel": os.path.join(context.build, "guests", f"{name}.elf"),
                "on_crash": "preserve", **properties}

    beside = {"soft": guest("fuzz_bystander", type="pv", memory=32, priority=20),
              "hard": guest("fuzz_hardware_bystander", type="pvh", priority=20)}
    partitions = {"fuzz": guest("fuzz_hardware", type="pvh", vcpus=2, cpus="0-1", cmdline=f"operations={operations}",
                                priority=10, on_crash="restart", on_poweroff="restart", on_reboot="restart",
                                on_watchdog="restart"),
                  **beside}
    with getattr(context, start)(partitions, cpus=2, **options) as box:
        boxes.append(box)
        started, told = 0, 0
        while hardware_operations(box) < operations:
            box.wait_until(lambda: len(box["fuzz"].text) != told or box["core"].count(TIRED) > started,
                           lambda: "the fuzzing guest is silent", **PATIENT)
            told = len(box["fuzz"].text)
            box.require_one_start()
            if box["core"].count(TIRED) > started:
                started += 1
                box.monitor()
                box.command("part fuzz start")
                box.send("quit\r")
            for name, (damage, _) in WATCHERS.items():
                if seen := box[name].seen(damage):
                    raise Failed(f"{name} has noticed: {seen.group(0)}")
        for name, (damage, intact) in WATCHERS.items():
            # Once more from now on.
            box[name].cursor = len(box[name].text)
            box[name].expect(intact, never=[damage], **PATIENT)
        return hardware_operations(box)


test("random instructions in every mode, AMD-V", start="start", operations=3_000, memory="512M")(fuzz_hardware)
test("random instructions in every mode, 300 thousand, AMD-V", full=True, start="start", operations=300_000,
     memory="512M")(fuzz_hardware)
test("random instructions in every mode, VT-x", full=True, start="start_bochs", operations=5_000,
     memory=512)(fuzz_hardware)
