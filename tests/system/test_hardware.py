# SPDX-License-Identifier: BSD-2-Clause
"""Hardware partitions (pvh) on AMD-V, which QEMU's software CPU has, and on VT-x, which Bochs has: stock
kernels alone and beside PV partitions, and a box that cannot run them."""

import os
import re

from box import EXACT, Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready kernel=(\S+) cpus=(\d+) memory=(\d+)MiB"
BROKEN = (r"Kernel panic", r"^stress: FAIL", r"^stress: .* [1-9]\d* failed")
CLEAN = r"^stress: \d+ passed, 0 failed"


def pvh(flavour="cloud-amd64", **properties):
    return {**linux(flavour, **properties), "type": "pvh"}


def boot(context, flavour, vcpus, memory, cpus, machine="q35", box="1G", run="stress kernel-log"):
    """A stock kernel boots through its PVH entry and its log is clean."""
    guest = pvh(flavour, run=run, name="guest", memory=memory, vcpus=vcpus, cpus=f"0-{cpus - 1}" if cpus > 1 else "0")
    with context.start({"guest": guest}, machine=machine, cpus=cpus, memory=box) as started:
        started["core"].expect(r"partition 1 guest: pvh, ")
        ready = started["guest"].expect(READY, never=BROKEN)
        if int(ready.group(2)) != vcpus:
            raise Failed(f"the kernel found {ready.group(2)} CPUs, not {vcpus}")
        started["guest"].expect(CLEAN, never=BROKEN, guard=1500, silence=300)
        started["core"].expect(r"guest: powered off")


PAIRS = [("amd64", 2, 256, 2, "pc", "1G"), ("cloud-amd64", 1, 96, 1, "q35", "512M"),
         ("rt-amd64", 4, 512, 4, "q35", "1G")]
for kernel, vcpus, memory, cpus, machine, box in PAIRS:
    test(f"pvh boot {kernel}, {vcpus} vCPU, {memory} MiB, {machine}", shows="boot", flavour=kernel, vcpus=vcpus,
         memory=memory, cpus=cpus, machine=machine, box=box)(boot)
for kernel in ("amd64", "cloud-amd64", "rt-amd64"):
    for vcpus in (1, 2, 4):
        for memory, box in ((96, "512M"), (512, "1G"), (4096, "6G")):
            test(f"pvh boot {kernel}, {vcpus} vCPU, {memory} MiB, full", full=True, shows="boot", flavour=kernel,
                 vcpus=vcpus, memory=memory, cpus=vcpus, box=box)(boot)
        test(f"pvh stress {kernel}, {vcpus} vCPU", full=True, shows="boot stress", flavour=kernel, vcpus=vcpus, memory=256,
             cpus=vcpus, run="stress")(boot)


test("pvh userland amd64, 2 vCPU", shows="boot", flavour="amd64", vcpus=2, memory=192, cpus=2, run="stress kernel-log userland")(boot)


@test("pv and pvh partitions run beside each other on the same CPUs", shows="boot")
def mixed(context):
    guests = {"soft": linux(run="stress kernel-log userland", name="soft", memory=160, vcpus=2, cpus="0-1"),
              "hard": pvh("amd64", run="stress kernel-log userland", name="hard", memory=192, vcpus=2, cpus="0-1")}
    with context.start(guests, cpus=2, memory="1G") as box:
        for name in guests:
            box[name].expect(CLEAN, never=BROKEN, guard=900, silence=300)


@test("a pvh partition restarts, and powers off, as the plan says", shows="boot reboot")
def life(context):
    guest = pvh(run="[ -e /proc/none ]", then="reboot", name="guest", memory=128, on_reboot="restart",
                on_poweroff="destroy")
    with context.start({"guest": guest}, memory="512M") as box:
        box["core"].expect(r"guest: runs \(life 1", r"guest: asked for a reboot; restarting", r"guest: runs \(life 2")
        box["guest"].expect(READY)


def look_into(box, **patience):
    """The monitor finds a stock kernel's calls and its text by the guest's own page tables."""
    box.monitor()
    box.command("part guest regs 0", r"cr3  [0-9a-f]{16}  cr4", **patience)
    box.command("part guest bt 0", r"^  ffffffff8[0-9a-f]{7} \?", **patience)
    box.command("part guest dump ffffffff81000000 32", r"^ffffffff81000010  [0-9a-f]{8} ", **patience)
    box.send("quit\r")


@test("the monitor looks into a pvh partition, AMD-V")
def looked_at(context):
    guest = pvh(run="echo sleeps; sleep 100000", name="guest", memory=96)
    with context.start({"guest": guest}, memory="512M") as box:
        box["guest"].expect(r"^sleeps")
        look_into(box)


@test("without hardware virtualisation a pvh partition is left out with the reason and the rest runs")
def absent(context):
    guests = {"hard": pvh(name="hard"), "soft": linux(name="soft", memory=96)}
    with context.start(guests, cpu="max,-smap,-svm", memory="512M") as box:
        box["core"].expect(r"virtualisation: .*AMD-V with NPT: absent",
                           r"partition 1 hard: LEFT OUT: the CPU has neither VT-x nor AMD-V")
        box["soft"].expect(READY)


# --- The local APIC by its page ---------------------------------------------------------------------

def boot_by_page(context, flavour, vcpus, memory=128, run="stress kernel-log"):
    """A stock kernel with its local APICs in xAPIC mode boots to its shell; each access to the page is
    decoded by the machine service, which runs on its first CPU."""
    run = f"grep -q x2apic /proc/cpuinfo && echo stress: FAIL x2APIC is offered; {run}"
    guest = pvh(flavour, run=run, name="guest", memory=memory, vcpus=vcpus, cpus=f"0-{vcpus - 1}", apic="xapic")
    with context.start({"guest": guest}, cpus=vcpus, memory="512M") as box:
        box["core"].expect(r"partition 1 guest: pvh, ", r"machine:guest: service, ")
        ready = box["guest"].expect(READY, never=BROKEN)
        if int(ready.group(2)) != vcpus:
            raise Failed(f"the kernel found {ready.group(2)} CPUs, not {vcpus}")
        box["guest"].expect(CLEAN, never=BROKEN, guard=1500, silence=300)
        box["core"].expect(r"guest: powered off")


for count in (1, 2):
    test(f"pvh boot cloud-amd64, {count} vCPU, xAPIC", flavour="cloud-amd64", vcpus=count, shows="boot")(boot_by_page)
for kernel, vcpus in (("amd64", 1), ("amd64", 2), ("cloud-amd64", 4), ("rt-amd64", 1), ("rt-amd64", 4)):
    test(f"pvh boot {kernel}, {vcpus} vCPU, xAPIC", full=True, shows="boot", flavour=kernel, vcpus=vcpus,
         memory=256)(boot_by_page)
for kernel, vcpus in (("amd64", 2), ("cloud-amd64", 1), ("cloud-amd64", 4), ("rt-amd64", 2)):
    test(f"pvh stress {kernel}, {vcpus} vCPU, xAPIC", full=True, shows="boot stress", flavour=kernel, vcpus=vcpus,
         memory=256, run="stress")(boot_by_page)


# --- One CPU of a hardware guest, on both vendors --------------------------------------------------

def guest_of_its_own(context, start, claims="hardware", apic="x2apic", **options):
    """What the core does for a hardware guest's CPU is what the manuals say of a CPU, in all its modes."""
    elf = os.path.join(context.build, "guests", f"{claims}.elf")
    guest = {"type": "pvh", "memory": 16, "vcpus": 1, "kernel": elf, "on_poweroff": "destroy", "on_crash": "destroy",
             "apic": apic}
    with getattr(context, start)({"hardware": guest}, **options) as box:
        box["hardware"].expect(rf"^PASS {claims}", never=(r"^FAIL", r"^wrong", r"^not expected"))
        box["core"].expect(r"hardware: powered off")


for guest in ("hardware", "modes"):
    test(f"guest {guest}, AMD-V", claims=guest, start="start", memory="256M")(guest_of_its_own)
    test(f"guest {guest}, VT-x", claims=guest, start="start_bochs", memory=256)(guest_of_its_own)
    test(f"guest {guest}, VT-x, Tiger Lake", full=True, claims=guest, start="start_bochs", memory=256,
         model="tigerlake")(guest_of_its_own)
# Under -icount the timer's sweep meets every instruction.
test("guest halt, AMD-V", claims="halt", start="start", memory="256M", extra=EXACT)(guest_of_its_own)
test("guest halt, VT-x", full=True, claims="halt", start="start_bochs", memory=256)(guest_of_its_own)
test("guest halt, AMD-V in Bochs", full=True, claims="halt", start="start_bochs", memory=256, model="ryzen")(guest_of_its_own)
# AMD's CPUs switch a guest's tasks by themselves. (QEMU does whether it is to or not.)
test("guest tasks, AMD-V", claims="tasks", start="start", memory="256M")(guest_of_its_own)
test("guest tasks, AMD-V in Bochs", full=True, claims="tasks", start="start_bochs", memory=256, model="ryzen")(guest_of_its_own)
# With NRIP save, which QEMU's CPU lacks. (Bochs 2.7 ends itself when a guest in virtual-8086 mode leaves: no `modes`.)
test("guest hardware, AMD-V in Bochs", full=True, claims="hardware", start="start_bochs", memory=256,
     model="ryzen")(guest_of_its_own)


test("guest apic_page, AMD-V", claims="apic_page", apic="xapic", start="start", memory="256M")(guest_of_its_own)
test("guest apic_page, VT-x", claims="apic_page", apic="xapic", start="start_bochs", memory=256)(guest_of_its_own)


@test("a guest that switches tasks by hardware ends on VT-x, with a sentence", full=True)
def tasks_on_vtx(context):
    guest = {"type": "pvh", "memory": 16, "kernel": os.path.join(context.build, "guests", "tasks.elf"), "on_crash": "destroy"}
    with context.start_bochs({"tasks": guest}, memory=256) as box:
        box["tasks"].expect(r"^tasks: begins")
        box["core"].expect(r"tasks: crashed: it switched tasks by hardware, which VT-x leaves to software")


@test("a machine service that crashes comes back under its partition, and one that is stopped ends it")
def machine_service_lives(context):
    elf = os.path.join(context.build, "guests", "apic_rounds.elf")
    guest = {"type": "pvh", "memory": 16, "vcpus": 1, "kernel": elf, "on_crash": "preserve", "apic": "xapic"}
    with context.start({"guest": guest}, memory="256M") as box:
        box["guest"].expect(r"^round")
        # What guests print is not shown while the monitor is.
        for life, command in ((2, "kill"), (3, "restart")):
            box.monitor()
            box.command(f"part machine:guest {command}")
            box["core"].expect(rf"machine:guest: runs \(life {life}")
            box.send("quit\r")
            for _ in range(3):
                box["guest"].expect(r"^round", never=(r"^FAIL", r"^not expected"))
        box.monitor()
        box.command("part machine:guest stop")
        box["core"].expect(r"guest: crashed; kept for a look")
        box.command("log", r"guest: crashed: it (wrote to|read) its local APIC at 0x80 by code at 0x\w+, and its machine "
                           r"service does not run; code ")


@test("a machine service that crashes again and again restarts its partition")
def machine_service_is_poisoned(context):
    elf = os.path.join(context.build, "guests", "apic_rounds.elf")
    guest = {"type": "pvh", "memory": 16, "vcpus": 1, "kernel": elf, "apic": "xapic"}
    with context.start({"guest": guest}, memory="256M") as box:
        box["guest"].expect(r"^round")
        box.monitor()
        box.kill_until_given_up("machine:guest")
        box["core"].expect(r"guest: restarted with its service \(life 2", r"^guest: runs \(life 2")
        box.send("quit\r")
        box["guest"].expect(r"^round", never=(r"^FAIL", r"^not expected"))


# --- VT-x in Bochs: slow, so that `make test` has one boot ------------------------------------------

PATIENCE = {"guard": 3000, "silence": 900}
# Of a Skylake the kernel says that its mitigation does not suffice, which counts as a complaint.
NO_COMPLAINT = "retbleed=off"


def boot_on_vtx(context, flavour, vcpus, run, cpus=None, **partition):
    """A stock kernel boots on VT-x, its log is clean, and it powers off."""
    cpus = cpus or vcpus
    guest = pvh(flavour, run=run, name="guest", vcpus=vcpus, cpus=f"0-{cpus - 1}" if cpus > 1 else "0",
                extra=NO_COMPLAINT, **partition)
    with context.start_bochs({"guest": guest}, cpus=cpus, memory=512) as box:
        box["core"].expect(r"virtualisation: VT-x with EPT: available", r"partition 1 guest: pvh, ", **PATIENCE)
        ready = box["guest"].expect(READY, never=BROKEN, **PATIENCE)
        if int(ready.group(2)) != vcpus:
            raise Failed(f"the kernel found {ready.group(2)} CPUs, not {vcpus}")
        # Its part `userland` says nothing for thousands of millions of instructions.
        box["guest"].expect(CLEAN, never=BROKEN, guard=6000, silence=3000)
        box["core"].expect(r"guest: powered off", **PATIENCE)


test("pvh boot cloud-amd64, 1 vCPU, VT-x", shows="boot", flavour="cloud-amd64", vcpus=1, memory=96,
     run="stress kernel-log")(boot_on_vtx)
for count in (1, 2):
    test(f"pvh boot cloud-amd64, {count} vCPU, xAPIC, VT-x", full=True, shows="boot", flavour="cloud-amd64", vcpus=count,
         memory=96, run="stress kernel-log", apic="xapic")(boot_on_vtx)
test("pvh boot cloud-amd64, 4 vCPU, VT-x", full=True, shows="boot", flavour="cloud-amd64", vcpus=4, memory=128,
     run="stress kernel-log")(boot_on_vtx)
test("pvh boot amd64, 2 vCPU, VT-x", full=True, shows="boot", flavour="amd64", vcpus=2, memory=192,
     run="stress kernel-log")(boot_on_vtx)
test("pvh boot rt-amd64, 4 vCPU, VT-x", full=True, shows="boot", flavour="rt-amd64", vcpus=4, memory=256,
     run="stress kernel-log")(boot_on_vtx)
test("pvh boot cloud-amd64, 2 vCPU on one CPU, VT-x", full=True, shows="boot", flavour="cloud-amd64", vcpus=2, cpus=1,
     memory=128, run="stress kernel-log")(boot_on_vtx)
test("pvh boot amd64, 4 vCPU, VT-x", full=True, shows="boot", flavour="amd64", vcpus=4, memory=256,
     run="stress kernel-log")(boot_on_vtx)
# Bochs 2.7 is wrong in two places that have nothing to do with VT-x. Its SYSRET leaves the size of the stack as it
# was, as AMD's does, where Intel's manual sets it: a 32-bit program may find itself with a stack of 16 bits. And a
# SYSCALL that is stepped over traps in the kernel, which then complains.
BOCHS_CANNOT = "int80 single-step"
for kernel, vcpus in (("cloud-amd64", 2), ("amd64", 1), ("amd64", 2), ("rt-amd64", 1)):
    test(f"pvh stress {kernel}, {vcpus} vCPU, VT-x", full=True, shows="boot stress", flavour=kernel, vcpus=vcpus,
         memory=192, run=f"stress -x {BOCHS_CANNOT}")(boot_on_vtx)


@test("pv and pvh partitions run beside each other, VT-x", full=True, shows="boot")
def mixed_on_vtx(context):
    guests = {"soft": linux(run="stress kernel-log", name="soft", memory=128, vcpus=1, cpus="0", extra=NO_COMPLAINT),
              "hard": pvh(run="stress kernel-log", name="hard", memory=128, vcpus=1, cpus="0", extra=NO_COMPLAINT)}
    with context.start_bochs(guests, memory=512) as box:
        for name in guests:
            box[name].expect(CLEAN, never=BROKEN, **PATIENCE)


@test("guests beside each other on a CPU with IBRS, IBPB and VERW, VT-x, Tiger Lake")
def barriers(context):
    """QEMU's CPU has none of the three; Bochs takes registers and values as the manual says, or faults."""
    def claim(kind, name, cpus, vcpus=1):
        return {"type": kind, "memory": 32, "vcpus": vcpus, "cpus": cpus, "on_poweroff": "destroy", "on_crash": "destroy",
                "kernel": os.path.join(context.build, "guests", f"{name}.elf")}
    guests = {"hardware": claim("pvh", "hardware", "0"), "traps": claim("pv", "traps", "0"),
              "smp": claim("pv", "smp", "0-1", vcpus=2)}
    with context.start_bochs(guests, cpus=2, memory=256, model="tigerlake") as box:
        box["core"].expect(r"^against them: on: IBRS, IBPB between partitions, VERW", **PATIENCE)
        for name in guests:
            box[name].expect(rf"^PASS {name}", never=(r"^FAIL", r"^wrong", r"^not expected"), **PATIENCE)


def off_and_on(context, start, **options):
    """A pvh partition uses the switch, powers off, and starts again by the monitor; its pv neighbour goes on."""
    def guest(number, run, kind):
        return {**linux(run=run, memory=96, vif=f"mac=00:16:3e:00:00:0{number},bridge=lan0",
                        extra=f"bh.ip=10.9.0.{number}/24 {NO_COMPLAINT}"), "type": kind}
    echo = "ping -c 2 -W 60 10.9.0.254 && echo good"
    guests = {"leaves": guest(1, f"sleep 1; {echo}", "pvh"), "stays": guest(2, f"while :; do {echo}; sleep 1; done", "pv")}
    networks = {"networks": {"lan0": {"address": "10.9.0.254/24"}}}
    with getattr(context, start)(guests, plan=networks, memory=options.pop("memory"), **options) as box:
        box["leaves"].expect(READY, r"^2 packets transmitted, 2 packets received", r"^good", never=BROKEN, **PATIENCE)
        box["core"].expect(r"leaves: powered off", **PATIENCE)
        box["stays"].expect(READY, r"^good", r"^good", **PATIENCE)
        box.monitor()
        box.command("part leaves start", r"leaves: will start", **PATIENCE)
        box.key("0")
        box["core"].expect(r"leaves: runs \(life 2", **PATIENCE)
        box["leaves"].expect(READY, r"^2 packets transmitted, 2 packets received", r"^good", never=BROKEN, **PATIENCE)
        box["core"].expect(r"leaves: powered off", **PATIENCE)
        box["stays"].expect(r"^good", **PATIENCE)


test("a pvh partition on the switch powers off and starts again, AMD-V", shows="boot network", start="start",
     memory="512M")(off_and_on)
test("a pvh partition on the switch powers off and starts again, VT-x", full=True, shows="boot network",
     start="start_bochs", memory=512)(off_and_on)


@test("a pvh partition restarts, VT-x", full=True, shows="boot reboot")
def life_on_vtx(context):
    guest = pvh(run="[ -e /proc/none ]", then="reboot", name="guest", memory=128, on_reboot="restart")
    with context.start_bochs({"guest": guest}, memory=512) as box:
        box["core"].expect(r"guest: asked for a reboot; restarting", r"guest: runs \(life 2", **PATIENCE)
        box["guest"].expect(READY, **PATIENCE)
        look_into(box, **PATIENCE)


# --- What a guest that computes leaves for ------------------------------------------------------------

def exits_of(box, name):
    """The monitor's counters: {line's name: number}."""
    table = box.command(f"exits {name}", rf"^{name}\s(?s:.*?)exit: interrupt of the box +\d+(?s:.*?)exit: hypercall +\d+")
    found = re.findall(r"^  (?:exit: )?([A-Za-z_][A-Za-z_, ]*?) +(\d+)(?: +\d+)?\s*$", table.group(0), re.M)
    return {what: int(count) for what, count in found}


@test("a pvh partition that computes leaves for its timer only", shows="boot")
def computes(context):
    guest = pvh(run="echo computing; i=0; while :; do i=$((i+1)); done", name="guest", memory=96)
    with context.start({"guest": guest}, memory="512M") as box:
        box["guest"].expect(READY, r"^computing")
        box.monitor()
        first = last = exits_of(box, "guest")
        # Not a time, but as many of the box's interrupts as a second of the guest's timer has.
        while last["interrupt of the box"] < first["interrupt of the box"] + 250:
            last = exits_of(box, "guest")
        more = {what: last[what] - first.get(what, 0) for what in last if last[what] != first.get(what, 0)}
        others = set(more) - {"interrupt of the box", "interrupt window", "hypercall", "vcpu_op", "set_timer_op"}
        if others:
            raise Failed(f"while it computed it left for {', '.join(sorted(others))}: {more}")
        if more.get("hypercall", 0) > more["interrupt of the box"] + 10:
            raise Failed(f"more hypercalls than timers: {more}")
        box.key("0")
