# SPDX-License-Identifier: BSD-2-Clause
"""What the plugin has seen of the core in each system test (`tests/system/run --stretch`): a row a test in
bench/stretch.json of the build folder, and of a whole run the longest of each kind in tests/bench/stretch.json,
with the commit. tests/bench/run prints them beside their bounds."""

import json
import os

import core_time
import plans
import results

RECORD = os.path.join(plans.REPOSITORY, "tests", "bench", "stretch.json")
# What lines of a report may tell of, but for the hand-over, which has a benchmark of its own.
KINDS = ("stretch", "wait", "shared", "hold", "start")


def path_of(build):
    return os.path.join(build, "bench", "stretch.json")


def longest(functions, reports):
    """Of a test's boxes: {kind: [count, function]}."""
    most = {}
    for path in reports:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            lines = [line.split() for line in file.read().split("\npanic\n")[0].splitlines()]
        for kind, count, *addresses in lines:
            if kind in KINDS and int(count) > most.get(kind, (0,))[0]:
                most[kind] = (int(count), [int(word, 16) for word in addresses])
    return {kind: [count, functions.commonest(addresses if kind == "stretch" else addresses[:1])]
            for kind, (count, addresses) in most.items()}


class Run:
    """The rows of one run: each is in the file as soon as its test has ended."""

    def __init__(self, build):
        self.path, self.commit = path_of(build), results.commit()
        self.functions = core_time.Functions(os.path.join(build, "core.elf"))

    def add(self, name, passed, reports, left_out=None):
        row = {"commit": self.commit, "passed": passed, "boxes": len(reports), "most": longest(self.functions, reports)}
        if left_out:
            row["left_out"] = left_out
        record = results.read(self.path)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        results.write(self.path, {"commit": self.commit, "rows": {**record["rows"], name: row}})


def summary(rows, declared):
    """Of the rows of tests that are declared: what was watched, what was not, and the longest of each kind."""
    rows = {name: row for name, row in rows.items() if name in declared}
    ran = {name: row for name, row in rows.items() if "left_out" not in row}
    most = {}
    for name, row in ran.items():
        for kind, (count, function) in row["most"].items():
            if count > most.get(kind, [0])[0]:
                most[kind] = [count, function, name]
    why = {}
    for row in rows.values():
        if "left_out" in row:
            why[row["left_out"]] = why.get(row["left_out"], 0) + 1
    return {"commit": sorted({row["commit"] for row in ran.values()}), "tests": len(ran),
            "boxes": sum(row["boxes"] for row in ran.values()), "left_out": why,
            "failed": sorted(name for name, row in ran.items() if not row["passed"]),
            "not_run": sorted(set(declared) - set(rows)), "most": most}


def known(build, declared):
    """The summary of this build's runs, or else of the recorded one. None: there is neither."""
    rows = results.read(path_of(build))["rows"]
    if rows:
        return summary(rows, declared)
    if not os.path.exists(RECORD):
        return None
    with open(RECORD, encoding="utf-8") as file:
        return json.load(file)


def record(found):
    with open(RECORD, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1, sort_keys=True)
        file.write("\n")
