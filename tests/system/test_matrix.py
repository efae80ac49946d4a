# SPDX-License-Identifier: BSD-2-Clause
"""Cells of the table of guests (docs/guests.md) that no other test shows, and whether the table says what
results say."""

import os

import plans
import results
from box import Failed
from plans import linux
from suite import test

READY = r"^bulkhead-ramdisk: ready"
BROKEN = (r"Kernel panic", r"^stress: FAIL", r"^stress: .* [1-9]\d* failed")
PATIENCE = {"guard": 3000, "silence": 900}


def network_and_reboot(context, start, flavour, kind, vcpus, apic=None, **options):
    """A guest pings its neighbour over the switch with its PV driver, reboots, and does it again."""
    def guest(number, run, **properties):
        return {**linux(flavour, run=run, memory=128 if flavour == "cloud-amd64" else 192, vcpus=vcpus,
                        vif=f"mac=00:16:3e:00:00:0{number},bridge=lan0", extra=f"bh.ip=10.9.0.{number}/24",
                        **properties), "type": kind, "apic": apic}
    guests = {"one": guest(1, "sleep 1; ping -c 3 -i 0.2 10.9.0.2 && echo good", then="reboot", on_reboot="restart"),
              "two": guest(2, "sleep 100000")}
    with getattr(context, start)(guests, plan={"networks": {"lan0": {}}}, memory=768, **options) as box:
        box["two"].expect(READY, never=BROKEN, **PATIENCE)
        for life in (2, 3):
            box["one"].expect(READY, r"^3 packets transmitted, 3 packets received", r"^good", never=BROKEN, **PATIENCE)
            box["core"].expect(rf"one: asked for a reboot; restarting as on_reboot says \(life {life}\)", **PATIENCE)


for kernel in ("amd64", "cloud-amd64", "rt-amd64"):
    for vcpus in (1, 2):
        for kind, where in (("pv", ""), ("pvh", ", AMD-V")):
            test(f"network and reboot of {kernel}, {kind}, {vcpus} vCPU{where}", shows="boot network reboot",
                 full=(kernel, kind, vcpus) != ("cloud-amd64", "pvh", 2), start="start", flavour=kernel, kind=kind,
                 vcpus=vcpus)(network_and_reboot)
    test(f"network and reboot of {kernel}, pvh, 2 vCPU, xAPIC, AMD-V", shows="boot network reboot", full=True, start="start",
         flavour=kernel, kind="pvh", vcpus=2, apic="xapic")(network_and_reboot)
    test(f"network and reboot of {kernel}, pvh, 1 vCPU, VT-x", shows="boot network reboot", full=True,
         start="start_bochs", flavour=kernel, kind="pvh", vcpus=1)(network_and_reboot)


@test("a full PC is refused with a sentence")
def full_pc(context):
    status, output = plans.compile_plan(context.build, plans.plan({"pc": {**linux(), "type": "hvm"}}), context.folder)
    said = 'is "hvm": '
    if status == 0 or said not in output:
        raise Failed(f"status {status}: {output.strip()}")
    context.refused = "hvm", output.split(said, 1)[1].split(";")[0].split("\n")[0]


# --- The table -----------------------------------------------------------------------------------------

def row(words, *, passed=True, commit="new", **guest):
    guest = {"kernel": "amd64", "type": "pvh", "vendor": "amd", "vcpus": 1, **guest}
    return {"passed": passed, "commit": commit, "guests": [guest], "shows": words, "on": ["QEMU 0"]}


def record(**rows):
    return {"commit": "new", "kernels": {}, "rows": rows}


@test("a cell of the table of guests says no more than the results do")
def cells(_):
    refused = {"passed": True, "commit": "new", "guests": [], "shows": "", "on": [], "type": "hvm", "why": "a reason"}
    everything = row("boot stress network reboot", vcpus=2)
    cases = [
        (("pvh", "amd"), record(), "not tested"),
        (("pvh", "amd"), record(a=row("boot", vendor="intel"), b=row("boot", kernel="rt-amd64")), "not tested"),
        (("pvh", "amd"), record(a=row("boot"), b=row("boot stress", vcpus=4)),
         "**supported**: boot with 1, 4 vCPUs; stress with 4 vCPUs; not tested: network, reboot"),
        (("pvh", "amd"), record(a=everything),
         "**optimised**: boot with 2 vCPUs; stress with 2 vCPUs; network with 2 vCPUs; reboot with 2 vCPUs"),
        (("pvh", "amd"), record(a=everything, b=row("boot", passed=False)), "**fails**: b"),
        (("pvh", "amd"), record(a=row("boot", commit="old")),
         "**supported**: boot with 1 vCPU; not tested: stress, network, reboot †"),
        (("pvh xapic", "amd"), record(a=row("boot stress network reboot", type="pvh xapic")),
         "**supported**: boot with 1 vCPU; stress with 1 vCPU; network with 1 vCPU; reboot with 1 vCPU"),
        (("hvm", "any"), record(a=refused), "not supported: a reason"),
        (("hvm", "any"), record(a={**refused, "passed": False}), "not tested"),
    ]
    for column, given, wanted in cases:
        got = results.cell("amd64", column, given)
        if got != wanted:
            raise Failed(f"{column}: {got!r}, not {wanted!r}")


@test("a run of some tests replaces the results of those only")
def merged(context):
    path = os.path.join(context.folder, "results.json")
    os.makedirs(context.folder, exist_ok=True)
    results.write(path, record(a=row("boot"), b=row("boot", passed=False), c=row("")))
    again = {"commit": "newer", "kernels": {"amd64": "6.1"}, "rows": {"b": row("boot", commit="newer")}}
    results.write(path, results.merge(results.read(path), again))
    got = results.read(path)
    if got != {**again, "rows": {"a": row("boot"), "b": row("boot", commit="newer"), "c": row("")}}:
        raise Failed(f"merged: {got}")
    if set(results.of_guests(got, {"a", "c"})["rows"]) != {"a"}:
        raise Failed("the table takes tests that show nothing or are gone")
    known = results.only_of(got, lambda commit: commit == "new")
    if set(known["rows"]) != {"a", "c"} or known["commit"] != "new":
        raise Failed(f"the table takes results of commits that nobody else has: {known}")


@test("the table of guests in the documentation is that of the recorded results")
def documented(_):
    if not results.page_is_true():
        raise Failed("docs/guests.md differs from what tests/system/results.json makes: `make guests-matrix`")
