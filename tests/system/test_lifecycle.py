# SPDX-License-Identifier: BSD-2-Clause
"""How partitions end, and what becomes of them."""

from box import Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"
CRASH = "echo c > /proc/sysrq-trigger"


def neighbour():
    """A partition that must notice nothing."""
    return linux(name="neighbour", memory=96, cpus="1", run="while :; do usleep 200000; echo tick; done")


def unharmed(box):
    box["neighbour"].expect(r"^tick\n+tick")


@test("a partition that powers off stays down, and the monitor starts it again")
def poweroff_destroy(context):
    guests = {"guest": linux(name="guest", memory=96, run="echo working", on_poweroff="destroy"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["guest"].expect(READY)
        box["guest"].expect(r"^working")
        box["core"].expect(r"guest: powered off; it stays down, as on_poweroff says")
        unharmed(box)
        box.monitor()
        box.command("parts", r"1  guest\s+(stopped|off|down|destroyed|shut)")
        box.command("part guest start", r"guest: will start")
        box.key("0")
        box["guest"].expect(READY)


@test("a partition that reboots starts again, time after time, with its log kept", shows="boot reboot")
def reboot_restart(context):
    guests = {"guest": linux(name="guest", memory=96, run="dmesg | head -n 1; sleep 0.1", then="reboot",
                             on_reboot="restart"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        for life in range(2, 6):
            box["guest"].expect(READY)
            box["core"].expect(rf"guest: asked for a reboot; restarting as on_reboot says \(life {life}\)")
        unharmed(box)
        box.monitor()
        # The log shows each line behind its time, and goes on over the end of a life.
        box.command("part guest log", r"bulkhead-ramdisk: ready[^$]*---- life \d+ ----")
        box.command("part guest info", r"lives\s+\d+ starts, 0 power-offs, \d+ reboots, 0 crashes")


@test("a partition that crashes is restarted from its image")
def crash_restart(context):
    # A file in memory would betray memory that was not scrubbed or an image that was not pristine.
    guests = {"guest": linux(name="guest", memory=96, run=f"sleep 0.2; {CRASH}", on_crash="restart"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        for life in (2, 3):
            box["guest"].expect(READY)
            box["guest"].expect(r"Kernel panic")
            box["core"].expect(rf"guest: .*restarting as on_crash says \(life {life}\)")
        unharmed(box)


@test("a partition that crashes is kept for a look when the plan says so")
def crash_preserve(context):
    guests = {"guest": linux(name="guest", memory=96, run=CRASH, on_crash="preserve"), "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["core"].expect(r"guest: .*kept for a look, as on_crash says")
        unharmed(box)
        box.monitor()
        box.command("part guest regs", r"rip\s+[0-9a-f]{16}")
        box.command("part guest bt", r"[0-9a-f]{16}")
        box.command("part guest log", r"Kernel panic")
        box.command("part guest restart", r"guest: is being restarted")
        box.key("0")
        box["core"].expect(r"guest: runs \(life 2")


@test("a partition that does not feed its watchdog is restarted")
def watchdog(context):
    # The driver is loaded, armed by opening its device, and then nobody writes any more.
    starve = "insmod /lib/modules/watchdog.ko; insmod /lib/modules/xen_wdt.ko timeout=2; exec 3> /dev/watchdog; while :; do sleep 1000; done"
    guests = {"guest": linux(name="guest", memory=96, run=starve, on_watchdog="restart"), "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["guest"].expect(READY)
        box["core"].expect(r"guest: did not feed its watchdog in time; restarting as on_watchdog says \(life 2\)",
                           never=[r"guest: .*it stays down"])
        box["guest"].expect(READY)
        unharmed(box)


@test("the operator stops, starts, pauses and resumes a partition")
def by_hand(context):
    guests = {"guest": linux(name="guest", memory=96, cpus="0", run="while :; do usleep 100000; echo tock; done"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["guest"].expect(r"^tock")
        box.monitor()
        box.command("part guest pause", r"guest: is being paused")
        box.key("0")
        box["core"].expect(r"guest: paused")
        box["neighbour"].expect(r"tick")
        heard = box["guest"].count(r"^tock")
        unharmed(box)
        unharmed(box)
        if box["guest"].count(r"^tock") > heard + 3:
            raise Failed("a paused partition goes on")
        box.monitor()
        box.command("part guest resume", r"guest: goes on")
        box.key("0")
        box["guest"].cursor = len(box["guest"].text)
        box["guest"].expect(r"^tock")
        box.monitor()
        box.command("part guest stop", r"guest: is being stopped")
        box.command("part guest start")
        box.key("0")
        box["guest"].expect(READY)
        unharmed(box)


@test("a kernel that panics at once is not restarted for ever")
def crash_loop(context):
    guests = {"guest": linux(name="guest", memory=96, extra="rdinit=/nonexistent init=/nonexistent panic=-1",
                             on_crash="restart", on_reboot="restart"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["core"].expect(r"guest: .*(more than \d+ restarts|restarting as)")
        unharmed(box)


@test("a forkbomb and a memory hog harm only themselves")
def bombs(context):
    guests = {"guest": linux(name="guest", memory=96, cpus="1", on_crash="restart",
                             run="tail /dev/zero & b() { b | b & }; b; sleep 20"),
              "neighbour": neighbour()}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["guest"].expect(READY)
        for _ in range(10):
            unharmed(box)
