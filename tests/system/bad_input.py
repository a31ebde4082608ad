#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong on the way: each says so clearly, loses nothing, prints nothing twice."""
import email.message
import os
import socket
import sys
import threading

from guest import (check, ctl, deliver, done_testing, empty_mailbox, feed, job, job_in,
                   journal, last_job, mailbox, make_page, must, pixels, read_mail, received_since,
                   run, send, sim_write, start_box, tiff_of, tray, wait_for)

DROP_IN = "/etc/ifax/ifax.conf.d/50-test.conf"


def collect(seconds=60):
    """Collects user 100's mailbox; the collection's job and those of what came."""
    out = must("ifaxctl", "collect", "100")
    number = int(out.split()[1])
    result = job_in(number, "collected", "failed", seconds=seconds)
    return result, received_since(number)


def said(number, words, where):
    """The same fact stands in the job and in the journal."""
    detail = job(number).get("detail", "")
    check(words in detail.lower(), f"{where}: the job says so ({words!r})", detail)
    log = journal(f"IFAX_JOB={number}")
    check(words in log.lower(), f"{where}: and so does the journal", log)


def too_wide():
    feed(make_page(1, width=4000))
    number = send("office@example.test")
    result = job_in(number, "failed", "sent")
    check(result.get("state") == "failed", "a sheet wider than the scanner's table fails", result)
    said(number, "wide", "too wide")
    check(not mailbox(), "too wide: nothing was sent")
    sim_write("feeder_clear", 1)


def wide_original():
    """B4, which a recipient of whom nothing is known need not take: it is made smaller."""
    empty_mailbox("sender")
    feed(make_page(2, width=2048))
    number = send("sender@example.test")
    result = job_in(number, "sent", "failed")
    check(result.get("state") == "sent", "an original wider than profile S is sent", result)
    mails = wait_for(lambda: mailbox("sender"))
    with open("/tmp/wide.tif", "wb") as out:
        out.write(tiff_of(read_mail(mails[0])))
    info = must("tiffinfo", "/tmp/wide.tif")
    check("Width: 1728" in info and "Group 3" in info, "as A4 in MH", info)
    empty_mailbox("sender")


def jam_at_three():
    feed(*(make_page(n) for n in range(5)))
    sim_write("jam_scan_at", 3)
    number = send("office@example.test")
    result = job_in(number, "failed", "sent")
    check(result.get("state") == "failed", "a jam on page 3 of 5 ends the job", result)
    said(number, "page 3", "jam")
    check(not mailbox(), "jam: nothing was sent")
    sim_write("jam", 0)
    sim_write("feeder_clear", 1)
    feed(make_page(9))
    number = send("office@example.test")
    check(job_in(number, "sent", "failed").get("state") == "sent", "after the jam it goes on")
    wait_for(mailbox)


def paper_out():
    """The mail of the last test lies in the mailbox."""
    sim_write("tray_clear", 1)
    sim_write("paper", 0)
    _, received = collect()
    if not check(len(received) == 1, "a mail for an empty tray is collected", received):
        return
    number = received[0]["id"]
    result = job_in(number, "waiting", "printed", "failed")
    check(result.get("state") == "waiting", "it waits for paper", result)
    said(number, "paper", "out of paper")
    status = ctl("status").stdout
    check("paper" in status, "ifaxctl status shows it too", status)
    sim_write("paper", 20)
    result = job_in(number, "printed", "failed")
    check(result.get("state") == "printed", "with paper it goes on by itself", result)
    check([pixels(p) for p in tray()] == [pixels(make_page(9))],
          "and one page came out, with the pixels sent", len(tray()))


def port_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def server_down():
    must("systemctl", "stop", "postfix@-")
    wait_for(lambda: not port_open(25))
    feed(make_page(11))
    number = send("office@example.test")
    result = wait_for(lambda: job(number).get("attempts", "0") != "0" and job(number), 60)
    check(result and result.get("state") == "queued", "no mail server: it stays queued", result)
    said(number, "localhost", "server down")
    must("systemctl", "start", "postfix@-")
    wait_for(lambda: port_open(25))
    must("ifaxctl", "jobs", "retry", str(number))
    check(job_in(number, "sent", "failed").get("state") == "sent", "and goes when it is back")
    wait_for(mailbox)
    empty_mailbox()


def refused():
    feed(make_page(12))
    number = send("nobody-here@example.test")
    result = job_in(number, "failed", "sent")
    check(result.get("state") == "failed", "a refused recipient fails the job", result)
    said(number, "550", "refused")
    feed(make_page(13))
    number = send("nobody-here@example.test", "--to", "office@example.test")
    result = job_in(number, "failed", "sent")
    check(result.get("state") == "failed" and wait_for(mailbox),
          "of two recipients one gets it, and the job says that the other did not", result)
    said(number, "nobody-here@example.test", "one of two")
    empty_mailbox()


class FakeServer(threading.Thread):
    """An SMTP server that drops the line after the dot, the first time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 2526))
        self.bodies = []

    def run(self):
        while True:
            conn, _ = self.listener.accept()
            with conn, conn.makefile("rwb") as file:
                self.serve(file)

    def serve(self, file):
        def reply(text):
            file.write(text.encode() + b"\r\n")
            file.flush()
        reply("220 fake.example.test")
        for line in file:
            word = line[:4].upper()
            if word == b"DATA":
                reply("354 go on")
                body = b""
                for data in file:
                    if data == b".\r\n":
                        break
                    body += data
                self.bodies.append(body)
                if len(self.bodies) == 1:
                    return
                reply("250 taken")
            elif word == b"QUIT":
                reply("221 bye")
                return
            else:
                reply("250 ok")


def line_dropped():
    server = FakeServer()
    server.start()
    with open(DROP_IN, "w", encoding="ascii") as file:
        file.write("[Send]\nSmarthost=localhost:2526\n")
    must("ifaxctl", "config", "check")
    must("systemctl", "restart", "ifaxd")
    wait_for(lambda: "coder" in ctl("status").stdout)
    feed(make_page(14))
    number = send("office@example.test")
    result = wait_for(lambda: job(number).get("attempts", "0") != "0" and
                      job(number).get("state") == "queued" and job(number), 60)
    check(result, "the line is lost after DATA: it stays queued", job(number))
    said(number, "may have", "line lost")
    must("ifaxctl", "jobs", "retry", str(number))
    check(job_in(number, "sent", "failed").get("state") == "sent", "and is sent again")
    ids = [email.message_from_bytes(b)["Message-ID"] for b in server.bodies]
    check(len(ids) == 2 and ids[0] == ids[1], "under the same Message-ID", ids)
    os.unlink(DROP_IN)
    must("systemctl", "restart", "ifaxd")
    wait_for(lambda: "coder" in ctl("status").stdout)


def login_fails():
    must("ifaxctl", "users", "edit", "100", "--password-file", "-", input="wrong\n")
    result, _ = collect()
    check(result.get("state") == "failed", "a POP3 login that fails is said", result)
    said(result["id"], "mail.example.test", "login")
    must("ifaxctl", "users", "edit", "100", "--password-file", "-", input="secret\n")


def message(subject):
    m = email.message.EmailMessage()
    m["From"] = "sender@example.test"
    m["To"] = "office@example.test"
    m["Subject"] = subject
    m["Message-ID"] = f"<{subject.replace(' ', '.')}@example.test>"
    return m


def without_pages():
    """Two mails that cannot be printed. Each is kept, says why, and prints nothing."""
    sim_write("tray_clear", 1)
    nothing = message("no pages")
    nothing.set_content(b"\x00\x01\x02" * 100, maintype="application", subtype="x-unknown")
    broken = message("broken tiff")
    broken.set_content("See the page.\n")
    broken.add_attachment(b"II*\x00\x08\x00\x00\x00\xff\xff" + b"\xff" * 500, maintype="image",
                          subtype="tiff", filename="fax.tif")
    for m, words in ((nothing, "cannot be printed"), (broken, "tiff")):
        deliver(m.as_string())
        _, received = collect()
        if not check(len(received) == 1, f"{m['Subject']}: collected", received):
            continue
        number = received[0]["id"]
        result = job_in(number, "failed", "printed", "held")
        check(result.get("state") == "failed", f"{m['Subject']}: the job failed", result)
        said(number, words, m["Subject"])
        path = f"/tmp/{number}.eml"
        run("ifaxctl", "jobs", "save", str(number), path)
        check(os.path.exists(path) and read_mail(path)["Subject"] == m["Subject"],
              f"{m['Subject']}: the mail is kept, and ifaxctl jobs save gives it")
    check(not tray(), "nothing was printed for them")


def wrong_words():
    """Bad input at the command line: a sentence that says what to do, status 1 or 2."""
    for words in (["send", "--user", "999", "--to", "office@example.test"],
                  ["send", "--user", "100", "--to", "no address"],
                  ["send", "--user", "100"], ["jobs", "show", "99999"], ["jobs", "show", "x"],
                  ["users", "add", "100"], ["users", "add", "1 0"], ["collect", "999"],
                  ["users", "edit", "100", "--keep-days", "77"], ["nonsense"],
                  ["recipients", "set", "a@b.c", "--accepts", "colour"]):
        result = ctl(*words)
        check(result.returncode in (1, 2) and result.stderr.startswith("ifaxctl: "),
              "refused with a sentence: ifaxctl " + " ".join(words), result)


def main():
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    start_box()
    for part in (wrong_words, too_wide, wide_original, jam_at_three, paper_out, server_down, refused,
                 line_dropped, login_fails, without_pages):
        before = last_job()
        try:
            part()
        except Exception as error:  # pylint: disable=broad-except
            check(False, f"{part.__name__} ran to its end", repr(error))
            for number in range(before + 1, last_job() + 1):
                print("#", job(number))
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
