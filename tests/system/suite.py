# SPDX-License-Identifier: BSD-2-Clause
"""How tests are declared, and what a test function gets."""

import os
import re

import core_time
import plans
from box import Box, BochsBox

TESTS = []


class Test:
    def __init__(self, name, function, full, waiting, host_cpus, arguments):
        self.name, self.function, self.full = name, function, full
        self.waiting, self.host_cpus, self.arguments = waiting, host_cpus, arguments


def test(name, *, full=False, waiting=None, host_cpus=1, **arguments):
    """Declares a system test. `full`: only in the full run. `waiting`: not run yet, and why.
    `host_cpus`: how many CPUs of the host it keeps busy. Further arguments go to the function."""
    def declare(function):
        TESTS.append(Test(name, function, full, waiting, host_cpus, arguments))
        return function
    return declare


class Context:
    """What a running test has: folders, and boxes whose logs have its name. `stretches`: the
    plugin that counts the core's instructions watches the boxes."""

    def __init__(self, test_name, build, stretches=False):
        self.build, self.stretches = os.path.abspath(build), stretches
        self.slug = re.sub(r"[^a-z0-9]+", "-", test_name.lower()).strip("-")
        self.folder = os.path.join(self.build, "test-images", self.slug)
        self.logs = os.path.join(self.build, "test-logs")
        self.boxes = 0

    def image(self, partitions, options=(), **properties):
        return plans.image(self.build, plans.plan(partitions, **properties), self.folder, options)

    def box(self, image=None, **options):
        self.boxes += 1
        suffix = "" if self.boxes == 1 else f"-{self.boxes}"
        if self.stretches:
            report = os.path.join(self.build, "bench", "stretch", f"{self.slug}{suffix}.txt")
            options["extra"] = [*options.get("extra", ()), *core_time.watch_stretches(self.build, report)]
        return Box(image, log=os.path.join(self.logs, f"{self.slug}{suffix}.log"), **options)

    def start(self, partitions, *, plan=None, **options):
        """A box with an image of these partitions."""
        return self.box(self.image(partitions, **(plan or {})), **options)

    def start_bochs(self, partitions, *, plan=None, **options):
        """The same in Bochs, from its disk image."""
        plans.firmware_images(self.build, self.image(partitions, **(plan or {})), self.folder)
        self.boxes += 1
        log = os.path.join(self.logs, f"{self.slug}.log" if self.boxes == 1 else f"{self.slug}-{self.boxes}.log")
        return BochsBox(os.path.join(self.folder, "disk.img"), log=log, **options)
