# SPDX-License-Identifier: BSD-2-Clause
"""The default plan, which `make run` starts: a pv Debian, a pvh Debian and a control loop on one switch, with AMD-V in
QEMU, with VT-x in Bochs, and on a CPU with neither."""

import os
import urllib.request

import plans
import results
from box import Failed, free_port
from suite import test

READY = r"^bulkhead-ramdisk: ready "
NAMES = {"10.0.2.15": "the switch", "10.0.2.16": "gateway", "10.0.2.17": "control", "10.0.2.30": "plc"}
MEBIBYTES = 2
NO_ANSWER = (r"[1-9]\d*% packet loss", r"^netload: \w+: [A-Z]", r"wget: ")


def image(context):
    path = os.path.join(plans.REPOSITORY, "configs", "edge-demo", "edge-demo.dts")
    with open(path, encoding="utf-8") as file:
        # The plan's paths are relative to its own folder.
        text = file.read().replace("../../build/pvdrivers", os.path.join(context.build, "pvdrivers"))
    return plans.image(context.build, text.replace("../../build", plans.SHARED), context.folder)


def guests(context, hardware):
    """What the table of guests may say of them."""
    shown = {"gateway": {"type": "pv", "kernel": plans.kernel("cloud-amd64"), "vcpus": 2},
             "plc": {"type": "pv", "kernel": os.path.join(context.build, "pvdrivers", "plc.elf"), "vcpus": 2}}
    if hardware:
        shown["control"] = {"type": "pvh", "kernel": plans.kernel("amd64"), "vcpus": 1}
    return shown


def all_come_up(box, hardware, **patience):
    box["core"].expect(r"partition 1 gateway: pv, 2 vCPUs",
                       r"partition 2 control: pvh, " if hardware else r"partition 2 control: LEFT OUT: the CPU has neither",
                       r"partition 3 plc: pv, ", **patience)
    box["plc"].expect(r"^process image in shared memory", r"^network: address 10\.0\.2\.30", r"^cycle \d+: ", **patience)
    box["gateway"].expect(READY + ".*name=gateway", **patience)
    if hardware:
        box["control"].expect(READY + ".*name=control", **patience)


def ask(box, command, *answers, **patience):
    """Into the shell of the partition that has the terminal."""
    box.send(command + "\r")
    box.terminal.expect(*answers, never=NO_ANSWER, **patience)


def on_one_switch(box, number, own, others, **patience):
    """From this partition to the others: ping, and TCP to the page of the control loop."""
    box.attach(number)
    box.terminal.expect(r"attached to ", **patience)
    for host in others:
        if host != own:
            ask(box, f"ping -c 2 {host}", r"^2 packets transmitted, 2 packets received", **patience)
    ask(box, "wget -q -O - http://10.0.2.30/figures.json", r'"name":"plc","cycle":\d+', **patience)
    box.key("0")


def transfer(box, sender, receiver, to, **patience):
    """A TCP connection from one Debian to the other, with bytes that the receiver checks."""
    box.attach(receiver)
    ask(box, "netload receive 5001 check & sleep 1; echo list''ens", r"^listens", **patience)
    box.attach(sender)
    ask(box, f"netload send {to} 5001 {MEBIBYTES} check; echo st''atus $?", r"^status 0", **patience)
    box.attach(receiver)
    # The shell tells of the end when it is asked for anything.
    ask(box, "wait; echo d''one", r"^done", **patience)
    box.key("0")


def pv_pvh_and_program(box, **patience):
    on_one_switch(box, 1, "10.0.2.16", NAMES, **patience)
    on_one_switch(box, 2, "10.0.2.17", NAMES, **patience)
    transfer(box, 1, 2, "10.0.2.17", **patience)
    transfer(box, 2, 1, "10.0.2.16", **patience)


def page_of(host, port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=300) as page:
        if b"</html>" not in page.read():
            raise Failed(f"the page of {host} is not whole")


def in_qemu(context, cpu, hardware):
    pages = {host: free_port() for host in ("10.0.2.15", "10.0.2.30")}
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{host}:80" for host, port in pages.items())
    card = ["-netdev", f"user,id=net0{forwards}", "-device", "virtio-net-pci,netdev=net0"]
    context.runs(guests(context, hardware), "QEMU", results.vendor_of(cpu))
    with context.box(image(context), cpus=2, memory="1G", cpu=cpu, extra=card) as box:
        all_come_up(box, hardware)
        if hardware:
            pv_pvh_and_program(box)
        else:
            on_one_switch(box, 1, "10.0.2.16", [host for host in NAMES if host != "10.0.2.17"])
        # From outside, through the box's own card.
        for host, port in pages.items():
            page_of(host, port)
        box.power_off()


test("the default plan: pv, pvh and a program on one switch, AMD-V", shows="boot network", cpu="max,-smap", hardware=True)(in_qemu)
test("the default plan on a CPU without hardware virtualisation", shows="boot network", cpu="qemu64,-svm",
     hardware=False)(in_qemu)


# Bochs runs some 100 million instructions a second: what takes seconds in QEMU takes minutes.
PATIENCE = {"guard": 3000, "silence": 900}


@test("the default plan: pv, pvh and a program on one switch, VT-x", shows="boot network")
def in_bochs(context):
    pages = {host: free_port() for host in ("10.0.2.15", "10.0.2.30")}
    plans.firmware_images(context.build, image(context), context.folder)
    card = ["--card"]
    for host, port in pages.items():
        card += ["--forward", f"tcp:127.0.0.1:{port}-{host}:80"]
    context.runs(guests(context, True), "Bochs", "intel")
    with context.bochs(cpus=2, memory=1024, extra=card) as box:
        box["core"].expect(r"virtualisation: VT-x with EPT: available", **PATIENCE)
        box["switch"].expect(r"^network lan0: uplink 82540EM", **PATIENCE)
        all_come_up(box, True, **PATIENCE)
        pv_pvh_and_program(box, **PATIENCE)
        for host, port in pages.items():
            page_of(host, port)
        box.power_off()
