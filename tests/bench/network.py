# SPDX-License-Identifier: BSD-2-Clause
"""What the network between two Debian partitions on one CPU costs, in instructions."""

import glob
import os
import re
import shutil
import subprocess

from measure import Failed, figures_of
from plans import REPOSITORY, SHARED, linux

# Without ERMS, since Linux copies by single bytes with it, and each counts.
CPU = "max,-smap,-erms"
SINK = "10.9.0.2"
# Linux asks again after a second, which would be all that the time to the first answer shows.
QUICK_ARP = "echo 20 > /proc/sys/net/ipv4/neigh/eth0/retrans_time_ms"
ECHOES = 200
MEBIBYTES = 32
DATAGRAMS = 20_000

# Xen 4.17 with a Linux bridge in its first domain, the same two guests on one emulated CPU, counted in
# the same way: measured once, since it takes half an hour.
XEN = {"tcp": 3_590_000, "tcp_outside": 2_020_000, "echo": 112_800, "echo_outside": 76_600, "udp_outside": 7_584,
       "answer": 17_600_000_000}


def small_ramdisk(runs):
    """busybox, netload and the network driver: what unpacks in little time."""
    output = os.path.join(runs.logs, "network.cpio.gz")
    driver, = glob.glob(os.path.join(SHARED, "kernels", "cloud-amd64", "lib", "modules", "*", "kernel", "drivers", "net",
                                     "xen-netfront.ko"))
    tests = os.path.join(REPOSITORY, "tests", "ramdisk")
    applets = subprocess.run(["busybox", "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    subprocess.run([os.path.join(tests, "pack"), "--output", output, "--module", driver,
                    *[word for applet in applets for word in ("--link", applet)],
                    f"init={os.path.join(tests, 'init')}", f"bin/busybox={shutil.which('busybox')}",
                    f"bin/netload={os.path.join(SHARED, 'ramdisk', 'netload')}"], check=True)
    return output


def partition(name, address, run, ramdisk):
    return linux(name=name, run=run, memory=128, vif="bridge=lan0", cpus="0",
                 extra=f"bh.ip={address}/24") | {"ramdisk": ramdisk}


def measure(runs):
    """What netload printed, and the shares between its markers: ([figures], [{owner: count}])."""
    report = os.path.join(runs.logs, "network.txt")
    plugin = ["-plugin", f"{os.path.join(runs.build, 'bench', 'shares.so')},report={report}"]
    ramdisk = small_ramdisk(runs)
    partitions = {
        "sink": partition("sink", SINK, "netload receive 5001; netload udp-receive 5002", ramdisk),
        "source": partition("source", "10.9.0.1", f"{QUICK_ARP}; netload echo {SINK} {ECHOES}; netload send {SINK} 5001 {MEBIBYTES}; "
                                                  f"sleep 1; netload udp-send {SINK} 5002 {DATAGRAMS} 64", ramdisk),
    }
    image = runs.image("network", partitions, networks={"lan0": {}}, payloads="plain")
    with runs.box("bulkhead-network", image, cpu=CPU, extra=plugin) as box:
        box["source"].expect(r"bh.run ended with status \d+")
        box["sink"].expect(r"bh.run ended with status \d+")
        found = figures_of("netload", box["source"].text) | {
            "datagrams": figures_of("netload", box["sink"].text).get("datagrams")}
    with open(report, encoding="utf-8") as file:
        shares = [{name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)} for line in file]
    if len(shares) != 3 or "ticks_per_datagram" not in found:
        raise Failed("netload did not finish its three measurements; see " + runs.logs)
    with open(os.path.join(os.path.dirname(image), "map.txt"), encoding="utf-8") as file:
        memory = int(re.search(r"^Service switch\n.*?(\d+) MiB", file.read(), re.M | re.S).group(1)) << 20
    return found, shares, memory


def report_network(report, runs):
    found, (echo, tcp, udp), memory = measure(runs)
    report.head("Network between two Debian partitions, one CPU, in instructions", peer="Xen, once")
    mebibyte, round_trip = found["ticks_per_mebibyte"], found["ticks_per_echo"]
    report.row("TCP, each MiB", mebibyte, 2_100_000, XEN["tcp"])
    report.row("  of it outside the guests' own code", mebibyte - tcp["guests"] // MEBIBYTES, 480_000,
               XEN["tcp_outside"], f"{tcp['services'] // MEBIBYTES:,} in the switch")
    report.row("ICMP echo, round trip", round_trip, 55_000, XEN["echo"])
    report.row("  of it outside the guests' own code", round_trip - echo["guests"] // ECHOES, 14_000,
               XEN["echo_outside"], f"{echo['services'] // ECHOES:,} in the switch")
    report.row("UDP datagram of 64 bytes, outside the guests", found["ticks_per_datagram"] - udp["guests"] // DATAGRAMS,
               2_300, XEN["udp_outside"], f"{found['datagrams']:,} of {DATAGRAMS:,} received")
    report.row("memory of the switch, bytes", memory, 4 << 20, 192 << 20)
    report.row("reset to the first answer, plain payloads", found["answers_at_tick"], 6_000_000_000, XEN["answer"])
