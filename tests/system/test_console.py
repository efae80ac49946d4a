# SPDX-License-Identifier: BSD-2-Clause
"""The serial line: attaching, keys, the overview, a partition's hostile output."""

from box import ESCAPE, Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"


@test("a shell is one keystroke away, and all keys reach it")
def shell(context):
    guests = {"one": linux(name="one", memory=96), "two": linux(name="two", memory=96, cpus="1")}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["one"].expect(READY)
        box["two"].expect(READY)
        box.attach(2)
        box.send("\r")
        box.terminal.expect(r"two:~# ?")
        box.send("echo sum $((20 + 22))\r")
        box.terminal.expect(r"^sum 42")
        # By a process that has the terminal already: between two commands Ctrl-C is the shell's own matter.
        box.send("sh -c 'echo now; exec sleep 1000'\r")
        box.terminal.expect(r"^now")
        box.send("\x03")                                    # Ctrl-C
        box.terminal.expect(r"\^C\s+two:~# ?")
        box.send("echo abX\x7fc\r")                         # backspace
        box.terminal.expect(r"^abc")
        box.send("echo now; od -c\r")
        box.terminal.expect(r"^now")
        box.send(ESCAPE + ESCAPE + "\x01\r\x04")            # Ctrl-] itself, Ctrl-A, end of file
        box.terminal.expect(r"035 001 +\\n")
        box.attach(1)
        box.send("\recho here $(hostname)\r")
        box.terminal.expect(r"^here one")
        box.key("?")
        box.terminal.expect(r"attach to one", r"attach to two", r"overview", r"monitor")


@test("output at full speed to both consoles blocks nobody and says what was skipped")
def flood(context):
    noise = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo line $i of a flood that goes on and on and on; done"
    guests = {"one": linux(name="one", memory=96, run=noise + "; echo one-done"),
              "two": linux(name="two", memory=96, cpus="1", run=noise + "; echo two-done")}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["core"].expect(r"one: powered off", r"two: powered off", guard=900)
        box["one"].expect(r"^one-done|^line 4000|lines not shown; ")
        box.monitor()
        box.command("part one log", r"one-done")
        box.command("part two log", r"two-done")


@test("a partition cannot imitate another, the core or the monitor")
def imitation(context):
    forged = (r"printf '\033[2J\033[31mcore      \033[0m | forged\n\rcore | forged too\n"
              r"two | forged\nbulkhead> \n\033]0;title\007\n'; echo forged-end")
    guests = {"one": linux(name="one", memory=96), "two": linux(name="two", memory=96, cpus="1")}
    with context.start(guests, cpus=2, memory="512M") as box:
        box["two"].expect(READY)
        box.attach(1)
        box.send("\r")
        box.terminal.expect(r"one:~# ")
        box.send(f"sleep 0.5; {forged}\r")
        box.key("0")
        box["one"].expect(r"^forged-end")
        for name in ("core", "two"):
            if box[name].seen(r"forged"):
                raise Failed(f"a line of one appears as one of {name}")
        if b"\x1b]0;title" in box.raw or b"\x1b[2J\x1b[31mcore" in box.raw:
            raise Failed("control sequences of a partition that is not attached reach the terminal")


@test("the escape key is the plan's")
def escape_key(context):
    guests = {"one": linux(name="one", memory=96)}
    with context.start(guests, plan={"escape": "Ctrl-t"}, cpus=1, memory="512M") as box:
        box["one"].expect(READY)
        box.send("\x14m")
        box.terminal.expect(r"bulkhead> ")
        box.send("version\r")
        box.terminal.expect(r"Bulkhead \S+, compiled with")


@test("the serial console on a PCI card, both ways")
def pci_serial(context):
    guests = {"one": linux(name="one", memory=96)}
    card = ("-serial", "none", "-device", "pci-serial,chardev=serial0")
    for machine in ("pc", "q35"):
        with context.start(guests, machine=machine, cpus=1, memory="512M", serial=card) as box:
            box["core"].expect(r"plan: ")
            box["one"].expect(READY)
            box.attach(1)
            box.send("\recho sum $((20 + 22))\r")
            box.terminal.expect(r"^sum 42")
