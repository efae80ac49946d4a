# SPDX-License-Identifier: BSD-2-Clause
"""What system tests have shown of guests. A run leaves a row for each test in test-results.json of the
build folder; `make guests-matrix` takes the rows that show something into tests/system/results.json and
makes the table of docs/guests.md of them; `make check` asks whether it is still that table."""

import json
import os
import re
import subprocess

import plans

RECORD = os.path.join(plans.REPOSITORY, "tests", "system", "results.json")
PAGE = os.path.join(plans.REPOSITORY, "docs", "guests.md")
BEGIN = "<!-- The table is made by `make guests-matrix` of what `make test-full` has shown; `make check` looks. -->"
END = "<!-- End of the table. -->"

# What a test can show of its guests, in the order of the table's cells.
WORDS = ("boot", "stress", "network", "reboot")
KERNELS = {"amd64": "Debian 12 `amd64`", "cloud-amd64": "Debian 12 `cloud-amd64`", "rt-amd64": "Debian 12 `rt-amd64`",
           "runtime": "programs on the runtime"}
NEEDED = {"runtime": ("boot", "network")}
# Type and vendor, and whether the hypervisor emulates nothing for it.
COLUMNS = {("pv", "any"): ("`pv`, any CPU", True), ("pvh", "amd"): ("`pvh`, AMD-V", True),
           ("pvh", "intel"): ("`pvh`, VT-x", True), ("pvh xapic", "amd"): ("`pvh` with xAPIC, AMD-V", False),
           ("pvh xapic", "intel"): ("`pvh` with xAPIC, VT-x", False), ("hvm", "any"): ("`hvm` (full PC)", False)}


# --- Of a test that runs ------------------------------------------------------------------------------

def kernel_of(path):
    """The row of the table that a kernel belongs to; None: it is none of a user's."""
    for folder in ("kernels", "pvdrivers", "programs"):
        match = re.search(rf"/{folder}/([^/]+)(/vmlinuz|\.elf)$", path)
        if match:
            return match.group(1) if folder == "kernels" else "runtime"
    return None


def guest_of(partition, vendor):
    """What runs, where; the CPU's vendor does not matter to `pv`."""
    kernel = kernel_of(str(partition.get("kernel", "")))
    if kernel is None or partition.get("autostart") is False:
        return None
    kind = partition.get("type", "pv")
    if partition.get("apic") == "xapic":
        kind += " xapic"
    return {"kernel": kernel, "type": kind, "vendor": "any" if kind == "pv" else vendor,
            "vcpus": partition.get("vcpus", 1)}


def vendor_of(cpu):
    """Of QEMU's words for its CPU: whose hardware virtualisation it has."""
    return "none" if "-svm" in cpu else "amd"


def commit():
    done = subprocess.run(["git", "-C", plans.REPOSITORY, "describe", "--always", "--dirty", "--abbrev=10"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip() or "unknown"


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").split("\n", 1)[0]


def version(name):
    """Of an emulator, as its package has it."""
    package = {"QEMU": "qemu-system-x86", "Bochs": "bochs"}[name]
    known = first_line("dpkg-query", "-W", "-f", "${Version}", package).split(":")[-1]
    return f"{name} {known or 'of unknown version'}"


def kernel_versions():
    found = {}
    for flavour in KERNELS:
        path = os.path.join(plans.SHARED, "kernels", flavour, "version")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found[flavour] = file.read().strip()
    return found


# --- The files -----------------------------------------------------------------------------------------

def read(path):
    if not os.path.exists(path):
        return {"commit": "unknown", "kernels": {}, "rows": {}}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, record):
    """A row is a line, so that a change of one is seen as one."""
    def text(value):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    rows = ",\n".join(f"  {text(name)}: {text(row)}" for name, row in sorted(record["rows"].items()))
    head = "".join(f" {text(key)}: {text(value)},\n" for key, value in sorted(record.items()) if key != "rows")
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write("{\n" + head + ' "rows": {\n' + rows + "\n }\n}\n")
    os.replace(path + ".part", path)


def merge(record, other):
    """Rows that ran take the place of those of the same name, whatever they said; the rest stays."""
    return {"commit": other["commit"], "kernels": {**record["kernels"], **other["kernels"]},
            "rows": {**record["rows"], **other["rows"]}}


class Run:
    """The rows of one run of the tests: each is in the file as soon as its test has ended."""

    def __init__(self, build):
        self.path = os.path.join(build, "test-results.json")
        self.commit, self.kernels, self.versions = commit(), kernel_versions(), {}

    def add(self, name, passed, seconds, shows, seen):
        """`seen` is what the test has noted of its boxes (suite.Context)."""
        for emulator in seen.emulators:
            self.versions.setdefault(emulator, version(emulator))
        row = {"passed": passed, "commit": self.commit, "seconds": round(seconds), "guests": seen.guests, "shows": shows,
               "on": [self.versions[emulator] for emulator in seen.emulators]}
        if seen.refused:
            row["type"], row["why"] = seen.refused
        write(self.path, merge(read(self.path), {"commit": self.commit, "kernels": self.kernels, "rows": {name: row}}))


# --- The table -----------------------------------------------------------------------------------------

def of_guests(record, declared=None):
    """The rows that the table needs; of tests that are declared no longer, none."""
    rows = {name: {key: value for key, value in row.items() if key != "seconds"}
            for name, row in record["rows"].items()
            if (row["shows"] or "why" in row) and (declared is None or name in declared)}
    return {**record, "rows": rows}


def counts(numbers):
    numbers = sorted(numbers)
    return ", ".join(map(str, numbers)) + (" vCPU" if numbers == [1] else " vCPUs")


def rows_of(kernel, column, rows):
    """The cell's rows: name, row, and the vCPUs of the guests that fit."""
    for name, row in sorted(rows.items()):
        fitting = {guest["vcpus"] for guest in row["guests"]
                   if guest["kernel"] == kernel and (guest["type"], guest["vendor"]) == column}
        if fitting:
            yield name, row, fitting


def cell(kernel, column, record):
    found = list(rows_of(kernel, column, record["rows"]))
    if not found:
        # A type that does not exist: the sentence that refuses it.
        reasons = {row["why"] for row in record["rows"].values()
                   if row["passed"] and "why" in row and row.get("type") == column[0]}
        return f"not supported: {reasons.pop()}" if len(reasons) == 1 else "not tested"
    mark = " †" if any(row["commit"] != record["commit"] for _, row, _ in found) else ""
    failed = [name for name, row, _ in found if not row["passed"]]
    if failed:
        return "**fails**: " + "; ".join(failed) + mark
    shown = {}
    for _, row, vcpus in found:
        for word in row["shows"].split():
            shown.setdefault(word, set()).update(vcpus)
    said = "; ".join(f"{word} with {counts(shown[word])}" for word in WORDS if word in shown)
    missing = [word for word in NEEDED.get(kernel, WORDS) if word not in shown]
    if "boot" in missing:
        return f"not tested, but for {said}{mark}"
    level = "**supported**" if missing or not COLUMNS[column][1] else "**optimised**"
    return f"{level}: {said}" + (f"; not tested: {', '.join(missing)}" if missing else "") + mark


def table(record):
    columns = [column for column in COLUMNS
               if column[0] != "pvh xapic" or any(list(rows_of(kernel, column, record["rows"])) for kernel in KERNELS)]
    lines = ["| guest | " + " | ".join(COLUMNS[column][0] for column in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for kernel, name in KERNELS.items():
        version_of = record["kernels"].get(kernel)
        head = f"{name}, {version_of}" if version_of else name
        lines.append(f"| {head} | " + " | ".join(cell(kernel, column, record) for column in columns) + " |")
    emulators = sorted({emulator for row in record["rows"].values() for emulator in row["on"]})
    lines += ["", f"Shown on {', '.join(emulators)}, at commit {record['commit']}." if emulators else "Nothing was run."]
    others = sorted({row["commit"] for row in record["rows"].values()} - {record["commit"]})
    if others:
        lines.append(f"† holds results of other commits, too: {', '.join(others)}.")
    return "\n".join(lines)


def replaced(page, record):
    """The page with the record's table between its markers."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(record)}\n\n{END}{after}"


def page():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def in_history(name):
    """Whether others can have that commit, too: no changed tree, no branch of somebody's own."""
    return not name.endswith("-dirty") and subprocess.run(
        ["git", "-C", plans.REPOSITORY, "merge-base", "--is-ancestor", name, "HEAD"], stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def only_of(record, is_known):
    """Without rows of commits that are not known; the record's own commit is then the one of most of its rows."""
    rows = {name: row for name, row in record["rows"].items() if is_known(row["commit"])}
    commits = [row["commit"] for row in rows.values()]
    own = max(sorted(set(commits)), key=commits.count) if commits else record["commit"]
    return {**record, "commit": own, "rows": rows}


def take(files, declared):
    """The results of build folders go into the record, the last one's over the others', and the record into the page."""
    known = {}

    def is_known(name):
        return known.setdefault(name, in_history(name))

    record = read(RECORD)
    for path in files:
        if os.path.exists(path):
            record = merge(record, only_of(of_guests(read(path)), is_known))
    record = only_of(of_guests(record, declared), is_known)
    write(RECORD, record)
    text = replaced(page(), record)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    return len(record["rows"])


def page_is_true():
    return page() == replaced(page(), read(RECORD))
