#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collecting from three servers of Debian's: Dovecot over STLS, popa3d (no CAPA, no STLS) and GNU
mailutils' pop3d, which are run for each connection as inetd would. Faxes come, text that its user
does not want stays, and nothing is collected twice."""
import os
import pwd
import re
import socket
import subprocess
import sys
import threading

from guest import check, ctl, done_testing, must, start_box, wait_for

FAX = ("From bob@far.test Thu Jan  1 00:00:00 1998\nFrom: bob@far.test\nSubject: fax {0}\n"
       "Message-Id: <{0}@far.test>\nMIME-Version: 1.0\nContent-Type: image/tiff\n"
       "Content-Transfer-Encoding: base64\n\nSUkqAAgAAAAA\n\n")
TEXT = ("From bob@far.test Thu Jan  1 00:00:00 1998\nFrom: bob@far.test\nSubject: text {0}\n"
        "Message-Id: <{0}@far.test>\n\nhello\n\n")


class Inetd:
    """A server that talks on its standard input and output, one for each connection."""

    def __init__(self, port, *words):
        self.words = words
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            line, _ = self.listener.accept()
            with line:
                subprocess.run(self.words, stdin=line, stdout=line, check=False)


def mbox(user):
    return f"/var/mail/{user}"


def put(user, *mails):
    with open(mbox(user), "a", encoding="ascii") as file:
        file.write("".join(mails))
    entry = pwd.getpwnam(user)
    os.chown(mbox(user), entry.pw_uid, entry.pw_gid)
    os.chmod(mbox(user), 0o600)


def subjects(user):
    with open(mbox(user), encoding="ascii") as file:
        return re.findall("^Subject: (.*)$", file.read(), re.M)


def jobs_of(code):
    lines = ctl("jobs", "list", "--all").stdout.splitlines()[1:]
    return [line for line in lines if f" {code} " in line and " print " in line]


def collect(code):
    done = ctl("collect", code, "--wait")
    return done.returncode == 0, done.stdout + done.stderr


def add_user(code, login, host, port, tls):
    must("ifaxctl", "users", "add", code, "--pop3-host", host, "--pop3-port", str(port), "--pop3-tls",
         tls, "--pop3-login", login, "--auto-receive", "no", "--receive-text", "no",
         "--password-file", "/tmp/password")


def from_mbox(name, code, user, port):
    add_user(code, user, "127.0.0.1", port, "none")
    put(user, FAX.format(f"{code}-1"), TEXT.format(f"{code}-2"), FAX.format(f"{code}-3"))
    good, said = collect(code)
    check(good and len(jobs_of(code)) == 2, f"{name}: two faxes come", said)
    check(subjects(user) == [f"text {code}-2"], f"{name}: the text alone is left",
          subjects(user))
    good, said = collect(code)
    check(good and len(jobs_of(code)) == 2, f"{name}: nothing comes twice", said)
    must("ifaxctl", "users", "edit", code, "--receive-text", "yes")
    good, said = collect(code)
    check(good and len(jobs_of(code)) == 3 and not subjects(user),
          f"{name}: the text comes when it is wanted", said)


def from_dovecot():
    add_user("300", "office", "mail.example.test", 110, "starttls")
    must("sh", "-c", "printf 'Subject: hello\\n\\nhello\\n' | sendmail -f sender@example.test "
         "office@example.test")
    wait_for(lambda: os.path.isdir("/home/office/Maildir/new") and
             os.listdir("/home/office/Maildir/new"), 60)
    good, said = collect("300")
    check(good and not jobs_of("300"), "Dovecot over STLS: text is left", said)
    must("ifaxctl", "users", "edit", "300", "--receive-text", "yes")
    good, said = collect("300")
    check(good and len(jobs_of("300")) == 1, "Dovecot over STLS: it comes when it is wanted", said)


def let_in():
    """What Debian's packages would do; in the guest they are only unpacked."""
    must("sh", "-c", "id popa3d >/dev/null 2>&1 || useradd -r -d /nonexistent popa3d")
    os.makedirs("/var/empty", exist_ok=True)
    must("chpasswd", input="office:secret\nsender:secret\n")


def main():
    start_box()
    let_in()
    with open("/tmp/password", "w", encoding="ascii") as file:
        file.write("secret\n")
    Inetd(1110, "/usr/sbin/popa3d")
    Inetd(1111, "/usr/sbin/pop3d", "--inetd")
    from_mbox("popa3d", "301", "office", 1110)
    from_mbox("GNU pop3d", "302", "sender", 1111)
    from_dovecot()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
