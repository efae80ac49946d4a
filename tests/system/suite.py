# SPDX-License-Identifier: BSD-2-Clause
"""How tests are declared, and what a test function gets."""

import glob
import importlib
import os
import re

import core_time
import plans
import results
from box import Box, BochsBox

TESTS = []


class Test:
    def __init__(self, name, function, full, waiting, host_cpus, shows, arguments):
        self.name, self.function, self.full = name, function, full
        self.waiting, self.host_cpus, self.shows, self.arguments = waiting, host_cpus, shows, arguments


def test(name, *, full=False, waiting=None, host_cpus=1, shows="", **arguments):
    """Declares a system test. `full`: only in the full run. `waiting`: not run yet, and why.
    `host_cpus`: how many CPUs of the host it keeps busy. `shows`: what it shows of every guest that it
    starts by start() or start_bochs(), for the table of docs/guests.md: words of results.WORDS. Further
    arguments go to the function; what it returns is a word about the run, shown behind its time."""
    unknown = set(shows.split()) - set(results.WORDS)
    if unknown or any(other.name == name for other in TESTS):
        raise ValueError(f"the test {name!r}: shows {unknown}" if unknown else f"two tests are named {name!r}")

    def declare(function):
        TESTS.append(Test(name, function, full, waiting, host_cpus, shows, arguments))
        return function
    return declare


def load():
    """Declares all tests."""
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])


class NotWatched(Exception):
    """The plugin that counts the core's instructions cannot watch this test; the text says why."""


class Context:
    """What a running test has: folders, and boxes whose logs have its name. `stretches`: the
    plugin that counts the core's instructions watches the boxes."""

    # Of a watched box, and of a host that is busy with several.
    WATCHED_PATIENCE = 4

    def __init__(self, test_name, build, stretches=False):
        self.build, self.stretches = os.path.abspath(build), stretches
        self.slug = re.sub(r"[^a-z0-9]+", "-", test_name.lower()).strip("-")
        self.folder = os.path.join(self.build, "test-images", self.slug)
        self.logs = os.path.join(self.build, "test-logs")
        self.boxes, self.reports = 0, []
        # For the table: which guests run where, and what a plan was refused for.
        self.guests, self.emulators, self.refused = [], [], None

    def runs(self, partitions, emulator, vendor):
        """Notes what a box runs. `vendor`: whose hardware virtualisation its CPU has."""
        if emulator not in self.emulators:
            self.emulators.append(emulator)
        for partition in partitions.values():
            guest = results.guest_of(partition, vendor)
            if guest is not None and guest not in self.guests:
                self.guests.append(guest)

    def not_for_watching(self, why):
        """What comes is no box that the plugin can watch: ends a test that is run for that."""
        if self.stretches:
            raise NotWatched(why)

    def image(self, partitions, options=(), **properties):
        if "--core" in options:
            self.not_for_watching("another core than the one that ships")
        return plans.image(self.build, plans.plan(partitions, **properties), self.folder, options)

    def box(self, image=None, **options):
        self.boxes += 1
        suffix = "" if self.boxes == 1 else f"-{self.boxes}"
        if self.stretches:
            report = os.path.join(self.build, "bench", "stretch", f"{self.slug}{suffix}.txt")
            self.reports.append(report)
            options["extra"] = [*options.get("extra", ()), *core_time.watch_stretches(self.build, report)]
            options["patience"] = self.WATCHED_PATIENCE
        return Box(image, log=os.path.join(self.logs, f"{self.slug}{suffix}.log"), **options)

    def start(self, partitions, *, plan=None, **options):
        """A box with an image of these partitions."""
        self.runs(partitions, "QEMU", results.vendor_of(options.get("cpu", "max")))
        return self.box(self.image(partitions, **(plan or {})), **options)

    def bochs(self, **options):
        """A box in Bochs with the disk image that is in the test's folder."""
        self.not_for_watching("Bochs, which has no plugins")
        self.boxes += 1
        log = os.path.join(self.logs, f"{self.slug}.log" if self.boxes == 1 else f"{self.slug}-{self.boxes}.log")
        return BochsBox(os.path.join(self.folder, "disk.img"), log=log, **options)

    def start_bochs(self, partitions, *, plan=None, **options):
        """The same as start(), in Bochs."""
        self.not_for_watching("Bochs, which has no plugins")
        self.runs(partitions, "Bochs", "amd" if "ryzen" in options.get("model", "") else "intel")
        plans.firmware_images(self.build, self.image(partitions, **(plan or {})), self.folder)
        return self.bochs(**options)
