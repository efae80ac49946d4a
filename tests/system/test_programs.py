# SPDX-License-Identifier: BSD-2-Clause
"""Programs on the runtime of pvdrivers/: on Bulkhead, and the same files as first domain of Xen."""

import os
import re
import shutil
import subprocess
import tempfile

from box import EXACT, Failed
from plans import REPOSITORY, SHARED, compile_plan, linux
from suite import test

MIB = 1 << 20
REPORT = r"^cycle (\d+): (\d+) deadlines missed; late by min (\S+) mean (\S+) 99\.9% (\S+) max (\S+) us"


def program(context, name, **properties):
    return {"type": "pv", "memory": 8, "vcpus": 1, "cpus": "0",
            "kernel": os.path.join(context.build, "pvdrivers", f"{name}.elf"), **properties}


def test_program(context, name, **properties):
    return program(context, name, **{"kernel": os.path.join(context.build, "tests", "programs", f"{name}.elf"),
                                     **properties})


def xen(context, elf, slice_of_plan=None, **options):
    """A box with Debian's Xen, whose first domain is the program."""
    context.not_for_watching("Debian's Xen")
    initrd = elf
    if slice_of_plan:
        os.makedirs(context.folder, exist_ok=True)
        blob = os.path.join(context.folder, "slice.dtb")
        # dtc has a view of its own of a property `name`, which -f overrules.
        subprocess.run(["dtc", "-q", "-f", "-O", "dtb", "-o", blob], input=slice_of_plan.encode(), check=True,
                       stderr=subprocess.DEVNULL)
        initrd += "," + blob
    arguments = ["-append", "console=com1 com1=115200,8n1 dom0_mem=64M noreboot", "-initrd", initrd]
    return context.box(os.path.join(SHARED, "kernels", "xen", "xen.elf"), memory="512M",
                       extra=[*arguments, "-no-reboot", *options.pop("extra", [])], **options)


@test("hello says hello and ends", shows="boot")
def hello(context):
    with context.start({"hello": program(context, "hello")}, cpus=1, memory="256M") as box:
        box["hello"].expect(r"^hello from hello: 1 vCPUs, 8192 KiB of memory, \d+ KiB of it for the heap")
        box["hello"].expect(r"^slept for \d\d+ us")
        box["core"].expect(r"hello: powered off")


@test("hello and plc as a pvh partition, the same files, beside themselves as pv", shows="boot")
def as_hardware_guests(context):
    partitions = {"soft": program(context, "hello"), "hard": program(context, "hello", type="pvh"),
                  "loop": program(context, "plc", type="pvh", priority=20)}
    with context.start(partitions, cpus=1, memory="256M") as box:
        for name in ("soft", "hard"):
            box[name].expect(rf"^hello from {name}: 1 vCPUs, \d+ KiB of memory, \d+ KiB of it for the heap",
                             r"^slept for \d\d+ us")
        box["core"].expect(r"hard: powered off")
        box["loop"].expect(REPORT, REPORT)


@test("mistakes of a program that is a pvh partition are named, too")
def mistakes_of_hardware_guests(context):
    names = ("null", "divide", "heap", "last-words")
    partitions = {how: test_program(context, "misbehave", type="pvh", config={"crash": how, "heap": 1024})
                  for how in names}
    partitions["deep"] = test_program(context, "misbehave", type="pvh", config={"crash": "stack", "stack": 32})
    with context.start(partitions, memory="512M") as box:
        for how in names:
            box[how].expect(r"^about to misbehave: " + how, MISTAKES[how], r"^ *back trace:\n +0x4")
        box["deep"].expect(r"^deep: vCPU 0: double fault \(#DF\): the stack is overrun")
        box["core"].expect(r"^deep: crashed; it stays down")


@test("a program of the runtime is small")
def small(context):
    size = os.path.getsize(os.path.join(context.build, "pvdrivers", "hello.elf"))
    if size > 48 * 1024:
        raise Failed(f"hello.elf has {size} bytes; 48 KiB are allowed")


@test("what a program may rely on", shows="boot")
def runtime_checks(context):
    with context.start({"checks": test_program(context, "runtime_checks", vcpus=2, cpus="0-1")},
                       memory="256M") as box:
        box["checks"].expect(r"^ok: grants are", r"^ok: a second vCPU", r"^ok: AVX registers", r"^PASS", never=[r"^FAIL"])


@test("vector registers survive other partitions on the same CPU")
def vectors(context):
    one = test_program(context, "runtime_checks")
    with context.start({"one": one, "two": dict(one), "three": dict(one)}, cpus=1, memory="256M") as box:
        for name in ("one", "two", "three"):
            box[name].expect(r"^ok: AVX registers", r"^PASS", never=[r"^FAIL"])


@test("a program uses the store, and goes on when the store or it itself restarts")
def store_client(context):
    partitions = {"client": test_program(context, "store_client", store="default"),
                  "alone": test_program(context, "store_client")}
    with context.start(partitions, memory="256M", cpus=2) as box:
        box["alone"].expect(r"^no store: ENODEV")
        box["client"].expect(r"^I am client", r"^children: alpha beta", r"^round 3, [1-9]\d* events", never=[r"^FAIL"])
        box.monitor()
        box.command("part store kill", r"store: ")
        box.command("part client restart", r"client: ")
        box.key("0")
        box["core"].expect(r"store: runs \(life 2\b", r"client: runs \(life 2\b")
        box["client"].expect(r"^I am client", r"^round 3, [1-9]\d* events", never=[r"^FAIL"])


MISTAKES = {
    "null": r"vCPU 0: page fault \(#PF\): write at 0, at or near the null pointer",
    "null-read": r"page fault \(#PF\): read at 0x8, at or near the null pointer",
    "heap": r"the heap is exhausted: 10000 bytes are wanted, \d+ of 1024 KiB are in use",
    "code": r"page fault \(#PF\): write at \S+, in the program's code",
    "constant": r"page fault \(#PF\): write at \S+, in the program's constants",
    "execute-data": r"page fault \(#PF\): execution at \S+, in the partition's memory: it is not executable",
    "divide": r"division by zero",
    "invalid": r"invalid instruction \(#UD\)",
    "abort": r"signal 6 \(6 is abort\)",
    "assert": r"misbehave\.cpp:\d+: .*: assertion failed: zero == 1",
    "vector": r"out of range: vector::_M_range_check: __n \(which is 3\)",
    "last-words": r"it is enough: 42",
    "vcpu": r"vCPU 1: division by zero",
}


@test("a program's mistakes are named on its console")
def mistakes(context):
    partitions = {how: test_program(context, "misbehave", vcpus=2, cpus="0-1", config={"crash": how, "heap": 1024})
                  for how in MISTAKES}
    with context.start(partitions, memory="512M") as box:
        for how, sentence in MISTAKES.items():
            box[how].expect(r"^about to misbehave: " + how, sentence, r"^ *back trace:\n +0x4")
        box["last-words"].expect(r"^these are the last words")
        box["core"].expect(*(rf"^{how}: crashed; it stays down" for how in MISTAKES))
    # The addresses of a back trace are the program's own.
    text = box["divide"].text
    addresses = re.findall(r"^ +(0x4\w+)", text, re.M)
    lines = subprocess.run(["addr2line", "-fCe", os.path.join(context.build, "tests", "programs", "misbehave.debug"),
                            *addresses], stdout=subprocess.PIPE, check=True).stdout.decode()
    if "misbehave" not in lines or "run_program" not in lines:
        raise Failed(f"the back trace leads to: {lines}")


@test("a stack that is overrun ends its partition with a sentence")
def stack(context):
    partitions = {"deep": test_program(context, "misbehave", config={"crash": "stack", "stack": 32}),
                  "hello": program(context, "hello")}
    with context.start(partitions, cpus=1, memory="256M") as box:
        box["core"].expect(r"^deep: crashed: its stack at 0x\w+ is overrun or not mapped")
        box["hello"].expect(r"^slept for")


def figures(box, name, seconds):
    for _ in range(seconds):
        match = box[name].expect(REPORT)
        box[name].expect(r"^us <1:\d+ <2:\d+ .*>=1000:\d+")
    cycle, missed = int(match.group(1)), int(match.group(2))
    return cycle, missed, *(float(match.group(i)) for i in range(3, 7))


@test("plc keeps its deadlines beside partitions that compute all the time")
def plc(context):
    spin = test_program(context, "misbehave", config={"crash": "spin"}, priority=10)
    partitions = {"plc": program(context, "plc", priority=25, config={"rate": 1000, "deadline": 100}),
                  "spin": spin, "other": dict(spin)}
    with context.start(partitions, cpus=1, memory="256M", extra=EXACT) as box:
        box["plc"].expect(r"^control loop at 1000 Hz, deadline 100 us")
        cycle, missed, least, mean, most_of_all, most = figures(box, "plc", 5)
        if missed != 0 or not 4900 <= cycle <= 5100:
            raise Failed(f"{missed} deadlines missed in {cycle} cycles")
        # A switch from another partition takes a few thousand instructions, one a nanosecond here.
        if not 0 < least <= mean <= most_of_all <= most <= 20:
            raise Failed(f"late by {least}, {mean}, {most_of_all}, {most} us")


@test("plc counts the deadlines that a more urgent partition makes it miss")
def missed(context):
    partitions = {"plc": program(context, "plc", priority=10, config={"deadline": 100}),
                  "spin": test_program(context, "misbehave", config={"crash": "spin"}, priority=20,
                                       budget=5000, period=10000)}
    with context.start(partitions, cpus=1, memory="256M", extra=EXACT) as box:
        cycle, lost, *_ = figures(box, "plc", 3)
        # The other one takes half of the time, in one piece of each period: five cycles of ten are late.
        if not 900 <= lost <= 2100:
            raise Failed(f"{lost} deadlines missed, {cycle} cycles")
        if not box["core"].seen(r"^spin: vCPU 0 has used its budget of 5000 us up"):
            raise Failed("the core does not say that a budget is used up")


@test("plc shares its process image with a partition that may only read it")
def process_image(context):
    partitions = {"plc": program(context, "plc", priority=20),
                  "reader": test_program(context, "image_reader")}
    region = {"process-image": {"size": 4096, "writer": "plc", "readers": "reader"}}
    with context.start(partitions, plan={"shared-memory": region}, cpus=1, memory="256M") as box:
        box["plc"].expect(r"^process image in shared memory")
        box["reader"].expect(r"^reader of 4096 bytes, read-only", r"^bell 3: cycle [1-9]\d* at 1000 Hz, level \d+ um",
                             r"page fault \(#PF\): write at \S+, in the mapping window")
        box["core"].expect(r"^reader: crashed; it stays down")
        box["plc"].expect(REPORT)


@test("plc refuses a rate that it cannot keep")
def refused(context):
    partitions = {"fast": program(context, "plc", config={"rate": 100000}),
                  "late": program(context, "plc", config={"rate": 1000, "deadline": 2000})}
    with context.start(partitions, cpus=1, memory="256M") as box:
        box["fast"].expect(r"config: rate = 100000; 1 to 20000 Hz are possible")
        box["late"].expect(r"config: deadline = 2000 us; 1 to the period, 1000 us, is possible")


@test("hello on Xen, the same file")
def hello_on_xen(context):
    with xen(context, program(context, "hello")["kernel"]) as box:
        box.terminal.expect(r"hello from program: 2 vCPUs, 65536 KiB of memory", r"slept for \d\d+ us",
                            r"Dom0 halted")


@test("what a program may rely on, on Xen")
def runtime_checks_on_xen(context):
    with xen(context, test_program(context, "runtime_checks")["kernel"]) as box:
        box.terminal.expect(r"^ok: grants are", r"^ok: a second vCPU", r"^PASS", never=[r"^FAIL"])


@test("plc on Xen, with a slice made by dtc")
def plc_on_xen(context):
    tree = '/dts-v1/; / { compatible = "bulkhead,slice"; name = "plc"; config { rate = <500>; cycles = <1200>; }; };'
    with xen(context, program(context, "plc")["kernel"], tree, cpus=1, extra=EXACT) as box:
        box.terminal.expect(r"control loop at 500 Hz, deadline 1000 us")
        box.terminal.expect(REPORT, r"1200 cycles done, 0 deadlines missed")


@test("a program that wants the store is told on Xen that there is none")
def store_client_on_xen(context):
    with xen(context, test_program(context, "store_client")["kernel"]) as box:
        box.terminal.expect(r"no store: ENODEV")


@test("the SDK builds a program outside of the tree, as its documentation says")
def sdk(context):
    with tempfile.TemporaryDirectory() as outside:
        folder, mine = os.path.join(outside, "sdk"), os.path.join(outside, "mine")
        subprocess.run(["make", "-C", REPOSITORY, "sdk", f"O={folder}", f"B={context.build}"], check=True,
                       stdout=subprocess.DEVNULL)
        shutil.copytree(os.path.join(folder, "template"), mine)
        subprocess.run(["make", "-C", mine, f"SDK={folder}"], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(mine, "template.dts"), encoding="utf-8") as plan:
            status, output = compile_plan(context.build, plan.read(), mine)
        if status != 0:
            raise Failed(output)
        with context.box(os.path.join(mine, "bulkhead.elf"), cpus=1, memory="256M") as box:
            box["mine"].expect(r"^tick 1, \d{10} s since 1970", r"^tick 3,")
            box.attach(1)
            box.send("x")
            box.terminal.expect(r"you typed: x")
        # The documentation's program with sockets, with the line that it says.
        with open(os.path.join(REPOSITORY, "docs", "bare-metal.md"), encoding="utf-8") as page:
            sockets = page.read().split("## Sockets")[1]
        with open(os.path.join(mine, "program.cpp"), "w", encoding="utf-8") as source:
            source.write(re.search(r"```cpp\n(.*?)```", sockets, re.S).group(1))
        with open(os.path.join(mine, "Makefile"), "a", encoding="utf-8") as makefile:
            makefile.write(re.search(r"^    (program\.debug: .*)$", sockets, re.M).group(1) + "\n")
        subprocess.run(["make", "-C", mine, f"SDK={folder}"], check=True, stdout=subprocess.DEVNULL)
        partition = networked(context, "sockets", "10.0.2.40/24", kernel=os.path.join(mine, "program.elf"))
        with context.start({"mine": partition, "debian": linux(run="ping -c 2 10.0.2.40", vif="bridge=lan0",
                                                               extra="bh.ip=10.0.2.41/24")},
                           plan={"networks": {"lan0": {}}}, cpus=1, memory="512M") as box:
            box["mine"].expect(r"^network: address 10\.0\.2\.40")
            box["debian"].expect(r"2 packets transmitted, 2 packets received")


def networked(context, name, address, *, cpus="0", vcpus=1, test=True, kernel=None, **config):
    make = test_program if test else program
    mac = f"02:00:00:00:00:{int(address.split('/')[0].split('.')[3]):02x}"
    partition = make(context, name, cpus=cpus, vcpus=vcpus, store="default", vif=f"mac={mac},bridge=lan0",
                     config={"network": {"address": address, "ipv6": "slaac"}, **config})
    return {**partition, "kernel": kernel} if kernel else partition


@test("plc publishes its figures to another program, on time, while the switch is killed")
def plc_on_a_network(context):
    partitions = {
        "plc": {**networked(context, "plc", "10.0.0.3/24", cpus=("1", "0"), vcpus=2, test=False, rate=1000, deadline=500,
                            publish={"to": "10.0.0.4", "port": 5005}), "priority": 25, "realtime": True},
        "client": networked(context, "net_client", "10.0.0.4/24", peer="10.0.0.3")}
    with context.start(partitions, plan={"networks": {"lan0": {}}}, cpus=2, memory="256M", extra=EXACT) as box:
        datagram = r'^datagram: {"name":"plc","cycle":\d+,"missed":\d+,.*"histogram":\['
        box["client"].expect(r"^network: address 10\.0\.0\.4", datagram, r'^page 1: {"name":"plc","cycle":\d+')
        # The box's start, with other partitions still being built, is no part of it.
        _, missed_at_start, *_ = figures(box, "plc", 1)
        for life in (2, 3):
            box.monitor()
            box.command("part switch kill", r"switch: ")
            box.key("0")
            box["core"].expect(rf"switch: runs \(life {life}\b")
            match = box["client"].expect(r"^page (\d+): ")
            box["client"].expect(datagram, rf"^page {int(match.group(1)) + 2}: ")
            # Three crashes in ten seconds would restart the partitions.
            figures(box, "plc", 5)
        cycle, missed, _, _, most_of_all, _ = figures(box, "plc", 1)
        if missed != missed_at_start or most_of_all > 20:
            raise Failed(f"{missed - missed_at_start} deadlines missed in {cycle} cycles, late by {most_of_all} us")
        if box["core"].seen(r"^(plc|client): (crashed|restarted)"):
            raise Failed("a partition did not survive")
        # And the partitions themselves come back to a switch that goes on.
        for name in ("plc", "client"):
            box.monitor()
            box.command(f"part {name} restart", rf"{name}: ")
            box.key("0")
            box["core"].expect(rf"{name}: runs \(life 2\b")
            box[name].expect(r"^network: address")
            match = box["client"].expect(r"^page (\d+): ")
            box["client"].expect(datagram, rf"^page {int(match.group(1)) + 2}: ")


@test("Debian and a program send each other for a minute what both sum up", full=True)
def minute_with_a_program(context):
    commands = ("dd if=/dev/urandom of=/tmp/file bs=1M count=20; crc32 /tmp/file; end=$(($(date +%s) + 60)); "
                "while [ $(date +%s) -lt $end ]; do nc 10.0.0.4 9000 < /tmp/file; "
                "nc 10.0.0.4 9001 < /dev/null > /tmp/back; crc32 /tmp/back; done; echo a minute is over")
    partitions = {
        "program": networked(context, "net_client", "10.0.0.4/24"),
        "debian": linux(name="debian", run=commands, memory=384, vif="bridge=lan0", extra="bh.ip=10.0.0.1/24")}
    with context.start(partitions, plan={"networks": {"lan0": {}}}, cpus=2, memory="768M") as box:
        there = box["debian"].expect(r"^([0-9a-f]{8})\s").group(1)
        box["debian"].expect(r"^a minute is over")
        received = re.findall(r"^received: ([0-9a-f]{8}) (\d+)", box["program"].text, re.M)
        sent = re.findall(r"^sent: ([0-9a-f]{8}) (\d+)", box["program"].text, re.M)
        back = re.findall(r"^([0-9a-f]{8})\s", box["debian"].text, re.M)[1:]
        if not received or any(each != (there, str(20 << 20)) for each in received):
            raise Failed(f"{there} is sent, and arrives as {received}")
        if not back or [crc for crc, _ in sent[:len(back)]] != back:
            raise Failed(f"the program sends {sent}, and {back} arrives")


@test("Debian and programs talk through the switch: pings, a page, a file there and back", shows="boot network")
def linux_and_programs(context):
    commands = ("ping -c 5 -i 0.2 10.0.0.3; ping -c 2 10.0.0.4; ping -c 2 10.0.0.5; ping -s 8000 -c 2 10.0.0.4; "
                "wget -q -O - http://10.0.0.3/figures.json; wget -q -O - http://10.0.0.3/ | tail -n 1; "
                "dd if=/dev/urandom of=/tmp/file bs=1M count=100; crc32 /tmp/file; "
                "nc 10.0.0.4 9000 < /tmp/file; nc 10.0.0.4 9001 < /dev/null > /tmp/file; crc32 /tmp/file; "
                "for i in 1 2 3 4 5 6 7 8 9 10; do wget -q -O /dev/null http://10.0.0.3/ && echo page $i; done; "
                "ping6 -c 3 fe80::ff:fe00:4%eth0")
    partitions = {
        "plc": networked(context, "plc", "10.0.0.3/24", cpus="0-1", vcpus=2, test=False),
        "echo": networked(context, "net_client", "10.0.0.4/24"),
        "hardware": {**networked(context, "net_client", "10.0.0.5/24"), "type": "pvh"},
        "debian": linux(name="debian", run=commands, memory=384, vif="bridge=lan0", extra="bh.ip=10.0.0.1/24")}
    with context.start(partitions, plan={"networks": {"lan0": {}}}, cpus=2, memory="768M") as box:
        box["debian"].expect(r"5 packets transmitted, 5 packets received", r"2 packets transmitted, 2 packets received")
        for _ in range(2):
            box["debian"].expect(r"2 packets transmitted, 2 packets received")
        box["debian"].expect(r'^{"name":"plc","cycle":\d+', r"</html>")
        # 100 MiB each way.
        there = box["debian"].expect(r"^([0-9a-f]{8})\s").group(1)
        box["echo"].expect(rf"^received: {there} 104857600\b")
        back = box["echo"].expect(r"^sent: ([0-9a-f]{8}) 104857600\b").group(1)
        box["debian"].expect(rf"^{back}\s")
        box["debian"].expect(r"^page 10\s", r"3 packets transmitted, 3 packets received", r"bh.run ended with status 0")
