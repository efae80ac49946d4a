# SPDX-License-Identifier: BSD-2-Clause
"""Every command of the monitor, with partitions alive and with all of them dead."""

from box import PROMPT
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"

# Command, and what must be in its output.
COMMANDS = [
    ("help", [r"parts\s", r"sched\s", r"poweroff\s"]),
    ("help part", [r"regs", r"restart"]),
    ("parts", [r"1\s+one\s", r"2\s+two\s"]),
    ("part one info", [r"one, domain 1, type pv", r"lives\s+\d+ starts"]),
    ("part one regs", [r"rip\s+[0-9a-f]{16}"]),
    ("part one bt", [r"[0-9a-f]{16}|user mode"]),
    ("part one log", [r"Linux version 6\.1"]),
    ("part two dump 0xffffffff81000000 32", [r"ffffffff81000000\s+[0-9a-f ]+"]),
    ("cpus", [r"CPU\s+APIC\s+idle"]),
    ("sched", [r"CPU 0 runs", r"CPU 1 runs"]),
    ("mem", [r"core: .* of tables", r"one: "]),
    ("events", [r"virq"]),
    ("events two", [r"virq"]),
    ("grants", [r"one: table of"]),
    ("exits", [r"hypercall\s+calls\s+refused", r"event_channel_op"]),
    ("irq", [r"vector\s+count"]),
    ("pci", []),
    ("acpi", [r"local APIC", r"APIC "]),
    ("log", [r"Bulkhead \S+, compiled with"]),
    ("trace on", [r"trace is on"]),
    ("trace show", [r"hypercall|switch|interrupt|trap"]),
    ("trace off", [r"trace is off"]),
    ("version", [r"up for", r"TSC"]),
    ("nonsense", [r"nonsense"]),
    ("part nobody info", [r"nobody"]),
]


@test("every command of the monitor answers")
def commands(context):
    guests = {"one": linux(name="one", memory=96), "two": linux("amd64", name="two", memory=128, cpus="1")}
    with context.start(guests, cpus=2, memory="1G") as box:
        box["one"].expect(READY)
        box["two"].expect(READY)
        box.monitor()
        for line, patterns in COMMANDS:
            box.command(line, *patterns)
        box.send("ver\tx\x7f\r")                            # completion, then a correction
        box.terminal.expect(r"compiled with GCC")
        box.terminal.expect(PROMPT)
        box.send("\x1b[A\r")                                # the line before
        box.terminal.expect(r"compiled with GCC")
        box.power_off()


@test("the monitor works when every partition is dead")
def all_dead(context):
    guests = {"one": linux(name="one", memory=96, run="poweroff -f"),
              "two": linux(name="two", memory=96, cpus="1", run="echo c > /proc/sysrq-trigger", on_crash="destroy")}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["core"].expect(r"one: powered off; it stays down", r"two: .*it stays down")
        box.monitor()
        for line, patterns in COMMANDS:
            if not line.startswith(("part", "events", "trace", "mem", "grants")):
                box.command(line, *patterns)
        box.command("part one log", r"Linux version")
        box.power_off()


@test("the monitor reboots the box")
def reboot(context):
    with context.start({"one": linux(name="one", memory=96)}, cpus=1, memory="512M") as box:
        box["one"].expect(READY)
        box.monitor()
        box.send("reboot\r")
        box.terminal.expect(r"The box is being reset")
        box.key("0")
        box["one"].expect(READY)
