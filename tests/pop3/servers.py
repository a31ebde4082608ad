# SPDX-License-Identifier: LGPL-2.1-or-later
"""POP3 servers of others on this machine's loopback, and ifaxd that collects from them."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, f"{TOP}/tests/smtp")
from box import Box, free_ports  # noqa: E402

PASSWORD = "secret"


def greeted(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as s:
                if s.recv(200).startswith(b"+OK"):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def stop(process, seconds=20):
    if not process or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Dovecot:
    """Debian's, without any right of root's: it runs as "nobody" where root starts it. Whoever
    comes with the password has the maildir of that name."""
    SETTINGS = """
base_dir = {0}/run
log_path = {0}/log
protocols = pop3
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
ssl = {ssl}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
mail_location = maildir:{0}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
pop3_uidl_format = %08Xu%08Xv
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={0}/mail/%u
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service pop3-login {{
  chroot =
  process_min_avail = 1
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {tls_port}
  }}
}}
mail_max_userip_connections = 1000
{more}
"""

    def __init__(self, more="", certificate=None, key=None, mechanisms="plain",
                 password=PASSWORD):
        self.dir = tempfile.mkdtemp(prefix="ifax-pop3-")
        self.port, self.tls_port = free_ports(2)
        entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.user, self.uid, self.gid = entry.pw_name, entry.pw_uid, entry.pw_gid
        import grp
        group = grp.getgrgid(self.gid).gr_name
        ssl = "no"
        if certificate:
            for path in (certificate, key):
                shutil.copy(path, f"{self.dir}/")
            ssl = (f"yes\nssl_cert = <{self.dir}/{os.path.basename(certificate)}\n"
                   f"ssl_key = <{self.dir}/{os.path.basename(key)}")
        os.mkdir(f"{self.dir}/mail")
        os.mkdir(f"{self.dir}/run")
        with open(f"{self.dir}/conf", "w", encoding="ascii") as file:
            file.write(self.SETTINGS.format(self.dir, user=self.user, group=group, port=self.port,
                                            tls_port=self.tls_port, password=password, more=more,
                                            ssl=ssl, mechanisms=mechanisms))
        self.give(self.dir)
        self.process, self.filled = None, 0

    def give(self, top):
        """To the server's user, with all that is in it."""
        os.chmod(top, 0o755)
        if os.geteuid():
            return
        os.chown(top, self.uid, self.gid)
        for where, folders, files in os.walk(top):
            for name in folders + files:
                os.chown(f"{where}/{name}", self.uid, self.gid)

    def __enter__(self):
        who = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{self.dir}/conf"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, **who)
        if not greeted(self.port):
            self.process.kill()
            said = self.process.stderr.read().decode()
            self.__exit__()
            raise RuntimeError("Dovecot does not start: " + said)
        return self

    def __exit__(self, *_):
        stop(self.process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def fill(self, login, mails):
        """More mails for that mailbox: bytes with LF at the ends of lines."""
        top = f"{self.dir}/mail/{login}"
        if not os.path.exists(top):
            for name in ("cur", "new", "tmp"):
                os.makedirs(f"{top}/{name}")
            self.give(top)
        for mail in mails:
            self.filled += 1
            name = f"{1700000000 + self.filled}.M1.box"
            size = len(mail) + mail.count(b"\n")
            with open(f"{top}/tmp/{name}", "wb") as file:
                file.write(mail)
                os.fchown(file.fileno(), self.uid, self.gid)
            os.rename(f"{top}/tmp/{name}", f"{top}/cur/{name},S={len(mail)},W={size}:2,")

    def left(self, login):
        """Names of the mails that are still there."""
        top = f"{self.dir}/mail/{login}"
        return [name for part in ("cur", "new") for name in os.listdir(f"{top}/{part}")]


class Collecting(Box):
    """A box with a key, so that it can keep passwords of mailboxes."""

    def __init__(self, collect="", **more):
        super().__init__(collect=collect, **more)
        os.mkdir(f"{self.dir}/credentials", 0o700)
        with open(f"{self.dir}/credentials/ifax.key", "wb") as file:
            file.write(os.urandom(32))
        self.env["CREDENTIALS_DIRECTORY"] = f"{self.dir}/credentials"
        # The servers here may have the box's own certificate.
        self.env["SSL_CERT_FILE"] = self.certificate

    def start(self):
        # systemd-socket-activate hands on what it is told to and no more.
        listen = [w for n, port in self.ports.items() for w in ("-l", f"127.0.0.1:{port}")]
        keep = [w for n in ("DBUS_SYSTEM_BUS_ADDRESS", "CREDENTIALS_DIRECTORY", "SSL_CERT_FILE")
                for w in ("-E", f"{n}={self.env[n]}")]
        with open(f"{self.dir}/log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["systemd-socket-activate", *keep, *listen, f"--fdname={':'.join(self.ports)}",
                 f"{self.build}/ifaxd", "-c", f"{self.dir}/conf"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_ready()

    def add_user(self, code, port, *options, login=None, tls="none"):
        self.must("users", "add", code, "--pop3-host", "127.0.0.1", "--pop3-port", str(port),
                  "--pop3-tls", tls, "--pop3-login", login or code, "--auto-receive", "no",
                  "--password-file", "-", *options,
                  stdin=PASSWORD + "\n")

    def last_job(self):
        """All numbers up to this one are jobs of mails that came, or collections."""
        lines = self.must("jobs", "list", "--all").splitlines()[1:]
        return max((int(line.split()[0]) for line in lines), default=0)


class Plain:
    """RFC 1939's minimum, USER and PASS, and of UIDL and TOP what it is told to know; one at a
    time. Digits and "+OK" are all it says; CAPA it does not know."""

    def __init__(self, has):
        self.has, self.mails, self.cut_at_quit = has, [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            with line, line.makefile("rwb") as file:
                self.talk(file)

    def talk(self, file):
        gone = set()

        def say(*lines):
            file.write(b"".join(x + b"\r\n" for x in lines))
            file.flush()

        say(b"+OK")
        while words := file.readline().split():
            verb, rest = words[0].upper().decode(), [int(w) for w in words[1:] if w.isdigit()]
            if verb == "QUIT":
                if self.cut_at_quit:
                    self.cut_at_quit = False
                    return
                self.mails = [m for i, m in enumerate(self.mails) if i not in gone]
                say(b"+OK")
                return
            say(*self.answer(verb, rest, gone))

    def answer(self, verb, rest, gone):
        text = b""
        if verb in ("RETR", "TOP"):
            text = self.mails[rest[0] - 1].replace(b"\n", b"\r\n")
        if verb in ("USER", "PASS"):
            return [b"+OK"]
        if verb == "STAT":
            return [b"+OK %d %d" % (len(self.mails), sum(map(len, self.mails)))]
        if verb == "LIST" or (verb == "UIDL" and "UIDL" in self.has):
            return [b"+OK", *(b"%d %d" % (i + 1, len(m) if verb == "LIST" else hash(m) & 0xffffffff)
                              for i, m in enumerate(self.mails)), b"."]
        if verb == "RETR" or (verb == "TOP" and "TOP" in self.has):
            if verb == "TOP":
                text = text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            lines = text.removesuffix(b"\r\n").split(b"\r\n")
            return [b"+OK", *(b"." + x if x.startswith(b".") else x for x in lines), b"."]
        if verb == "DELE":
            gone.add(rest[0] - 1)
            return [b"+OK"]
        return [b"-ERR"]
