# SPDX-License-Identifier: BSD-2-Clause
"""Partitions on the network of the switch."""

import os

from box import EXACT, Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"


def mac(number):
    return f"00:16:3e:00:00:{number:02x}"


def guest(number, run, *, vif="", **properties):
    """A Debian partition with the address 10.9.0.<number>."""
    words = properties.pop("extra", "")
    return linux(run=run, memory=properties.pop("memory", 96), vif=f"mac={mac(number)},bridge=lan0{vif}",
                 extra=f"bh.ip=10.9.0.{number}/24 {words}".strip(), **properties)


# Until the other one is there: both boot at their own pace.
def there(address):
    return f"until ping -c 1 -W 1 {address} > /dev/null; do :; done; "


@test("two Debian partitions ping each other", shows="boot network")
def ping(context):
    guests = {"one": guest(1, there("10.9.0.2") + "ping -c 5 -i 0.2 10.9.0.2 && echo good"), "two": guest(2, "sleep 1000")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["two"].expect(READY)
        box["one"].expect(READY, r"^5 packets transmitted, 5 packets received", r"^good")


PINGS = "ping -i 0.05 -W 1 10.9.0.2"


@test("a switch that is killed again and again under traffic is not noticed")
def killed(context):
    guests = {"one": guest(1, f"{PINGS} > /tmp/pings & while :; do sleep 1; echo second; tail -n 1 /tmp/pings; done"),
              "two": guest(2, "sleep 1000")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["one"].expect(READY, r"^64 bytes from 10.9.0.2: seq=\d+")
        for life in range(2, 6):
            box.monitor()
            box.command("part switch kill", r"switch: ")
            box.key("0")
            box["core"].expect(rf"switch: runs \(life {life}\b")
            seconds = box["one"].count(r"^second") + 5
            box.wait_until(lambda seconds=seconds: box["one"].count(r"^second") >= seconds, lambda: "no clock")
            box["one"].expect(r"^64 bytes from 10.9.0.2: seq=\d+")


@test("a killed switch is back within 100 ms of guest time, and no echo is lost")
def back_soon(context):
    def most(what):
        return f"$(sed -n 's/^netload: {what} //p' /tmp/echoes | sort -n | tail -n 1)"
    # What is said while the monitor is open is not seen: each line tells of all before.
    guests = {"one": guest(1, "while :; do netload echo 10.9.0.2 2000 | tee -a /tmp/echoes; "
                              f"echo lost at most {most('lost')}, longest {most('worst_ticks')}; done"),
              "two": guest(2, "sleep 100000")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M", extra=EXACT) as box:
        box["one"].expect(READY, r"^lost at most")
        for life in (2, 3):
            box["one"].expect(r"^netload: answers_at_tick")
            box.monitor()
            box.command("part switch kill", r"switch: ")
            box.key("0")
            box["core"].expect(rf"switch: runs \(life {life}\b")
            box["one"].expect(r"^lost at most")
            match = box["one"].expect(r"^lost at most (\d+), longest (\d+)")
        lost, longest = int(match.group(1)), int(match.group(2))
        if lost != 0 or not 500_000 < longest < 100_000_000:
            raise Failed(f"echoes lost in a run: {lost}; the longest took {longest} ns")


# A connection each way, with bytes that the receiver knows.
def transfer(mebibytes):
    return {
        "one": guest(1, f"netload receive 5001 check & sleep 1; netload send 10.9.0.2 5001 {mebibytes} check && wait && echo good"),
        "two": guest(2, f"netload receive 5001 check & sleep 2; netload send 10.9.0.1 5001 {mebibytes} check && wait && echo good; "
                        "sleep 1000")}


def tcp(context, cpus, mebibytes):
    guests = transfer(mebibytes)
    guests["two"]["cpus"] = str(cpus - 1)
    guests["one"]["cpus"] = "0"
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=cpus, memory="512M") as box:
        for name in guests:
            # Nothing is said meanwhile.
            box[name].expect(READY, r"^netload: sent \d+", r"^good", silence=600)


def minute(context, cpus):
    def run(other, wait):
        return (f"netload receive 5001 check & sleep {wait}; netload send-for 10.9.0.{other} 5001 60 && wait && echo good; "
                "sleep 1000")
    guests = {"one": guest(1, run(2, 1), cpus="0"), "two": guest(2, run(1, 2), cpus=str(cpus - 1))}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=cpus, memory="512M") as box:
        for name in guests:
            box[name].expect(READY, r"^netload: sent \d+")
        for name in guests:
            box[name].expect(r"^good")


for count, place in ((1, "one CPU"), (2, "two CPUs")):
    test(f"two Debian partitions on {place} send each other for a minute what both check", full=True, shows="boot network",
         cpus=count)(minute)
    test(f"two Debian partitions on {place} send each other what both check", shows="boot network", cpus=count,
         mebibytes=8)(tcp)
    test(f"two Debian partitions on {place} send each other 100 MiB that both check", full=True, shows="boot network",
         cpus=count, mebibytes=100)(tcp)


@test("ten cards of two partitions on one switch")
def ten_cards(context):
    def partition(number, run):
        up = "for i in 0 1 2 3 4; do ip address add 10.$i.9.%d/24 dev eth$i; done; " % number
        cards = [f"mac=00:16:3e:00:{number:02x}:{i:02x},bridge=lan0" for i in range(5)]
        return linux(run=up + run, memory=96, vif=cards)
    pings = "for i in 0 1 2 3 4; do ping -c 2 -i 0.2 -I eth$i 10.$i.9.2 | grep received; done; echo done"
    guests = {"one": partition(1, there("10.0.9.2") + pings), "two": partition(2, "sleep 1000")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["two"].expect(READY)
        box["one"].expect(READY, *[r"^2 packets transmitted, 2 packets received"] * 5, r"^done")


@test("a partition that breaks the rules of its card disturbs nobody else on the switch")
def hostile(context):
    program = os.path.join(context.build, "tests", "programs", "hostile_card.elf")
    guests = {"one": guest(1, there("10.9.0.2") + "ping -c 400 -i 0.05 -W 2 10.9.0.2 > /tmp/pings; grep received /tmp/pings; sleep 1000"),
              "two": guest(2, "sleep 1000"),
              "hostile": {"type": "pv", "memory": 8, "kernel": program, "store": "default",
                          "vif": f"mac={mac(66)},bridge=lan0"}}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["hostile"].expect(r"^hostile: done")
        for reason in ("its index has run away", "its extra infos have no end", "its packet has too many slots",
                       "its slot ends behind the page"):
            box["switch"].expect(rf"^hostile/0 is cut off: {reason}")
        box["one"].expect(r"^400 packets transmitted, 400 packets received")


def restarts(context, count):
    guests = {"one": guest(1, "sleep 2; echo sending; netload send-for 10.9.0.2 5001 0 && echo sent all; sleep 1000"),
              "two": guest(2, "netload receive 5001 check && echo every byte; sleep 1000")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["two"].expect(READY)
        box["one"].expect(READY, r"^sending")
        box.monitor()
        for life in range(2, count + 2):
            box.command("part switch restart", r"switch: ")
            box["core"].expect(rf"switch: runs \(life {life}\b")
        box.attach(1)
        box.send("\r")
        box.key("0")
        box["one"].expect(r"^sent all")
        box["two"].expect(r"^every byte")


test("a connection outlives twenty restarts of the switch, byte for byte", count=20)(restarts)
test("a connection outlives a thousand restarts of the switch", full=True, count=1000)(restarts)


@test("cards connect anew: a driver that is loaded again, a partition that reboots")
def reconnect(context):
    # A driver that is bound to a card holds its module.
    again = ("echo vif-0 > /sys/bus/xen/drivers/vif/unbind; rmmod xen-netfront && insmod /lib/modules/xen-netfront.ko && ip address add 10.9.0.1/24 dev eth0 && "
             "ip link set eth0 up && sleep 1 && ping -c 2 10.9.0.2 && echo round $i; ")
    guests = {"one": guest(1, f"sleep 2; for i in 1 2 3; do {again} done; sleep 1000"),
              "two": guest(2, "sleep 1000"),
              "three": guest(3, "sleep 1; ping -c 2 10.9.0.2 && echo there", then="reboot", on_reboot="restart")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
        box["one"].expect(READY, r"^round 1", r"^round 2", r"^round 3")
        box["three"].expect(READY, r"^there", READY, r"^there", READY, r"^there")


@test("a partition of four vCPUs uses four queues", shows="boot network")
def queues(context):
    count = "ls /sys/class/net/eth0/queues | grep -c tx-"
    guests = {"one": guest(1, f"sleep 2; {count}; netload send 10.9.0.2 5001 4 check && echo good", vcpus=4,
                           cpus="0-1"),
              "two": guest(2, "netload receive 5001 check && echo whole; sleep 1000", vcpus=4, cpus="0-1")}
    with context.start(guests, plan={"networks": {"lan0": {}}}, cpus=2, memory="512M") as box:
        box["one"].expect(READY, r"^4\s", r"^good")
        box["two"].expect(r"^whole")
