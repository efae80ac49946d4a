# SPDX-License-Identifier: BSD-2-Clause
"""The switch's own host: status page, metrics and diagnosis port, from inside and from outside."""

import contextlib
import html.parser
import http.client
import re
import socket

from box import Failed, free_port
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"
HOST = {"address": "10.9.0.254/24", "host-name": "edge", "diagnosis": {"port": 7777, "from": "10.9.0.1/32"}}


def guest(number, run, **properties):
    return linux(run=run, memory=96, vif=f"mac=00:16:3e:00:00:{number:02x},bridge=lan0", extra=f"bh.ip=10.9.0.{number}/24",
                 **properties)


@test("a Debian partition reads the status page, the metrics and the diagnosis port")
def inside(context):
    commands = ("ping -c 2 10.9.0.254 && wget -q -O /tmp/page http://10.9.0.254/ && grep -c gateway /tmp/page && tail -n 1 /tmp/page; "
                "wget -q -O - http://10.9.0.254/metrics | grep ^bulkhead_port_up; "
                "wget -q -O - http://10.9.0.254/nothing || echo refused; "
                "(echo parts; echo log) | nc 10.9.0.254 7777; echo; echo done")
    guests = {"gateway": guest(1, commands), "control": guest(2, "nc -w 5 10.9.0.254 7777 < /dev/null | grep Bulkhead || echo no diagnosis")}
    with context.start(guests, plan={"networks": {"lan0": HOST}}, cpus=1, memory="512M") as box:
        box["switch"].expect(r"^network lan0: the switch is 10\.9\.0\.254, status page http://10\.9\.0\.254/")
        box["gateway"].expect(READY, r"^2 packets transmitted, 2 packets received", r"^.*</html>",
                              r'^bulkhead_port_up\{network="lan0",port="gateway/0"\} 1',
                              r'^bulkhead_port_up\{network="lan0",port="host"\} 1', r"404 Not Found", r"^refused",
                              r"^ 1  gateway +running ", r"gateway: runs \(life 1", r"^done")
        box["control"].expect(READY, r"^no diagnosis")


@test("the status page is back when its service has been killed")
def killed(context):
    loop = "while :; do wget -q -O - http://10.9.0.254/metrics | grep ^bulkhead_partition_lives_total.*switch; sleep 1; done"
    with context.start({"gateway": guest(1, loop)}, plan={"networks": {"lan0": HOST}}, cpus=1, memory="512M") as box:
        box["gateway"].expect(READY, r'^bulkhead_partition_lives_total\{partition="switch"\} 1')
        box.monitor()
        box.command("part switch kill", r"switch: ")
        box.key("0")
        box["gateway"].expect(r'^bulkhead_partition_lives_total\{partition="switch"\} 2')


# --- From outside, through a card of the box --------------------------------------

OUTSIDE = {"address": "10.0.2.15/24", "gateway": "10.0.2.2", "uplink": "first", "host-name": "edge"}


def fetch(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def exchange(port, request):
    """What the server answers to any bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while more := connection.recv(4096):
            answer += more
        return answer


class Tags(html.parser.HTMLParser):
    """Fails on elements that are not closed, on scripts, and on anything that a browser would fetch."""

    ALONE = {"meta", "link", "path"}

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag == "script" or any(name.startswith("on") or name == "src" for name, _ in attrs):
            raise Failed(f"the page has a {tag} with {attrs}")
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise Failed(f"the page closes {tag} at the wrong place")


def samples(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_0-9]+(?:\{[^}]*\})?) ([0-9.]+)', line)
            if not match:
                raise Failed(f"no sample: {line!r}")
            found[match.group(1)] = float(match.group(2))
    return found


def check_from_outside(context, card):
    port = free_port()
    guests = {"gateway": linux(run="ping 10.0.2.15 > /dev/null", memory=96, vif="bridge=lan0", extra="bh.ip=10.0.2.20/24")}
    extra = ["-netdev", f"user,id=outside,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80", "-device", f"{card},netdev=outside"]
    with context.start(guests, plan={"networks": {"lan0": OUTSIDE}}, cpus=1, memory="512M", extra=extra) as box:
        box["switch"].expect(r"^network lan0: the switch is 10\.0\.2\.15,")
        box["gateway"].expect(READY)
        status, headers, page = fetch(port, "/")
        if status != 200 or not headers["Content-Type"].startswith("text/html"):
            raise Failed(f"the page: {status} {headers}")
        tags = Tags()
        tags.feed(page)
        if tags.open or "gateway/0" not in page or "uplink" not in page:
            raise Failed("the page is not whole")
        box.wait_until(lambda: samples(fetch(port, "/metrics")[2])['bulkhead_port_sent_frames_total{network="lan0",port="gateway/0"}'] > 3,
                       lambda: "no echo of the host is counted")
        uplink = 'bulkhead_port_received_bytes_total{network="lan0",port="uplink"}'
        first, second = (samples(fetch(port, "/metrics")[2])[uplink] for _ in range(2))
        if not 0 < first < second:
            raise Failed(f"the uplink counts {first}, then {second}")
        for path, method, expected in (("/x", "GET", 404), ("/", "POST", 405), ("/" + "x" * 300, "GET", 414)):
            if (status := fetch(port, path, method)[0]) != expected:
                raise Failed(f"{method} {path[:9]}: {status}")
        if not exchange(port, b"\x00\xff\r\n\r\n").startswith(b"HTTP/1.1 400 "):
            raise Failed("garbage is not refused")


@test("the status page through a virtio card")
def virtio(context):
    check_from_outside(context, "virtio-net-pci")


@test("the status page through an Intel 82574L")
def e1000e(context):
    check_from_outside(context, "e1000e")


@test("the status page through an Intel 82540EM")
def e1000(context):
    check_from_outside(context, "e1000")
