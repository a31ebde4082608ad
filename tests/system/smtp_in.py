#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail comes by SMTP through the socket units: from smtplib over TLS, with the certificate as a
credential, and from Postfix; ifaxd needs no capability for it."""
import os
import smtplib
import ssl
import sys

from guest import check, ctl, done_testing, must, run, start_box, wait_for

PORT = 2525     # Postfix has 25
TEXT = ("From: Bob <bob@far.test>\r\nTo: Ada <100@box.example.test>\r\nSubject: by smtplib\r\n"
        "Message-Id: <1@far.test>\r\n\r\nhello\r\n")


def set_up():
    os.makedirs("/etc/credstore", exist_ok=True)
    must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=box.example.test", "-keyout",
         "/etc/credstore/ifax.smtp.key", "-out", "/etc/credstore/ifax.smtp.crt")
    os.chmod("/etc/credstore/ifax.smtp.key", 0o600)
    os.makedirs("/etc/systemd/system/ifaxd-smtp.socket.d", exist_ok=True)
    with open("/etc/systemd/system/ifaxd-smtp.socket.d/port.conf", "w", encoding="ascii") as file:
        file.write(f"[Socket]\nListenStream=\nListenStream={PORT}\n")
    with open("/etc/ifax/ifax.conf.d/60-receive.conf", "w", encoding="ascii") as file:
        file.write("[Receive]\nDomains=box.example.test\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "stop", "ifaxd")
    must("systemctl", "start", "ifaxd-smtp.socket")


def job_text(needle):
    for line in ctl("jobs", "list", "--all").stdout.splitlines()[1:]:
        number = line.split()[0]
        path = f"/tmp/job-{number}"
        if not os.path.exists(path):
            ctl("jobs", "save", number, path)
        if os.path.exists(path):
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
            if needle in text:
                return text
    return ""


def by_smtplib():
    # The first connection starts the daemon.
    with smtplib.SMTP("127.0.0.1", PORT, "client.test", timeout=60) as s:
        s.ehlo()
        check(s.has_extn("starttls"), "the certificate of the credential store is in use",
              s.esmtp_features)
        s.starttls(context=ssl._create_unverified_context())
        s.sendmail("bob@far.test", ["100@box.example.test"], TEXT)
        code, words = s.docmd("HELP")
        check(code == 214, "HELP", words)
    text = job_text("by smtplib")
    check(text.startswith("Return-Path: <bob@far.test>\r\nReceived: from client.test ([127.0.0.1])")
          and "with ESMTPS id" in text, "a mail over TLS is there", text)
    pid = must("systemctl", "show", "-p", "MainPID", "--value", "ifaxd").strip()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = file.read()
    check("CapEff:\t0000000000000000" in status, "ifaxd has no capability", status)


def by_postfix():
    must("postconf", "-e", f"transport_maps=inline:{{ box.example.test=smtp:[127.0.0.1]:{PORT} }}")
    must("postfix", "reload")
    must("sendmail", "-f", "office@example.test", "100@box.example.test",
         input="From: office@example.test\nSubject: by Postfix\n\n.dot\n")
    text = wait_for(lambda: job_text("by Postfix"), 60)
    check(text and "\r\n.dot\r\n" in text and text.count("\r\nReceived: ") >= 2,
          "a mail that Postfix relays is there", text or run("journalctl", "-u", "postfix@-").stdout)
    left = run("mailq").stdout
    check("empty" in left, "Postfix's queue is empty", left)


def main():
    start_box()
    set_up()
    by_smtplib()
    by_postfix()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
