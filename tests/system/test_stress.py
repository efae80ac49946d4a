# SPDX-License-Identifier: BSD-2-Clause
"""The stress tests of the RAM disk, in partitions. tests/ramdisk/ says what they are."""

from box import Failed
from plans import linux
from suite import test

NEVER = (r"Kernel panic", r"^stress: FAIL", r"^stress: .* [1-9]\d* failed")


def stress(context, flavour, vcpus, memory, cpus, machine="pc", threads="single"):
    guest = linux(flavour, run="stress", name="guest", memory=memory, vcpus=vcpus, cpus=f"0-{cpus - 1}")
    with context.start({"guest": guest}, machine=machine, cpus=cpus, memory="1G", threads=threads) as box:
        box["guest"].expect(r"^stress: covered", never=NEVER, guard=1500, silence=300)
        box["guest"].expect(r"^stress: \d+ passed, 0 failed", never=NEVER)


test("stress amd64, 2 vCPU, both run at once", shows="boot stress", flavour="amd64", vcpus=2, memory=256, cpus=2,
     threads="multi", host_cpus=2)(stress)
test("stress cloud-amd64, 1 vCPU, 128 MiB", shows="boot stress", flavour="cloud-amd64", vcpus=1, memory=128, cpus=1,
     machine="q35")(stress)
# Under PREEMPT_RT the kernel has faults of its own, one of which the core works around: docs/guests.md.
test("stress rt-amd64, 4 vCPU", shows="boot stress", flavour="rt-amd64", vcpus=4, memory=256, cpus=4)(stress)
for kernel in ("amd64", "cloud-amd64", "rt-amd64"):
    for count in (1, 2, 4):
        test(f"stress {kernel}, {count} vCPU, full", full=True, shows="boot stress", flavour=kernel, vcpus=count,
             memory=192, cpus=count)(stress)
test("stress amd64, 4 vCPU on 2 CPU", full=True, shows="boot stress", flavour="amd64", vcpus=4, memory=256, cpus=2)(stress)


@test("a partition that computes all the time does not slow one of higher priority")
def priority(context):
    """Both on one CPU; the lower one never sleeps. The monitor knows how long each waited."""
    work = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"
    guests = {"upper": linux(run=f"{work}; echo upper-done", then="shell", name="upper", memory=96, priority=20),
              "lower": linux(run="while :; do :; done", name="lower", memory=96, priority=10)}
    with context.start(guests, cpus=1, memory="512M") as box:
        box["upper"].expect(r"^upper-done", guard=900, silence=300)
        box.monitor()
        row = box.command("sched", r"20  upper +0  .*? ([\d.]+) (us|ms|s) +([\d.]+) (us|ms|s) ")
        scale = {"us": 1e-6, "ms": 1e-3, "s": 1}
        ran, waited = (float(row.group(i)) * scale[row.group(i + 1)] for i in (1, 3))
        if waited > ran / 10:
            raise Failed(f"upper ran {ran} s and waited {waited} s: {row.group(0)}")
