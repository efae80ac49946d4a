# SPDX-License-Identifier: BSD-2-Clause
"""One OpenOCD that is asked by its Tcl port, and what its complaints mean."""

import os
import re
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
END = b"\x1a"


class Refused(Exception):
    """Why it cannot be done, as a sentence."""


LOST = "the connection to the board broke off: the cable was unplugged or the board lost power"
MEANINGS = (
    (r"Failed to connect|Connection refused|unable to open ftdi|no device found",
     "the adapter does not answer: is it plugged in, and may this user open it?"),
    (r"all zeroes|all ones|scan chain interrogation failed|TDO seems to be stuck",
     "nothing answers on JTAG: is the board powered, and is the cable the right way round?"),
    (r"remote_bitbang: socket closed|remote_bitbang_fill_buf|read_socket|Failed to receive|write_socket|JTAG failure|Broken pipe|Connection reset",
     LOST),
    (r"[Uu]nknown flash device|ID 0x00ffffff|ID 0x000000\b",
     "OpenOCD does not know this flash chip"),
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


class OpenOcd:
    """Use as a context manager."""

    def __init__(self, board, log):
        self.board = os.path.join(HERE, "boards", board + ".cfg")
        self.log_path = log
        if not os.path.exists(self.board):
            boards = sorted(name[:-4] for name in os.listdir(os.path.join(HERE, "boards")))
            raise Refused(f"there is no board {board}; there are {', '.join(boards)}")

    def __enter__(self):
        port = free_port()
        with open(self.log_path, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    ["openocd", "-s", HERE, "-f", self.board, "-c",
                     f"gdb_port disabled; telnet_port disabled; tcl_port {port}; init"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            except FileNotFoundError:
                raise Refused("OpenOCD is not installed: apt-get install openocd") from None
        while True:
            try:
                self.socket = socket.create_connection(("localhost", port), timeout=600)
                break
            except OSError:
                if self.process.poll() is not None:
                    raise Refused(self.meaning("OpenOCD ended")) from None
                time.sleep(0.05)
        self.rest = b""
        return self

    def __exit__(self, *_):
        try:
            self.socket.sendall(b"shutdown" + END)
        except OSError:
            pass
        self.socket.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def meaning(self, what):
        """A sentence for what went wrong, from what OpenOCD has printed."""
        log = self.log()
        for pattern, sentence in MEANINGS:
            if re.search(pattern, log):
                return sentence
        errors = [line[7:].strip() for line in log.splitlines() if line.startswith("Error:")]
        return f"{what}: {errors[-1]}" if errors else f"{what}; its output is in {self.log_path}"

    def call(self, command):
        """The text that a command printed. Refused, if it failed."""
        script = f"if {{[catch {{capture {{{command}}}}} text]}} {{return \"failed $text\"}} else {{return \"good $text\"}}"
        try:
            self.socket.sendall(script.encode() + END)
            while END not in self.rest:
                data = self.socket.recv(65536)
                if not data:
                    raise OSError
                self.rest += data
        except OSError:
            # It was connected before: OpenOCD gives up without a word when its adapter vanishes.
            raise Refused(LOST) from None
        answer, self.rest = self.rest.split(END, 1)
        state, _, text = answer.decode(errors="replace").partition(" ")
        # Some of its commands fail without saying so by their result.
        if state != "good" or re.search(r"^Error:|socket closed|JTAG failure", text, re.M):
            raise Refused(self.meaning(text.strip().splitlines()[-1] if text.strip() else command))
        return text
