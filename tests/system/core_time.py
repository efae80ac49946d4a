# SPDX-License-Identifier: BSD-2-Clause
"""The plugin of QEMU that counts the core's instructions from outside (tests/bench/plugin/)."""

import bisect
import collections
import os
import re
import subprocess

from box import Failed


def symbols(elf):
    """(address, size, name) of all functions in an ELF file; C++ ones by their names without arguments."""
    listing = subprocess.run(["nm", "-S", "--demangle", elf], stdout=subprocess.PIPE, check=True).stdout.decode()
    for line in listing.splitlines():
        match = re.match(r"^([0-9a-f]{16}) (?:([0-9a-f]{16}) )?[a-zA-Z] (.*)$", line)
        if match:
            yield int(match.group(1), 16), int(match.group(2) or "1", 16), match.group(3).rsplit("(", 1)[0]


def symbol(elf, name):
    """Address and size of a function."""
    for address, size, found in symbols(elf):
        if found == name:
            return address, size
    raise Failed(f"{elf} has no symbol {name}")


class Functions:
    """Names for addresses of the core."""

    def __init__(self, elf):
        self.table = sorted((address, name) for address, _, name in symbols(elf))
        self.starts = [address for address, _ in self.table]

    def name(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        return self.table[at][1].replace("bulkhead::", "") if at >= 0 else f"{address:#x}"

    def commonest(self, addresses):
        return collections.Counter(self.name(address) for address in addresses).most_common(1)[0][0]


def arguments(build, report, **spans):
    """Arguments of QEMU. Spans are functions whose instructions are counted by themselves: name=function."""
    core = os.path.join(build, "core.elf")
    os.makedirs(os.path.dirname(report), exist_ok=True)
    words = [os.path.join(build, "bench", "core_time.so"), f"report={report}",
             f"entry={symbol(core, 'pvh_entry')[0]:x}"]
    for name, function in spans.items():
        first, size = symbol(core, function)
        words.append(f"span={name}:{first:x}:{first + size:x}")
    return ["-plugin", ",".join(words)]


def watch_stretches(build, report):
    return arguments(build, report, panic="bulkhead::panic", boot="boot_main",
                     ready="enter_guests")
