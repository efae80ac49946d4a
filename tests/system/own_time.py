# SPDX-License-Identifier: BSD-2-Clause
"""The time that a process has had for itself. On a host that does much else, an emulator waits for a CPU most of
the time; what it would do in a minute by itself may then take ten. Guards that count its own time do not end a
test for that.

Of each second that passes, these do not count: what the busiest thread of the process and its children waited for a CPU
(/proc/PID/task/TID/schedstat), what the host's own hypervisor took away (steal in /proc/stat), and what is missing
because the machine stood still and nobody could look."""

import glob
import os
import threading
import time

LONGEST_LOOK_S = 3


def fields_of(path):
    try:
        with open(path, encoding="ascii") as file:
            return [int(field) for field in file.read().split()]
    except OSError:                         # it has ended
        return []


def busiest_of(pid):
    """(ran, waited) in nanoseconds, of the thread that has run most."""
    busiest = (0, 0)
    for task in glob.glob(f"/proc/{pid}/task/*"):
        fields = fields_of(f"{task}/schedstat")
        busiest = max(busiest, (fields[0], fields[1]) if fields else (0, 0),
                      *(busiest_of(child) for child in fields_of(f"{task}/children")), (0, 0))
    return busiest


def waited_s(pid):
    return busiest_of(pid)[1] / 1e9


def stolen_s():
    """What one CPU of the machine has lost to its hypervisor on average."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    steal = int(fields[8]) if len(fields) > 8 else 0
    return steal / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)


class OwnTime:
    """A clock of a process; look at it once a second or more often. Threads may share it."""

    def __init__(self, pid):
        self.pid = pid
        self.lock = threading.Lock()
        self.own = 0.0
        self.looked = self._look()

    def _look(self):
        return time.monotonic(), waited_s(self.pid), stolen_s()

    def now(self):
        """Seconds of its own since the clock was made."""
        with self.lock:
            look = self._look()
            passed, waited, stolen = (after - before for after, before in zip(look, self.looked))
            # Another thread may have become the busiest one: nothing counts twice, and no time goes back.
            self.own += max(0.0, min(passed, LONGEST_LOOK_S) - max(waited, 0.0) - max(stolen, 0.0))
            self.looked = look
            return self.own
