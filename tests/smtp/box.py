# SPDX-License-Identifier: LGPL-2.1-or-later
"""ifaxd as it ships, on this machine's loopback: its own message bus, folders and ports; TAP."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
NAMES = ("smtp", "submission", "submissions")
BUS = """<busconfig><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>"""
UNSTORED = {0x01021994: "tmpfs", 0x858458f6: "ramfs"}
_results = []


def say(text):
    print("#", text, flush=True)


def check(good, name, why=""):
    if not good:
        for line in str(why).splitlines():
            print("#  ", line)
    _results.append(bool(good))
    print(f"{'' if good else 'not '}ok {len(_results)} - {name}", flush=True)
    return bool(good)


def skip(name, why):
    _results.append(True)
    print(f"ok {len(_results)} - {name} # SKIP {why}", flush=True)


def done_testing():
    print(f"1..{len(_results)}", flush=True)
    return 0 if all(_results) else 1


def free_ports(n):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    return ports


def on_disk(path):
    """The name of a file system that keeps nothing, or None."""
    kind = subprocess.run(["stat", "-f", "-c", "%t", path], check=True, capture_output=True, text=True)
    return UNSTORED.get(int(kind.stdout, 16))


class Box:
    """with Box(receive="MaxSessions=5") as box: ..."""

    def __init__(self, receive="", send="", hostname="box.example.test",
                 domains="box.example.test example.test", box="", collect=""):
        self.dir = tempfile.mkdtemp(prefix="ifax-smtp-")
        self.ports = dict(zip(NAMES, free_ports(3)))
        self.address = f"unix:path={self.dir}/bus"
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        self.build = BUILD
        self.certificate = f"{self.dir}/crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", f"{self.dir}/key", "-out", self.certificate],
                       check=True, capture_output=True)
        with open(f"{self.dir}/conf", "w", encoding="utf-8") as file:
            file.write(f"[Box]\nHostname={hostname}\nSpool={self.dir}/spool\n"
                       f"State={self.dir}/state\nWorker={self.dir}/worker\n{box}\n"
                       f"[Send]\nSmarthost=127.0.0.1:9\nSmarthostTLS=none\n{send}\n[Receive]\n"
                       f"Domains={domains}\n"
                       f"Certificate={self.certificate}\nKey={self.dir}/key\n{receive}\n"
                       f"[Collect]\n{collect}\n")
        # What passwords of mailboxes are sealed with.
        with open(f"{self.dir}/ifax.key", "wb") as file:
            file.write(os.urandom(32))
        with open(f"{self.dir}/bus.conf", "w", encoding="utf-8") as file:
            file.write(BUS.format(self.dir))
        self.bus = self.daemon = None

    def __enter__(self):
        self.bus = subprocess.Popen(["dbus-daemon", "--nofork", "--print-address=1",
                                     f"--config-file={self.dir}/bus.conf"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.bus.stdout.readline()
        self.start()
        return self

    def start(self):
        # It hands the sockets over, and becomes ifaxd when somebody connects.
        listen = [w for n in NAMES for w in ("-l", f"127.0.0.1:{self.ports[n]}")]
        with open(f"{self.dir}/log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["systemd-socket-activate", "-E", f"DBUS_SYSTEM_BUS_ADDRESS={self.address}",
                 "-E", f"CREDENTIALS_DIRECTORY={self.dir}", *listen,
                 f"--fdname={':'.join(NAMES)}", f"{BUILD}/ifaxd", "-c", f"{self.dir}/conf"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.ports["smtp"]), 10) as s:
                    if s.recv(100).startswith(b"220"):
                        return
            except OSError:
                pass
            if self.daemon.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("ifaxd does not start: " + self.log())

    def __exit__(self, *_):
        for process in (self.daemon, self.bus):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def ctl(self, *words, stdin=""):
        return subprocess.run([f"{BUILD}/ifaxctl", *words], input=stdin, env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)

    def must(self, *words, stdin=""):
        result = self.ctl(*words, stdin=stdin)
        if result.returncode:
            raise RuntimeError(f"ifaxctl {' '.join(words)}: {result.stderr}")
        return result.stdout

    def pss(self):
        """KiB of the process' memory, shared pages by their share."""
        with open(f"/proc/{self.daemon.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
        return 0
