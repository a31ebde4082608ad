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

    def __init__(self, more="", certificate=None, key=None, mechanisms="plain"):
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
                                            tls_port=self.tls_port, password=PASSWORD, more=more,
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
        super().__init__(**more)
        with open(f"{self.dir}/conf", "a", encoding="utf-8") as file:
            file.write(f"[Collect]\n{collect}\n")
        os.mkdir(f"{self.dir}/credentials", 0o700)
        with open(f"{self.dir}/credentials/ifax.key", "wb") as file:
            file.write(os.urandom(32))
        self.env["CREDENTIALS_DIRECTORY"] = f"{self.dir}/credentials"

    def start(self):
        # systemd-socket-activate hands on what it is told to and no more.
        listen = [w for n, port in self.ports.items() for w in ("-l", f"127.0.0.1:{port}")]
        keep = [w for n in ("DBUS_SYSTEM_BUS_ADDRESS", "CREDENTIALS_DIRECTORY")
                for w in ("-E", f"{n}={self.env[n]}")]
        with open(f"{self.dir}/log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["systemd-socket-activate", *keep, *listen, f"--fdname={':'.join(self.ports)}",
                 f"{self.build}/ifaxd", "-c", f"{self.dir}/conf"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_ready()

    def add_user(self, code, port, *options, login=None, tls="none"):
        self.must("users", "add", code, "--pop3-host", "127.0.0.1", "--pop3-port", str(port),
                  "--pop3-tls", tls, "--pop3-login", login or code, "--password-file", "-", *options,
                  stdin=PASSWORD + "\n")

    def received(self):
        """Numbers of the jobs of mails that came."""
        lines = self.must("jobs", "list", "--all").splitlines()[1:]
        return [int(line.split()[0]) for line in lines if line.split()[1] != "collect"]
