# SPDX-License-Identifier: LGPL-2.1-or-later
"""ifaxctl panel on a terminal that a test reads as a person does: what stands on the screen."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

PATIENCE = 10
KEYS = {"F1": "\033OP", "F2": "\033OQ", "F3": "\033OR", "F4": "\033OS", "F5": "\033[15~",
        "F10": "\033[21~", "ENTER": "\r", "ESC": "\033", "CLEAR": "\x7f", "RIGHT": "\033OC"}


class Terminal:
    """with Terminal("ifaxctl", "panel") as t: t.key("F1"); t.wait("User code")"""

    def __init__(self, *command, env=None, columns=80, rows=24):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.status = None
        self.pid, self.fd = pty.fork()
        if not self.pid:
            try:
                self.size(columns, rows, 0)
                os.execvpe(command[0], command, dict(env or os.environ, TERM="xterm",
                                                     LANG="C.UTF-8", LC_ALL="C.UTF-8"))
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def size(self, columns, rows, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        self.size(columns, rows, self.fd)

    def read(self, seconds):
        """What comes within that time; false: the program has ended."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.stream.feed(os.read(self.fd, 65536))
            except OSError:
                return False
        return True

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, words, seconds=PATIENCE):
        """Until the words stand on the screen; false: they do not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if words in self.text():
                return True
            if not self.read(0.2):
                break
        return words in self.text()

    def type(self, text):
        os.write(self.fd, text.encode())

    def key(self, name):
        # An escape sequence that follows at once would belong to this key.
        if name == "ESC":
            self.read(0.1)
        self.type(KEYS[name])
        if name == "ESC":
            time.sleep(0.15)

    def enter(self, text, expect):
        """Types an answer, and waits for the next question."""
        self.type(text)
        self.key("ENTER")
        return self.wait(expect)

    def answers(self, *steps):
        """(answer, what stands on the screen then), one after the other; what went wrong, or ""."""
        for text, expect in steps:
            if not self.enter(text, expect):
                return f'after "{text}" there is no "{expect}" in\n{self.text()}'
        return ""

    def ended(self):
        """Its exit status, None: it goes on."""
        end = time.monotonic() + PATIENCE
        while self.status is None and time.monotonic() < end:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status
