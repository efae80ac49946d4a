# SPDX-License-Identifier: BSD-2-Clause
"""The store, used by Debian's own tools and kernel, and killed under them."""

from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"


def client(name, run, **properties):
    return linux(name=name, memory=96, run=run, store="default", **properties)


@test("Debian's xenstore tools work in a partition")
def tools(context):
    commands = ("xenstore-read name domid; xenstore-list device; xenstore-write data/a one data/b two; "
                "xenstore-read data/a data/b; xenstore-rm data/a; xenstore-exists data/a || echo gone; "
                "xenstore-chmod data/b n1 r2; xenstore-ls -p data; xenstore-ls -f /local/domain/1; xenstore-ls | head -n 3; "
                "xenstore-read /local/domain/2/name || echo refused; xenstore-write /local/domain/2/x y || echo refused too; "
                "cat /sys/devices/system/cpu/online")
    with context.start({"one": client("one", commands), "two": client("two", "sleep 1000")}, cpus=2, memory="512M") as box:
        box["one"].expect(READY, r"^one\s+1\s", r"^one\s+two\s", r"^gone", r'^b = "two"\s+\(n1,r2\)',
                          r'^/local/domain/1/cpu/0/availability = "online"', r'^/local/domain/1/memory/target = "98304"',
                          r"^refused\s", r"^refused too", r"bh.run ended with status 0")
