# SPDX-License-Identifier: BSD-2-Clause
"""An emulated box: QEMU with the image, its serial line, and what it has printed.

Every wait is for an event. The guards only end a run in which the event will not
come: silence for a while, too long altogether, a panic of the core, QEMU's end. They
count the emulator's own time (own_time.py), so that a busy host ends no test.
"""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from own_time import OwnTime

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SILENCE_S = 120
GUARD_S = 600
ESCAPE = "\x1d"
# For QEMU: one tick is one instruction, so that what is measured does not depend on the host's load.
EXACT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm"]
EXACT_ONCE = [*EXACT, "-no-reboot"]
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[78=>\\]|[\x00\x07\x0e\x0f\x18]")
SOURCE_LINE = re.compile(r"^(\S{1,32}) *([|+]) (.*)$")
PROMPT = r"bulkhead> "
CORE_PANIC = re.compile(r"^.*\bPANIC\b.*$", re.M)


PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Run in QEMU's process before it is QEMU: no box outlives the tests, however they end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port(kind=socket.SOCK_STREAM):
    """A port of this machine that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Failed(Exception):
    """A test's expectation was not met; the text says which."""


class Stream:
    """Text that grows, and how far it has been read."""

    def __init__(self, box, name):
        self.box, self.name, self.text, self.cursor = box, name, "", 0

    def expect(self, *patterns, guard=GUARD_S, silence=SILENCE_S, never=()):
        """Waits for all patterns, in any order, behind what was expected before.
        Returns the match of the first one. `never` are patterns that end the wait as failed."""
        compiled = [re.compile(p, re.M) for p in patterns]
        bad = [re.compile(p, re.M) for p in never]
        start = self.cursor

        def look():
            for pattern in bad:
                match = pattern.search(self.text, start)
                if match:
                    raise Failed(f"{self.name}: came, but must not: {match.group(0).strip()!r}")
            matches = [pattern.search(self.text, start) for pattern in compiled]
            if all(matches):
                self.cursor = max(match.end() for match in matches)
                return matches[0]
            return None

        def missing():
            absent = [p.pattern for p in compiled if not p.search(self.text, start)]
            return f"{self.name}: did not come: " + ", ".join(repr(p) for p in absent)

        return self.box.wait_until(look, missing, guard, silence)

    def seen(self, pattern):
        """Whether the pattern has come at any time up to now."""
        return re.search(pattern, self.text, re.M)

    def count(self, pattern):
        return len(re.findall(pattern, self.text, re.M))


class Box:
    """Use as a context manager. `terminal` is the serial line without control
    sequences; `box["name"]` the lines of one partition (or "core") in the overview."""

    def __init__(self, image=None, *, log, machine="pc", cpus=2, memory="1G", iso=None, extra=(), cpu="max,-smap",
                 threads="single", boot=None, serial=("-serial", "chardev:serial0"), patience=1):
        """`threads`: QEMU runs the box's CPUs in turn on one CPU of the host ("single"), so that
        several boxes fit beside each other, or each CPU by itself ("multi").
        `serial`: QEMU's arguments for the port at the line (the character device serial0).
        `boot`: QEMU's arguments that say what the box starts from, instead of an image or a CD.
        `patience`: how many times longer than usual events may take."""
        self.patience = patience
        self.lock = threading.Condition()
        self.raw = bytearray()
        self.terminal = Stream(self, "terminal")
        self.sources = {}
        self.current = None
        self.partial = ""
        self.undecoded = b""
        self.last_output = 0.0
        self.ended = False
        self.allow_panic = False
        self.log_path = log
        self.control_path = os.path.abspath(log) + ".qmp"
        if len(self.control_path) > 100:
            self.control_path = f"/tmp/bulkhead-{os.getpid()}-{id(self)}.qmp"
        if boot is None:
            boot = ["-kernel", image] if iso is None else ["-cdrom", iso, "-boot", "d"]
        self.qemu_command = [
            "qemu-system-x86_64", "-accel", f"tcg,thread={threads}", "-cpu", cpu, "-machine", machine,
            "-smp", str(cpus), "-m", str(memory), *boot, "-nodefaults", "-display", "none",
            "-monitor", "none", "-chardev", "stdio,id=serial0,signal=off", *serial,
            "-qmp", f"unix:{self.control_path},server=on,wait=off", *extra]

    def __enter__(self):
        os.makedirs(os.path.dirname(self.log_path), exist_ok=True)
        self.log = open(self.log_path, "wb")
        self.log.write((" ".join(self.qemu_command) + "\n").encode())
        self.qemu = subprocess.Popen(self.qemu_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, bufsize=0, preexec_fn=die_with_parent)
        self._begin(self.qemu.stdout.fileno(), self.qemu.stdin)
        return self

    def _begin(self, output, keys):
        """output: a file descriptor that the line's bytes come from; keys: a file that they go to."""
        self.output, self.keys = output, keys
        self.clock = OwnTime(self.qemu.pid)
        threading.Thread(target=self._read, daemon=True).start()

    def __exit__(self, *_):
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        with self.lock:
            self.lock.wait_for(lambda: self.ended, timeout=10)
        self.log.close()
        if os.path.exists(self.control_path):
            os.unlink(self.control_path)

    def __getitem__(self, source):
        with self.lock:
            return self.sources.setdefault(source, Stream(self, source))

    # --- What comes out ---------------------------------------------------------

    def _read(self):
        while True:
            data = os.read(self.output, 65536)
            with self.lock:
                if not data:
                    self.ended = True
                    self.lock.notify_all()
                    return
                self.raw += data
                self.log.write(data)
                self.log.flush()
                self.last_output = self.clock.now()
                self._digest(data)
                self.lock.notify_all()

    def _digest(self, data):
        text = self.undecoded.decode("latin-1") + data.decode("latin-1")
        # A control sequence may be cut in two by the end of the data.
        cut = re.search(r"\r?(?:\x1b[\[()0-9;?]*)?\Z", text)
        self.undecoded = b""
        if cut.group(0):
            self.undecoded, text = text[cut.start():].encode("latin-1"), text[:cut.start()]
        # The monitor takes its prompt away before a line of the core: that ends a line here.
        text = CONTROL_SEQUENCE.sub("", text.replace("\r\x1b[K", "\n")).replace("\r\n", "\n").replace("\r", "")
        self.terminal.text += text
        *lines, self.partial = (self.partial + text).split("\n")
        for line in lines:
            match = SOURCE_LINE.match(line)
            if match:
                name, mark, rest = match.groups()
                stream = self.sources.setdefault(name, Stream(self, name))
                stream.text += rest if mark == "+" else "\n" + rest

    def wait_until(self, look, missing, guard=GUARD_S, silence=SILENCE_S):
        started = self.clock.now()
        guard, silence = guard * self.patience, silence * self.patience
        with self.lock:
            while True:
                if not self.allow_panic:
                    panic = CORE_PANIC.search(self.terminal.text)
                    # Wait for the rest of the report, so that it is in the log.
                    if panic and (self.ended or self.clock.now() - self.last_output > 3):
                        raise Failed(f"the core panicked: {panic.group(0).strip()}")
                found = look()
                if found:
                    return found
                now = self.clock.now()
                if self.ended:
                    raise Failed(f"the emulator ended; {missing()}")
                if now - started > guard:
                    raise Failed(f"after {guard} s: {missing()}")
                if now - max(self.last_output, started) > silence:
                    raise Failed(f"silence for {silence} s; {missing()}")
                self.lock.wait(timeout=1)

    def require_one_start(self):
        """No panic is said where a CPU ends in a triple fault: the box just begins again."""
        with self.lock:
            if len(re.findall(r"^core +\| Bulkhead .*, compiled with ", self.terminal.text, re.M)) > 1:
                raise Failed("the box was reset")

    def expect_end(self, guard=GUARD_S):
        """Waits for the end of QEMU: the box has switched itself off."""
        started, guard = self.clock.now(), guard * self.patience
        with self.lock:
            while not self.lock.wait_for(lambda: self.ended, timeout=1):
                if self.clock.now() - started > guard:
                    raise Failed(f"the box has not switched itself off in {guard} s")

    # --- What goes in -----------------------------------------------------------

    def send(self, text):
        """Sends keys one at a time, as a person would: a UART has a small FIFO."""
        for byte in text.encode("latin-1"):
            self.keys.write(bytes([byte]))
            self.keys.flush()

    def key(self, character):
        """The escape key, then this one."""
        self.send(ESCAPE + character)

    def monitor(self):
        """Opens the monitor. Returns when its prompt is there."""
        self.key("m")
        self.terminal.expect(PROMPT)

    def command(self, line, *patterns, **guards):
        """A monitor command: waits for the patterns in its output, in any order, and for
        the prompt behind it. Returns the match of the first pattern."""
        self.send(line + "\r")
        match = self.terminal.expect(*patterns, **guards) if patterns else None
        self.terminal.expect(PROMPT)
        return match

    def kill_until_given_up(self, service):
        """With the monitor open: kills a service until three kills came within ten seconds of the box, which takes more
        than three on a busy host. Returns how many; what the core says to the last one is yet to be expected."""
        core = self["core"]
        for kills in range(1, 9):
            before = core.cursor
            self.command(f"part {service} kill", rf"{service}: crashes now")
            core.expect(rf"^{service}: runs \(life {kills + 1}\b")
            if core.seen(rf"^{service}: crashed 3 times in 10 s"):
                core.cursor = before
                return kills
        raise Failed(f"{service} was killed eight times, and never three times in ten seconds")

    def attach(self, number):
        """Turns the terminal to a partition, by number."""
        self.key(str(number))

    def power_off(self):
        """Switches the box off by the monitor, and waits for QEMU's end."""
        self.monitor()
        self.send("poweroff\r")
        self.expect_end()

    def qmp(self, name, /, **arguments):
        """One command to QEMU itself."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            control.connect(self.control_path)
            stream = control.makefile("rw")
            json.loads(stream.readline())
            for request in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "return" in answer or "error" in answer:
                        break
            if "error" in answer:
                raise Failed(f"QEMU: {answer['error']}")
            return answer["return"]


class BochsBox(Box):
    """The same in Bochs, whose CPU has VT-x, from a disk image. Its clock is that of so many instructions
    a second, and its instructions are few: leave time. `extra`: further arguments of the script that starts it."""

    STARTER = os.path.join(REPOSITORY, "platform", "x86", "emulator", "bochs")

    def __init__(self, disk, *, log, cpus=1, memory=512, model="corei7_skylake_x", extra=()):
        super().__init__(log=log, boot=[])
        self.qemu_command = [self.STARTER, "--quiet", "--disk", disk, "--folder", os.path.dirname(disk), "--cpus", str(cpus),
                             "--memory", str(memory), "--model", model, *extra]
