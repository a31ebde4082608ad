# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who takes part: ifaxd as it ships, Postfix as Debian sets it up, Postfix's smtp-sink."""
import contextlib
import fcntl
import glob
import os
import pwd
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path.insert(0, f"{TOP}/tests/smtp")
from box import Box, NAMES, free_ports, on_disk  # noqa: E402, F401

BACKLOG = 512       # of ifaxd-smtp.socket
POSTFIX = "/usr/lib/postfix/sbin"


def loopback_up():
    """A network namespace begins with its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)      # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)                         # SIOCSIFFLAGS


def greeted(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as s:
                if s.recv(200).startswith(b"220"):
                    return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


def pss_of(pid):
    """KiB of a process' memory, shared pages by their share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def cpu_of_one(pid):
    total = 0.0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0]) / 1e9
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return total + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def cpu_of(pids):
    """Seconds of processor time of these processes' threads, and of children that they buried."""
    total = 0.0
    for pid in pids:
        # a process that ends meanwhile is its parent's to count
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += cpu_of_one(pid)
    return total


class Ifax(Box):
    """With sockets as its units ask for them: Backlog=512, NoDelay=yes."""
    recipient = "fax@box.example.test"

    def __init__(self, receive="", smarthost=9):
        super().__init__(receive=receive)
        with open(f"{self.dir}/conf", "r+", encoding="utf-8") as file:
            text = file.read().replace("127.0.0.1:9\n", f"127.0.0.1:{smarthost}\n")
            file.seek(0)
            file.write(text)
        self.port = self.ports["smtp"]

    def __enter__(self):
        super().__enter__()
        self.must("users", "add", "fax", "--name", "Fax", "--address", self.recipient)
        return self

    def start(self):
        doors = []
        for name in NAMES:
            door = socket.socket()
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            door.bind(("127.0.0.1", self.ports[name]))
            door.listen(BACKLOG)
            doors.append(door)

        def hand_over():
            # Out of the way first: one of them may be 3, 4 or 5 itself.
            high = [fcntl.fcntl(d.fileno(), fcntl.F_DUPFD, 100) for d in doors]
            for n, fd in enumerate(high):
                os.dup2(fd, 3 + n)
            resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))

        env = dict(self.env, LISTEN_FDS=str(len(doors)), LISTEN_FDNAMES=":".join(NAMES))
        with open(f"{self.dir}/log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", f"{self.build}/ifaxd", "-c",
                 f"{self.dir}/conf"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=hand_over, pass_fds=(3, 4, 5))
        for door in doors:
            door.close()
        self.wait_ready()

    def drained(self):
        """Nothing waits for delivery to others; what is for its users waits for a printer."""
        return not self.must("queue", "list").splitlines()[1:]

    def pids(self):
        return [self.daemon.pid]


class Postfix:
    """As Debian sets it up, but for what the tables say; nothing in a chroot, no name look-ups, no
    pauses when it falls behind, and nothing logged: what could be better for it."""
    recipient = "fax@box.example.test"
    SETTINGS = """
compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = postfix.example.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
biff = no
alias_maps =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
virtual_mailbox_domains = box.example.test
virtual_mailbox_base = {0}/mail
virtual_mailbox_maps = static:fax/
virtual_mailbox_limit = 0
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
relayhost = [127.0.0.1]:{smarthost}
smtp_dns_support_level = disabled
smtpd_tls_cert_file = {0}/crt
smtpd_tls_key_file = {0}/key
"""
    SERVICES = """
127.0.0.1:{port} inet n - n - 200 smtpd
127.0.0.1:{tls} inet n - n - 200 smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n  -  n  60  1  pickup
cleanup   unix  n  -  n  -   0  cleanup
qmgr      unix  n  -  n  300 1  qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -   -  trivial-rewrite
bounce    unix  -  -  n  -   0  bounce
defer     unix  -  -  n  -   0  bounce
trace     unix  -  -  n  -   0  bounce
verify    unix  -  -  n  -   1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -   -  proxymap
proxywrite unix -  -  n  -   1  proxymap
smtp      unix  -  -  n  -   -  smtp
relay     unix  -  -  n  -   -  smtp
showq     unix  n  -  n  -   -  showq
error     unix  -  -  n  -   -  error
retry     unix  -  -  n  -   -  error
discard   unix  -  -  n  -   -  discard
local     unix  -  n  n  -   -  local
virtual   unix  -  n  n  -   -  virtual
anvil     unix  -  -  n  -   1  anvil
scache    unix  -  -  n  -   1  scache
postlog   unix-dgram n - n - 1  postlogd
"""

    def __init__(self, certificate, smarthost=9):
        self.dir = tempfile.mkdtemp(prefix="ifax-bench-postfix-")
        os.chmod(self.dir, 0o755)
        self.port, self.tls_port = free_ports(2)
        nobody = pwd.getpwnam("nobody")
        for name in ("conf", "queue", "data", "mail"):
            os.mkdir(f"{self.dir}/{name}")
        os.chmod(f"{self.dir}/queue", 0o755)
        os.chmod(f"{self.dir}/conf", 0o755)
        shutil.chown(f"{self.dir}/data", "postfix")
        shutil.chown(f"{self.dir}/mail", "nobody")
        for name in ("crt", "key"):
            shutil.copy(os.path.join(os.path.dirname(certificate), name), self.dir)
        with open(f"{self.dir}/conf/main.cf", "w", encoding="ascii") as file:
            file.write(self.SETTINGS.format(self.dir, uid=nobody.pw_uid, gid=nobody.pw_gid,
                                            smarthost=smarthost))
        with open(f"{self.dir}/conf/master.cf", "w", encoding="ascii") as file:
            file.write(self.SERVICES.format(port=self.port, tls=self.tls_port))
        self.master = None

    def __enter__(self):
        env = dict(os.environ, MAIL_CONFIG=f"{self.dir}/conf")
        made = subprocess.run(["/usr/sbin/postfix", "-c", f"{self.dir}/conf", "check"], env=env,
                              capture_output=True, text=True, check=False)
        self.master = subprocess.Popen([f"{POSTFIX}/master", "-c", f"{self.dir}/conf", "-d"], env=env,
                                       stdin=subprocess.DEVNULL)
        if not greeted(self.port):
            self.__exit__()
            raise RuntimeError("Postfix does not start: " + made.stderr)
        return self

    def __exit__(self, *_):
        if self.master and self.master.poll() is None:
            self.master.send_signal(signal.SIGTERM)
            self.master.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)

    def waiting(self):
        """Mails in its queue: incoming, active, deferred."""
        return sum(len(names) for part in ("incoming", "active", "deferred")
                   for _, _, names in os.walk(f"{self.dir}/queue/{part}"))

    def drained(self):
        return not self.waiting()

    def pids(self):
        """Master and all of its children."""
        pid = self.master.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [pid, *map(int, file.read().split())]

    def pss(self):
        return sum(map(pss_of, self.pids()))


class Sink:
    """smtp-sink: takes everything and stores nothing. Counts on its output."""
    recipient = "fax@box.example.test"

    def __init__(self, count=False):
        self.port = free_ports(1)[0]
        self.count, self.mails = count, 0
        self.process = None
        self.news = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/smtp-sink", *(["-c"] if self.count else []), "-u", "nobody",
             f"127.0.0.1:{self.port}", str(BACKLOG)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if self.count else subprocess.DEVNULL)
        if not greeted(self.port):
            raise RuntimeError("smtp-sink does not start")
        if self.count:
            threading.Thread(target=self.read, daemon=True).start()
        return self

    def read(self):
        # "sess=1 quit=1 mesg=23\r", over and over; it is not to be woken by each.
        rest = b""
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            time.sleep(0.003)
            lines = (rest + chunk).split(b"\r")
            rest = lines.pop()
            if lines and b"mesg=" in lines[-1]:
                with self.news:
                    self.mails = int(lines[-1].rpartition(b"mesg=")[2])
                    self.news.notify_all()

    def wait_for(self, mails, seconds):
        with self.news:
            return self.news.wait_for(lambda: self.mails >= mails, seconds)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def drained(self):
        return True

    def pids(self):
        return [self.process.pid]

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
