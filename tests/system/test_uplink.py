# SPDX-License-Identifier: BSD-2-Clause
"""The uplink: drivers of network cards against QEMU's user network, first by themselves (tests/programs/nic_echo.cpp
in the place of the switch), then in the switch with a Debian partition behind it."""

import contextlib
import functools
import hashlib
import http.client
import http.server
import os
import shutil
import socket
import threading
import time

import plans
from box import Failed, free_port
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"

ECHO_PORT = 7
# QEMU's name of the card, with what an IOMMU needs, and the driver's.
CARDS = {
    "virtio": ("virtio-net-pci", "virtio-net"),
    "e1000e": ("e1000e", "82574L"),
    "e1000": ("e1000", "82540EM"),
}
IOMMUS = {
    None: [],
    "intel": ["-device", "intel-iommu,intremap=off"],
    "amd": ["-device", "amd-iommu"],
}


def card_options(card, *, forward=(), iommu=None):
    """QEMU's arguments for a card on its user network."""
    device = CARDS[card][0] + ",netdev=net0,id=card0"
    if card == "virtio" and iommu is not None:
        device += ",iommu_platform=on,disable-legacy=on"
    forwards = "".join(f",hostfwd={rule}" for rule in forward)
    return [*IOMMUS[iommu], "-netdev", f"user,id=net0{forwards}", "-device", device]


def echo_image(context):
    """An image whose switch is nic_echo. One partition has to be there."""
    services = os.path.join(context.folder, "services")
    os.makedirs(services, exist_ok=True)
    shutil.copy(os.path.join(context.build, "pvdrivers", "store.elf"), services)
    shutil.copy(os.path.join(context.build, "tests", "programs", "nic_echo.elf"), os.path.join(services, "switch.elf"))
    hello = {"type": "pv", "memory": 8, "cpus": "1", "kernel": os.path.join(context.build, "pvdrivers", "hello.elf")}
    text = plans.plan({"hello": hello}, networks={"lan0": {"uplink": "first"}})
    return plans.image(context.build, text, context.folder, ("--services", services))


def expect_echo(port, payload):
    """A datagram through the forwarded port comes back as it was. One may get lost: the card has just been reset."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(3)
        for _ in range(10):
            probe.sendto(payload, ("127.0.0.1", port))
            try:
                answer, _ = probe.recvfrom(65535)
            except socket.timeout:
                continue
            if answer != payload:
                raise Failed(f"{len(payload)} bytes sent to the card come back as other {len(answer)} bytes")
            return
    raise Failed(f"{len(payload)} bytes sent to the card never come back")


def drive(context, machine, card, iommu=None):
    port = free_port(socket.SOCK_DGRAM)
    extra = card_options(card, forward=[f"udp:127.0.0.1:{port}-10.0.2.15:{ECHO_PORT}"], iommu=iommu)
    with context.box(echo_image(context), machine=machine, memory="512M", extra=extra) as box:
        switch = box["switch"]
        confined = "trusted" if iommu is None else "confined"
        switch.expect(rf"nic_echo: \w+:\w+ at .*, {confined}")
        switch.expect(rf"nic_echo: {CARDS[card][1]} 52:54:00:12:34:56, link up, ")
        for size in (60, 1514):
            switch.expect(rf"nic_echo: {size} bytes: 512 of 512 echoes")
        switch.expect(r"nic_echo: 10 resets: each ends with an echo")
        switch.expect(r"nic_echo: received .* resets 10, broken 0, .* bad 0", r"nic_echo: ready")
        for size in (1, 18, 999, 1472):
            expect_echo(port, os.urandom(size))
        box.qmp("set_link", name="card0", up=False)
        switch.expect(r"nic_echo: link down")
        box.qmp("set_link", name="card0", up=True)
        switch.expect(r"nic_echo: link up")
        expect_echo(port, b"again")
        # The next life finds the card running, with buffers of the former one.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"crash", ("127.0.0.1", port))
        box["core"].expect(r"switch: runs \(life 2\b")
        switch.expect(r"nic_echo: ready", never=[r"nobody answers", r"no card"])
        expect_echo(port, os.urandom(700))


@contextlib.contextmanager
def web_server(folder):
    """Serves the folder to QEMU's user network, where this machine is 10.0.2.2. Gives the port."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *arguments):  # pylint: disable=redefined-builtin
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def random_file(folder, megabytes):
    """Writes a file named "data". Returns its SHA-256."""
    os.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256()
    with open(os.path.join(folder, "data"), "wb") as file:
        for _ in range(megabytes):
            part = os.urandom(1 << 20)
            file.write(part)
            digest.update(part)
    return digest.hexdigest()


def fetch(port, path):
    """SHA-256 of what a web server in the box gives."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"the box answers {answer.status} for {path}")
    digest = hashlib.sha256()
    while part := answer.read(1 << 16):
        digest.update(part)
    connection.close()
    return digest.hexdigest()


@contextlib.contextmanager
def debian_behind(context, machine, card, *, megabytes, iommu=None):
    """A box with a Debian partition that fetches a file, shows its sum, and serves it. Gives the box, the forwarded
    port and the file's sum."""
    folder = os.path.join(context.folder, "web")
    digest = random_file(folder, megabytes)
    with web_server(folder) as server:
        run = (f"httpd -p 80 -h /tmp; ping -c 3 -i 0.2 10.0.2.2; wget -q -O /tmp/data http://10.0.2.2:{server}/data; "
               "sha256sum /tmp/data; echo serving; sleep 100000")
        guest = linux(name="inside", memory=128 + 2 * megabytes, run=run, vif="mac=00:16:3e:00:00:01,bridge=lan0",
                      cpus="0", extra="bh.ip=10.0.2.20/24 bh.gateway=10.0.2.2")
        port = free_port(socket.SOCK_STREAM)
        extra = card_options(card, forward=[f"tcp:127.0.0.1:{port}-10.0.2.20:80"], iommu=iommu)
        plan = {"networks": {"lan0": {"uplink": "first"}}}
        with context.start({"inside": guest}, plan=plan, machine=machine, memory="768M", extra=extra) as box:
            yield box, port, digest


def outside(context, machine, card, iommu=None):
    """100 MB in and out: in by the card's checksums, out by its segments too, where it has them."""
    with debian_behind(context, machine, card, megabytes=100, iommu=iommu) as (box, port, digest):
        box["switch"].expect(rf"network lan0: uplink {CARDS[card][1]} at ")
        box["inside"].expect(READY, r"3 packets transmitted, 3 packets received", rf"{digest}  /tmp/data", r"^serving")
        if fetch(port, "/data") != digest:
            raise Failed("what the partition sends arrives as something else")


def killed(context, machine, card):
    """Two lives of the switch end while a partition receives, one while it sends. Only two of them by a crash: a third
    one within ten seconds would restart the partition too."""
    with debian_behind(context, machine, card, megabytes=60) as (box, port, digest):
        box["switch"].expect(r"network lan0: uplink ")
        box["inside"].expect(READY, r"3 packets received")
        for end, answer in (("kill", r"switch: crashes now"), ("restart", r"switch: is being restarted")):
            box.monitor()
            box.command(f"part switch {end}", answer)
            box.key("0")        # to the overview, which shows what the partitions say
            box["switch"].expect(r"network lan0: uplink ")
        box["inside"].expect(rf"{digest}  /tmp/data", r"^serving")
        fetched = []
        reader = threading.Thread(target=lambda: fetched.append(fetch(port, "/data")))
        reader.start()
        box.monitor()
        box.command("part switch kill", r"switch: crashes now")
        reader.join()
        if fetched != [digest]:
            raise Failed("what the partition sends while the switch is killed arrives as something else, or not at all")


# The bytes of netload: `at % 251 ^ at / 251`, of which the lower eight bits come again after 251 * 256.
PATTERN = bytes((at % 251 ^ at // 251) & 0xFF for at in range(251 * 256))


def pattern(at, size):
    start = at % len(PATTERN)
    return (PATTERN * (size // len(PATTERN) + 2))[start:start + size]


def receive_all(listener, results):
    """Takes one connection to its end. Adds the number of bytes, or where the first wrong piece begins."""
    connection, _ = listener.accept()
    total = 0
    with connection:
        while part := connection.recv(1 << 18):
            if part != pattern(total, len(part)):
                results.append(f"wrong behind byte {total}")
                return
            total += len(part)
    results.append(total)


def send_for(port, seconds):
    """To a port that leads into the box. Returns the number of bytes, once the other side has read them."""
    total = 0
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(pattern(total, 1 << 18))
            total += 1 << 18
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    return total


def minute(context, machine, card):
    """Out and in at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = (f"netload receive 5001 check & sleep 1; netload send-for 10.0.2.2 {listener.getsockname()[1]} 60 && wait && "
               "echo good; sleep 1000")
        guest = linux(name="inside", memory=128, run=run, vif="mac=00:16:3e:00:00:01,bridge=lan0", cpus="0",
                      extra="bh.ip=10.0.2.20/24 bh.gateway=10.0.2.2")
        port = free_port(socket.SOCK_STREAM)
        extra = card_options(card, forward=[f"tcp:127.0.0.1:{port}-10.0.2.20:5001"])
        received = []
        reader = threading.Thread(target=receive_all, args=(listener, received), daemon=True)
        reader.start()
        plan = {"networks": {"lan0": {"uplink": "first"}}}
        with context.start({"inside": guest}, plan=plan, machine=machine, memory="512M", extra=extra) as box:
            box["switch"].expect(r"network lan0: uplink ")
            box["inside"].expect(READY, r"^netload: listening")
            sent = send_for(port, 60)
            if int(box["inside"].expect(r"^netload: received_and_checked (\d+)").group(1)) != sent:
                raise Failed(f"not all of {sent} bytes that were sent into the box arrive")
            box["inside"].expect(r"^good")
            reader.join(60)
        if len(received) != 1 or not isinstance(received[0], int) or received[0] == 0:
            raise Failed(f"what the partition sends for a minute arrives as: {received}")


def declare():
    for card in CARDS:
        for machine in ("pc", "q35"):
            often = (machine, card) in (("pc", "virtio"), ("q35", "e1000e"), ("pc", "e1000"))
            test(f"the {CARDS[card][1]} driver on {machine}: echoes, resets, a link that goes and comes, a second life",
                 full=not often, machine=machine, card=card)(drive)
            test(f"100 MB from the outside and back by {CARDS[card][1]} on {machine}", full=not often, machine=machine,
                 card=card)(outside)
    for iommu in ("intel", "amd"):
        for card in CARDS:
            test(f"the {CARDS[card][1]} driver behind {iommu}-iommu", full=card != "virtio", machine="q35", card=card,
                 iommu=iommu)(drive)
            test(f"100 MB from the outside and back by {CARDS[card][1]} behind {iommu}-iommu", full=True, machine="q35",
                 card=card, iommu=iommu)(outside)
    for card in CARDS:
        test(f"a minute of TCP with the outside, both ways at once, by {CARDS[card][1]}", full=True, machine="q35",
             card=card)(minute)
    for card in CARDS:
        test(f"a switch with {CARDS[card][1]} is killed while a partition talks to the outside", full=card != "e1000e",
             machine="q35", card=card)(killed)


declare()
