# SPDX-License-Identifier: BSD-2-Clause
"""The switch as a service: what its clients notice when it restarts, is stopped, or cannot start at all."""

from box import Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"
NETWORK = {"networks": {"lan0": {"address": "10.0.0.254/24"}}}
NO_CARD = "ls /sys/bus/xen/devices | grep -q vif || echo no card"
CARD_COMES = "while ! ls /sys/bus/xen/devices | grep -q vif-0; do sleep 0.1; done; echo card"


def client(name, run, *, number=0, **properties):
    extra = f"bh.ip=10.0.0.{number}/24" if number else ""
    return linux(name=name, memory=96, run=run, vif="bridge=lan0", extra=extra, **properties)


@test("a restarted and a killed switch cost two Debian partitions no ping, nor their lives")
def restarted(context):
    # What is said while the monitor is open is not seen: each line tells of all rounds.
    rounds = ("until ping -c 1 -W 1 10.0.0.2 > /dev/null; do :; done; while :; do ping -c 5 -i 0.2 10.0.0.2 >> /tmp/pings; "
              "echo rounds $(grep -c transmitted /tmp/pings) whole $(grep -c '5 packets received' /tmp/pings) "
              "host $(ping -c 1 10.0.0.254 | grep -c '1 packets received'); done")
    partitions = {"one": client("one", rounds, number=1),
                  "two": client("two", "echo listens; sleep 1000", number=2, cpus="1")}
    with context.start(partitions, plan=NETWORK, cpus=2, memory="512M") as box:
        box["two"].expect(r"^listens")
        for life, word in ((2, "restart"), (3, "kill"), (4, "restart")):
            box["one"].expect(r"^rounds \d+ whole")
            box.monitor()
            box.command(f"part switch {word}", r"switch: ")
            box.key("0")
            box["core"].expect(rf"switch: runs \(life {life}\b", never=[r"(one|two): (crashed|restarted)"])
            # The first of two may have begun before.
            box["one"].expect(r"^rounds \d+ whole")
            done = box["one"].expect(r"^rounds (\d+) whole (\d+)")
            if done.group(1) != done.group(2):
                raise Failed(f"of {done.group(1)} rounds of pings {done.group(2)} had all their answers")
        box["one"].expect(r"^rounds \d+ whole \d+ host 1")


@test("three kills of the switch in ten seconds restart the partitions with cards, and only them")
def region_given_up(context):
    partitions = {"client": client("client", "ping -c 3 10.0.0.254", number=1, then="shell"),
                  "other": linux(name="other", memory=96, store="default", cpus="1")}
    with context.start(partitions, plan=NETWORK, cpus=2, memory="512M") as box:
        box["client"].expect(READY, r"3 packets transmitted, 3 packets received")
        box["other"].expect(READY)
        box.monitor()
        box.kill_until_given_up("switch")
        box["core"].expect(r"client: runs \(life 2\b", never=[r"(other|store): runs \(life 2\b"])
        box.key("0")
        box["client"].expect(READY, r"3 packets transmitted, 3 packets received")


@test("a partition is not held up by a switch that the box has no room for")
def left_out(context):
    plan = {**NETWORK, "services": {"switch": {"cpus": "3"}}}
    with context.start({"one": client("one", NO_CARD)}, plan=plan, cpus=1, memory="384M") as box:
        box["core"].expect(r"switch: LEFT OUT: it is to run on CPU 3")
        box["one"].expect(READY, r"^no card", r"bh.run ended with status 0")


@test("a card comes to a partition when the switch does")
def comes_later(context):
    with context.start({"one": client("one", f"{NO_CARD}; {CARD_COMES}", autostart=0)}, plan=NETWORK, cpus=1,
                       memory="384M") as box:
        box["core"].expect(r"switch: runs \(life 1\b")
        box.monitor()
        box.command("part switch stop", r"switch: ")
        box["core"].expect(r"switch: stopped")
        box.command("part one start", r"one: ")
        box.key("0")
        box["one"].expect(READY, r"^no card")
        box.monitor()
        box.command("part switch start", r"switch: ")
        box.key("0")
        box["one"].expect(r"^card", r"bh.run ended with status 0")
