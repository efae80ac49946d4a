# SPDX-License-Identifier: BSD-2-Clause
"""Plans that build, and plans that are refused with a sentence."""

import os
import shutil

import plans
from box import Failed, free_port
from plans import linux
from suite import test

# Carried over from xl's configuration line by line; it builds as it stands.
GATEWAY = """/dts-v1/;
/ {
    compatible = "bulkhead,plan";
    model = "gateway on two CPUs";
    networks { lan0 { address = "10.0.0.1/24"; uplink = "none"; }; };
    partitions {
        gateway {
            type = "pv";
            uuid = "cf67710d-b756-086b-8cde-be61d2faca1b";
            memory = <256>;                      /* MiB */
            vcpus = <2>;
            cpus = "0-1";
            kernel = "vmlinuz";                 /* Debian's cloud-amd64 kernel */
            ramdisk = "initrd.gz";
            cmdline = "console=hvc0";
            vif = "mac=00:16:3e:27:95:c0,bridge=lan0";
            on_poweroff = "destroy"; on_reboot = "restart"; on_crash = "restart";
        };
    };
};
"""


@test("a plan in another folder builds, with paths of its own, and starts")
def gateway(context):
    os.makedirs(context.folder, exist_ok=True)
    shutil.copy(plans.kernel("cloud-amd64"), os.path.join(context.folder, "vmlinuz"))
    shutil.copy(plans.ramdisk("cloud-amd64"), os.path.join(context.folder, "initrd.gz"))
    image = plans.image(context.build, GATEWAY, context.folder)
    with open(os.path.join(context.folder, "map.txt"), encoding="utf-8") as file:
        text = file.read()
    for word in ("gateway", "256", "vmlinuz", "console"):
        if word not in text:
            raise Failed(f"map.txt does not mention {word}")
    pages = {host: free_port() for host in ("10.0.2.15", "10.0.2.30")}
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{host}:80" for host, port in pages.items())
    card = ["-netdev", f"user,id=net0{forwards}", "-device", "virtio-net-pci,netdev=net0"]
    with context.box(image, cpus=2, memory="1G", extra=card) as box:
        box["gateway"].expect(r"^bulkhead-ramdisk: ready kernel=\S+ cpus=2")


def with_guest(**changes):
    guest = linux(memory=96)
    guest.update(changes)
    return plans.plan({"guest": guest})


def two(first, second):
    return plans.plan({"one": {**linux(memory=96), **first}, "two": {**linux(memory=96), **second}})


# Name, plan, and what the tool's words must contain.
REFUSED = [
    ("an unknown property", with_guest(memroy=96), ["memroy", "memory"]),
    ("a type that does not exist", with_guest(type="pw"), ["pw", "pv"]),
    ("no memory", with_guest(memory=None), ["memory"]),
    ("too little memory", with_guest(memory=4), ["memory", "MiB"]),
    ("a kernel that is not there", with_guest(kernel="no-such-kernel"), ["no-such-kernel"]),
    ("a kernel that is none", with_guest(kernel="/bin/busybox"), ["busybox"]),
    ("a CPU that cannot exist", with_guest(cpus="0-900"), ["cpus"]),
    ("an action that does not exist", with_guest(on_crash="restrat"), ["restrat", "restart"]),
    ("a uuid that is none", with_guest(uuid="12345"), ["uuid"]),
    ("a duplicate uuid", two({"uuid": "cf67710d-b756-086b-8cde-be61d2faca1b"},
                             {"uuid": "cf67710d-b756-086b-8cde-be61d2faca1b"}), ["uuid"]),
    ("a duplicate MAC", plans.plan({"one": {**linux(), "vif": "mac=00:16:3e:27:95:c0,bridge=lan0"},
                                    "two": {**linux(), "vif": "mac=00:16:3e:27:95:c0,bridge=lan0"}},
                                   networks={"lan0": {"address": "10.0.0.1/24", "uplink": "none"}}), ["00:16:3e"]),
    ("a bridge that does not exist", with_guest(vif="mac=00:16:3e:27:95:c0,bridge=lan7"), ["lan7"]),
]


@test("plans that cannot work are refused with file, line and a sentence")
def refused(context):
    for name, text, words in REFUSED:
        status, output = plans.compile_plan(context.build, text, context.folder, "bad.dts")
        if status == 0:
            raise Failed(f"{name}: was accepted")
        if "bad.dts:" not in output:
            raise Failed(f"{name}: no file and line in: {output.strip()}")
        for word in words:
            if word not in output:
                raise Failed(f"{name}: does not mention {word!r}: {output.strip()}")


@test("all errors of meaning are told in one run, and a syntax error with its line")
def several_errors(context):
    text = with_guest(memroy=96, on_crash="restrat", cpus="0-900")
    status, output = plans.compile_plan(context.build, text, context.folder, "bad.dts")
    if status == 0 or any(word not in output for word in ("memroy", "restrat", "cpus")):
        raise Failed(f"not all errors were told: {output.strip()}")
    status, output = plans.compile_plan(context.build, "/dts-v1/;\n/ { partitions { ", context.folder, "cut.dts")
    if status == 0 or "cut.dts" not in output:
        raise Failed(f"a syntax error was not told: {output.strip()}")


@test("a truncated kernel is refused")
def truncated(context):
    os.makedirs(context.folder, exist_ok=True)
    with open(plans.kernel("cloud-amd64"), "rb") as file:
        head = file.read(3_000_000)
    with open(os.path.join(context.folder, "cut"), "wb") as file:
        file.write(head)
    status, output = plans.compile_plan(context.build, with_guest(kernel="cut"), context.folder, "bad.dts")
    if status == 0 or "cut" not in output:
        raise Failed(f"status {status}: {output.strip()}")
