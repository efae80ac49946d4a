# SPDX-License-Identifier: BSD-2-Clause
"""The plugin of QEMU that counts the core's instructions from outside (tests/bench/plugin/)."""

import os
import re
import subprocess

from box import Failed


def symbol(elf, name):
    """Address and size of a function in an ELF file; a C++ one by its name without arguments."""
    listing = subprocess.run(["nm", "-S", "--demangle", elf], stdout=subprocess.PIPE, check=True).stdout.decode()
    for line in listing.splitlines():
        match = re.match(r"^([0-9a-f]{16}) (?:([0-9a-f]{16}) )?[a-zA-Z] (.*)$", line)
        if match and match.group(3).rsplit("(", 1)[0] == name:
            return int(match.group(1), 16), int(match.group(2) or "1", 16)
    raise Failed(f"{elf} has no symbol {name}")


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
    return arguments(build, report, relax="bulkhead::machine::relax", panic="bulkhead::panic")
