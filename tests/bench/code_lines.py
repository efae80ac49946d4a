# SPDX-License-Identifier: BSD-2-Clause
"""Lines of code in ring 0, comments and blanks apart, by area."""

import glob
import os
import re

from plans import REPOSITORY

# What runs in ring 0 while guests run. The first area whose folder a file is in has it.
AREAS = (
    ("core/pv", "PV partitions"),
    ("core/monitor", "monitor"),
    ("core/console", "console"),
    ("core/devices", "devices"),
    ("core", "the rest of the core"),
    ("hvm/cpu", "hardware partitions"),
    ("platform/x86", "platform"),
    ("boot", "entries from firmware"),
)
# Programs of their own, and what is in no image: shown, but no part of the sum.
APART = (
    ("boot/loader/", "loaders, before the core starts"),
    ("core/pv/invariants", "checker, in checked builds only"),
    ("core/checked", "checker, in checked builds only"),
)
ELSEWHERE = ("boot/plan/", "boot/image/")       # on the developer's machine
SOURCE = re.compile(r"\.(cpp|hpp|c|S|lds)$")


def code_lines(text):
    """Lines with something other than blanks and comments. Strings never hold comment marks here
    that would make a line vanish: what precedes them is code."""
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group(0).count("\n"), text, flags=re.S)
    return sum(1 for line in text.splitlines() if re.sub(r"//.*", "", line).strip())


def ring0_files():
    for folder in ("boot", "core", "hvm/cpu", "platform/x86"):
        for path in glob.glob(os.path.join(REPOSITORY, folder, "**", "*"), recursive=True):
            name = os.path.relpath(path, REPOSITORY)
            # The C library's headers are settings of newlib and GCC, not code.
            if SOURCE.search(name) and "/libc/include/" not in name and not name.startswith(ELSEWHERE):
                yield name


def area_of(name):
    return next(text for start, text in (*APART, *AREAS) if name.startswith(start))


def ring0_lines():
    """({area: lines} of ring 0, {area: lines} of what is apart from it)"""
    lines = {text: 0 for _, text in (*AREAS, *APART)}
    for name in ring0_files():
        with open(os.path.join(REPOSITORY, name), encoding="utf-8") as file:
            lines[area_of(name)] += code_lines(file.read())
    apart = {text: lines.pop(text) for text in dict.fromkeys(text for _, text in APART)}
    return lines, apart


def report_lines(report, at_most):
    lines, apart = ring0_lines()
    report.row("ring 0, lines of code", sum(lines.values()), at_most)
    for area, count in sorted(lines.items(), key=lambda item: -item[1]):
        report.row(f"  {area}", count)
    for area, count in apart.items():
        report.row(f"not in it: {area}", count)
