#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail by SMTP with Postfix, Exim and OpenSMTPD, in both directions, and from swaks: pipelining,
8BITMIME, STARTTLS, notices (DSN), refusals, grey lists, one copy for a host, a smarthost."""
import email
import email.policy
import os
import re
import smtplib
import socket
import sys
import threading

import peers
from guest import (check, ctl, done_testing, feed, job, make_page, must, run, say, send, start_box,
                   wait_for)

PEERS = {"example.test": "Postfix", "exim.test": "Exim", "osmtpd.test": "OpenSMTPD"}
ADDRESS = {"example.test": "127.0.0.1", "exim.test": "127.0.0.3", "osmtpd.test": "127.0.0.4"}
BOX = "127.0.0.2"
TAP = "127.0.0.5"
LONG = 180      # seconds: the guest is slow, the machine below it busy
GREYLISTED = "/var/peers/greylisted"
CONF = "/etc/ifax/ifax.conf.d/60-interop.conf"


# What passes between others, as it is on the wire

class Tap:
    """A host between a client and a server of SMTP that takes STARTTLS out of the offers, so that
    it can read what they say. sent: what the client said, in the pieces in which it came.
    While the gate is shut, nobody is greeted."""

    def __init__(self, server):
        self.server = server
        self.sent = []
        self.gate = threading.Event()
        self.gate.set()
        self.listener = socket.create_server((TAP, 25))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.gate.wait()
            server = socket.create_connection((self.server, 25))
            for work in (self._up, self._down):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _up(self, client, server):
        try:
            while data := client.recv(65536):
                self.sent.append(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _down(client, server):
        try:
            while data := server.recv(65536):
                client.sendall(data.replace(b"STARTTLS", b"XNOTHING"))
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # accept() in the other thread ends by this, not by close() alone
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def piece_with(self, *words):
        """Did these words come in one piece?"""
        return any(all(word in piece for word in words) for piece in self.sent)

    def text(self):
        return b"".join(self.sent).decode("latin-1")


# Mail

def fax(mark, tiff, to):
    """An Internet fax with 8-bit text, and its TIFF."""
    message = email.message.EmailMessage()
    message["From"] = "office@example.test"
    message["To"] = ", ".join(to)
    message["Subject"] = mark
    message["Message-ID"] = f"<{mark}@example.test>"
    message["Date"] = email.utils.formatdate()
    message.set_content("Größe 8, zweimal\n.ein Punkt\n", cte="8bit")
    message.add_attachment(tiff, maintype="image", subtype="tiff", filename="fax.tif")
    return message.as_bytes(policy=email.policy.SMTP)


def hand_to(domain, mark, tiff, to, notify=None):
    """Has the server of this domain send a mail, as one of its own users would."""
    with smtplib.SMTP(ADDRESS[domain], 25, domain, timeout=120,
                      source_address=(ADDRESS[domain], 0)) as s:
        s.ehlo()
        options = [f"NOTIFY={notify}"] if notify else []
        refused = s.sendmail(f"office@{domain}", to, fax(mark, tiff, to),
                             ["BODY=8BITMIME"] + ([f"ENVID={mark}"] if notify else []), options)
    if refused:
        raise RuntimeError(f"{domain} refuses {refused}")


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def part_of(message, kind):
    return next((p for p in message.walk() if p.get_content_type() == kind), None)


def notices(mails, needle, kinds=("multipart/report",)):
    """Notices (RFC 3464) that tell of this: the field blocks of each, the message's first."""
    found = []
    for data in mails:
        message = parse(data)
        status = part_of(message, "message/delivery-status")
        if status and message.get_content_type() in kinds and needle in data.decode("latin-1"):
            found.append(status.get_payload())
    return found


def told_of(blocks, address):
    """Action and status for this recipient."""
    for block in blocks[1:]:
        names = f"{block.get('Original-Recipient', '')} {block.get('Final-Recipient', '')}"
        if address.lower() in names.lower():
            return str(block["Action"]).lower(), str(block["Status"])
    return None


def mails_of(domain, user="office"):
    found = []
    for path in peers.mailbox(domain, user):
        with open(path, "rb") as file:
            found.append(file.read())
    return found


# The box

class Documents:
    """What came for users of the box: number of the job to its user and mail, each read once."""

    def __init__(self):
        self.known = {}

    def update(self):
        for line in ctl("jobs", "list", "--all").stdout.splitlines()[1:]:
            number, kind = line.split()[:2]
            path = f"/tmp/job-{number}"
            if kind != "print" or number in self.known:
                continue
            if not os.path.exists(path) and ctl("jobs", "save", number, path).returncode:
                continue
            with open(path, "rb") as file:
                self.known[number] = (job(int(number)).get("user"), file.read())
        return self.known.values()

    def of(self, user, mark):
        needle = f"<{mark}@".encode()
        return [data for owner, data in self.update() if owner == user and needle in data]


DOCUMENTS = Documents()


def configure(smarthost):
    with open(CONF, "w", encoding="ascii") as file:
        file.write(f"[Box]\nHostname=box.test\n[Send]\nSmarthost={smarthost}\nRetry=5s\n"
                   "RetryMax=10s\nKeepIdle=0\nConnectionsPerHost=3\n[Receive]\nDomains=box.test tapped.test\n")


def start_sockets():
    must("systemctl", "daemon-reload")
    must("systemctl", "stop", "ifaxd", "ifaxd-smtp.socket", "ifaxd-submission.socket")
    must("systemctl", "start", "ifaxd-smtp.socket", "ifaxd-submission.socket")
    must("systemctl", "start", "ifaxd")
    wait_for(lambda: "coder" in ctl("status").stdout, LONG)


def set_up():
    os.makedirs("/etc/credstore", exist_ok=True)
    must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=box.test", "-keyout",
         "/etc/credstore/ifax.smtp.key", "-out", "/etc/credstore/ifax.smtp.crt")
    os.chmod("/etc/credstore/ifax.smtp.key", 0o600)
    for name, port in (("smtp", 25), ("submission", 587)):
        folder = f"/etc/systemd/system/ifaxd-{name}.socket.d"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/address.conf", "w", encoding="ascii") as file:
            file.write(f"[Socket]\nListenStream=\nListenStream={BOX}:{port}\n")
    configure("")
    start_sockets()
    must("ifaxctl", "users", "edit", "100", "--address", "ada@box.test", "--auto-print", "no")
    must("ifaxctl", "users", "add", "200", "--name", "Otto Muster", "--address", "otto@box.test",
         "--auto-print", "no")
    must("ifaxctl", "users", "passwd", "100", input="correct horse\n")
    peers.NAMES["tap.test"] = TAP
    # OpenSMTPD asks no DNS for addresses where it sees none but loopback's.
    with open("/etc/hosts", "a", encoding="ascii") as file:
        file.write(f"{TAP} tap.test\n")
    peers.MX["tapped.test"] = [(10, "tap.test")]
    # One whose mail Postfix takes, and finds out later that it cannot deliver.
    must("postconf", "-e", "alias_maps = inline:{late=|/bin/false}")
    peers.start_all()


def a_tiff():
    """A fax as this box makes them: what it would send is what it gets here."""
    feed(make_page(1))
    number = send("office@example.test")
    done = ended(number, "sent")
    path = "/tmp/first"
    must("ifaxctl", "jobs", "save", str(number), path)
    with open(path, "rb") as file:
        tiff = part_of(parse(file.read()), "image/tiff").get_payload(decode=True)
    check(done["state"] == "sent" and tiff[:4] == b"II*\0", "a scanned page goes by MX to Postfix",
          words_of(number))
    return tiff


# From them to us

def is_whole(data, tiff):
    message = parse(data)
    text, image = part_of(message, "text/plain"), part_of(message, "image/tiff")
    return image and image.get_payload(decode=True) == tiff and text and \
        "Größe 8, zweimal\n.ein Punkt\n" in text.get_content().replace("\r\n", "\n")


def came_once(domain, mark, tiff):
    who = PEERS[domain]
    got = wait_for(lambda: DOCUMENTS.of("100", mark) and DOCUMENTS.of("200", mark), LONG)
    each = [len(DOCUMENTS.of(user, mark)) for user in ("100", "200")]
    check(each == [1, 1], f"{who}: its mail comes to both users, once each",
          f"{each}\n{peers.log_of(domain)}")
    if not got:
        return ""
    data = got[0]
    check(is_whole(data, tiff), f"{who}: text and TIFF are as they were sent", data[:3000])
    return data.decode("latin-1")


def received_from(domain, tiff):
    """Over TLS, as they do by themselves; our notice of delivery goes back."""
    who, mark = PEERS[domain], "in-" + domain.replace(".", "-")
    hand_to(domain, mark, tiff, ["ada@box.test", "otto@box.test"], "SUCCESS,FAILURE")
    head = came_once(domain, mark, tiff)
    top = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    lines = [line for line in top if line.startswith("Received: ")]
    check(len(lines) == 2 and re.match(
        rf"Received: from (mail\.)?{re.escape(domain)} \(\[127\.0\.0\.\d\]\) by box\.test \(ifax "
        r"[^)]*\) \(using TLS.*\) via TCP with ESMTPS id [0-9A-F]+.*; \w{3}, \d+ \w{3} 20", lines[0]),
        f"{who}: STARTTLS is used, and stands in our Received above theirs", "\n".join(top[:12]))
    found = wait_for(lambda: notices(mails_of(domain), mark), LONG)
    told = [told_of(blocks, to) for blocks in found for to in ("ada@box.test", "otto@box.test")]
    check([t for t in told if t] == [("delivered", "2.0.0")] * 2 and
          all(b[0]["Original-Envelope-Id"] == mark and "box.test" in b[0]["Reporting-MTA"]
              for b in found),
          f"{who}: asked for by NOTIFY=SUCCESS, our notice of delivery to both comes, once",
          f"{told}\n{[[str(x) for x in b] for b in found]}\n{peers.log_of(domain)}")


def tapped_from(domain, tiff):
    """The same, where it can be read."""
    who, mark = PEERS[domain], "tapped-" + domain.replace(".", "-")
    with Tap(BOX) as tap:
        hand_to(domain, mark, tiff, ["ada@tapped.test", "otto@tapped.test"], "NEVER")
        came_once(domain, mark, tiff)
        said = tap.text()
    check(said.upper().count("RCPT TO:") == 2 and said.upper().count("MAIL FROM:") == 1,
          f"{who}: one transaction for both", said[:600])
    check("NOTIFY=NEVER" in said, f"{who}: takes DSN's parameters on to us", said[:600])
    # What each of them knows. Exim sends 8-bit text without a word about it.
    if domain != "osmtpd.test":
        check(tap.piece_with(b"MAIL F", b"RCPT T"), f"{who}: pipelining", said[:600])
    if domain == "example.test":
        check("BODY=8BITMIME" in said, f"{who}: 8BITMIME", said[:600])
    if domain == "exim.test":
        check("\nBDAT " in said, f"{who}: CHUNKING", said[:600])


def bounced_by(domain, tiff):
    who, mark = PEERS[domain], "nobody-" + domain.replace(".", "-")
    hand_to(domain, mark, tiff, ["nobody@box.test"])
    # What OpenSMTPD calls a mixed bag has a report in it.
    kinds = ("multipart/report", "multipart/mixed")
    found = wait_for(lambda: notices(mails_of(domain), mark, kinds), LONG)
    told = told_of(found[0], "nobody@box.test") if found else None
    check(len(found) == 1 and told and told[0] == "failed" and told[1].startswith("5."),
          f"{who}: bounces a mail for nobody, whom we refuse",
          f"{told}\n{mails_of(domain)[-1].decode('latin-1')}\n{peers.log_of(domain)}")


# From us to them

def scan_for(*to, options=()):
    feed(make_page(2))
    return send(to[0], *(x for t in to[1:] for x in ("--to", t)), *options)


def ended(number, state, seconds=LONG):
    wait_for(lambda: job(number).get("state") == state, seconds)
    return job(number)


def words_of(number):
    return ctl("jobs", "show", str(number)).stdout


def their_words(*domains):
    return "\n".join(peers.log_of(d) for d in domains)


def copies(domain, user, message_id):
    wait_for(lambda: any(message_id.encode() in m for m in mails_of(domain, user)), LONG)
    return [m for m in mails_of(domain, user) if message_id.encode() in m and
            b"multipart/report" not in m]


def one_copy_for_a_host():
    """Three hosts; two people at one of them, and one whom it refuses."""
    number = scan_for("office@exim.test", "office@osmtpd.test", "sender@exim.test",
                      "office@example.test", "nobody@exim.test")
    done = ended(number, "failed")
    words = words_of(number)
    check(done["state"] == "failed" and "sent to 4 of 5" in done["detail"] and
          "nobody@exim.test: refused" in words and "550" in words,
          "three hosts, one job: four have it, nobody is refused", words)
    message_id = done["message-id"]
    one = copies("exim.test", "office", message_id)
    two = copies("exim.test", "sender", message_id)
    ids = {re.search(rb"\sid (\S+?)[;\s]", m)[1] for m in one + two}
    check(len(one) == len(two) == 1 and len(ids) == 1, "Exim: one copy for its two people", ids)
    check(one and re.search(rb"with esmtps", one[0]), "Exim: by STARTTLS", one and one[0][:900])
    got = copies("osmtpd.test", "office", message_id)
    check(len(got) == 1, "OpenSMTPD: one copy", their_words("osmtpd.test"))
    got = copies("example.test", "office", message_id)
    check(len(got) == 1 and b"with ESMTPS" in got[0], "Postfix: one copy, by STARTTLS",
          got and got[0][:900])
    told = wait_for(lambda: [t for t in (told_of(b, "nobody@exim.test") for b in notices(
        [d for owner, d in DOCUMENTS.update() if owner == "100"], message_id)) if t], LONG)
    check(told == [("failed", "5.0.0")], "the notice of who was refused comes to the sender, once",
          f"{told}\n{words_of(number)}")


def refused_by(domain):
    number = scan_for(f"no.one@{domain}")
    done = ended(number, "failed")
    # OpenSMTPD with a table of people has a code of its own for it.
    code = "524 5.2.4" if domain == "osmtpd.test" else "550 5.1.1"
    check(done["state"] == "failed" and "refuses" in done["detail"] and code in done["detail"],
          f"{PEERS[domain]}: refuses nobody, and the job says its words", words_of(number))


def tapped_to(domain):
    """The next that goes there is read on its way."""
    who, was = PEERS[domain], peers.MX[domain]
    peers.MX[domain] = [(10, "tap.test")]
    with Tap(ADDRESS[domain]) as tap:
        number = scan_for(f"office@{domain}", options=("--receipt",))
        wait_for(lambda: job(number).get("state") in ("sent", "delivered"), LONG)
        said = tap.text()
    peers.MX[domain] = was
    # OpenSMTPD does not offer it.
    check(tap.piece_with(b"MAIL FROM:<ada@box.test>", b"RCPT TO:<office@") ==
          (domain != "osmtpd.test") and "EHLO box.test" in said,
          f"{who}: we pipeline where it is offered", said[:700])
    check(f"ENVID=ifax.{number}." in said and "NOTIFY=SUCCESS,FAILURE,DELAY" in said and
          f"ORCPT=rfc822;office@{domain}" in said and "SIZE=" in said and "RET=HDRS" in said,
          f"{who}: we ask for notices without the pages, and say the size", said[:700])


def receipts():
    number = scan_for(*(f"office@{d}" for d in PEERS), options=("--receipt",))
    done = ended(number, "delivered")
    check(done["state"] == "delivered" and words_of(number).count(": delivered, a notice says") == 3,
          "their notices of delivery come back and make the job delivered",
          words_of(number) + their_words(*PEERS))


def behind_the_dot(domain):
    """More mails than lines: with a dot goes the next mail's envelope, and each mail comes once."""
    who, was = PEERS[domain], peers.MX[domain]
    ids = [f"<row.{n}@box.test>" for n in range(20)]
    peers.MX[domain] = [(10, "tap.test")]
    with Tap(ADDRESS[domain]) as tap:
        tap.gate.clear()
        with smtplib.SMTP(BOX, 587, "client.test", timeout=120) as s:
            s.starttls()
            s.login("ada@box.test", "correct horse")
            for name in ids:
                s.sendmail("ada@box.test", [f"office@{domain}"],
                           f"Message-ID: {name}\r\nSubject: row\r\n\r\nHello.\r\n")
        tap.gate.set()

        def come():
            text = b"\n".join(mails_of(domain)).decode("latin-1")
            return [len(re.findall(f"^Message-ID: {re.escape(name)}", text, re.M | re.I))
                    for name in ids]

        wait_for(lambda: all(come()), LONG)
    peers.MX[domain] = was
    check(come() == [1] * len(ids), f"{who}: each of {len(ids)} mails in a row comes once", come())
    check(tap.piece_with(b"\r\n.\r\nMAIL FROM:<ada@box.test>") == (domain != "osmtpd.test"),
          f"{who}: the next envelope goes out with the dot, where it is offered", tap.sent[-3:])


def failed_later(domain):
    number = scan_for(f"late@{domain}")
    done = ended(number, "failed")
    check(done["state"] == "failed" and "a notice says that it was not delivered" in done["detail"],
          f"{PEERS[domain]}: takes a mail and cannot deliver it; its notice makes the job failed",
          words_of(number) + their_words(domain))


def submitted():
    """A user's own mail, to two hosts: what their notices to him say stands in its job, too."""
    wish = ["NOTIFY=SUCCESS,FAILURE"]
    with smtplib.SMTP(BOX, 587, "client.test", timeout=120) as s:
        s.starttls()
        s.login("ada@box.test", "correct horse")
        s.mail("ada@box.test", ["ENVID=of-my-own"])
        s.rcpt("late@example.test", wish)
        s.rcpt("office@exim.test", wish)
        code, words = s.data(b"Message-ID: <own@box.test>\r\nSubject: own\r\n\r\nHello.\r\n")
    if not check(code == 250, "a user submits a mail with an ENVID", words):
        return
    number = int(re.search(rb"job (\d+)", words)[1])
    ended(number, "failed")
    wait_for(lambda: "office@exim.test: delivered" in words_of(number), LONG)
    words = words_of(number)
    check(job(number)["state"] == "failed" and "envelope-id  of-my-own" in words and
          "office@exim.test: delivered, a notice says" in words and
          "late@example.test: refused, a notice says that it was not delivered" in words,
          "Postfix's notice of failure and Exim's of delivery change the job of a user's mail",
          words + their_words("example.test", "exim.test"))
    found = notices([d for owner, d in DOCUMENTS.update() if owner == "100"], "of-my-own")
    told = {(re.split(r"[;\s]+", str(b["Final-Recipient"]))[-1], str(b["Action"]).lower())
            for blocks in found for b in blocks[1:] if b["Action"]}
    # Postfix tells that it followed an alias, too.
    check({("late@example.test", "failed"), ("office@exim.test", "delivered")} <= told,
          "and both have come to the user", told)


def greylisted():
    number = scan_for("greylist@exim.test")
    wait_for(lambda: "come again" in words_of(number), LONG)
    said = job(number)
    check(said["state"] in ("queued", "sending") and "come again" in words_of(number),
          "Exim: a grey list keeps the mail in the queue", words_of(number))
    with open(GREYLISTED, "w", encoding="ascii"):
        pass
    done = ended(number, "sent")
    check(done["state"] == "sent" and int(done["attempts"]) >= 2, "Exim: a later try gets through",
          words_of(number))


def by_smarthost():
    configure("127.0.0.1:25")
    must("systemctl", "restart", "ifaxd")
    wait_for(lambda: "coder" in ctl("status").stdout, LONG)
    number = scan_for("office@exim.test", "office@osmtpd.test", options=("--receipt",))
    done = ended(number, "delivered")
    check(done["state"] == "delivered", "by Postfix as a smarthost: delivered, say Exim and OpenSMTPD",
          words_of(number) + their_words(*PEERS))
    ids = {re.search(rb"\(Postfix\)\s+with ESMTPS id (\w+)", m)[1]
           for d in ("exim.test", "osmtpd.test") for m in copies(d, "office", done["message-id"])}
    check(len(ids) == 1, "the smarthost gets one copy for all", ids)
    configure("")
    must("systemctl", "restart", "ifaxd")
    wait_for(lambda: "coder" in ctl("status").stdout, LONG)


# Clients

def swaks(*words):
    return run("swaks", "--server", BOX, "--helo", "client.test", *words)


def by_swaks():
    for mechanism in ("PLAIN", "LOGIN"):
        mark = f"swaks-{mechanism.lower()}"
        sent = swaks("--port", "587", "--tls", "--auth", mechanism, "--auth-user", "ada@box.test",
                     "--auth-password", "correct horse", "--from", "ada@box.test", "--to",
                     "office@exim.test", "--header", f"Message-Id: <{mark}@box.test>")
        check(sent.returncode == 0 and copies("exim.test", "office", f"<{mark}@box.test>"),
              f"swaks: submission with AUTH {mechanism} goes on to Exim", sent.stdout)
    refused = swaks("--port", "587", "--tls", "--auth", "CRAM-MD5", "--auth-user", "100",
                    "--auth-password", "correct horse", "--to", "office@exim.test")
    check(refused.returncode == 28, "swaks: CRAM-MD5 is not offered", refused.stdout)
    refused = swaks("--port", "587", "--from", "ada@box.test", "--to", "office@exim.test")
    check("530" in refused.stdout, "swaks: submission wants a login", refused.stdout)
    with smtplib.SMTP(BOX, 25, "client.test", timeout=120) as s:
        code, words = s.verify("Muster")
        check(code == 553, "smtplib: VRFY of an ambiguous name", words)
        code, words = s.verify("Otto")
        check(code == 250 and b"Otto Muster <otto@box.test>" in words, "smtplib: VRFY", words)


def main():
    start_box()
    set_up()
    tiff = a_tiff()
    for domain, who in PEERS.items():
        say(f"from {who}")
        received_from(domain, tiff)
        tapped_from(domain, tiff)
        bounced_by(domain, tiff)
    say("to them")
    one_copy_for_a_host()
    for domain in PEERS:
        tapped_to(domain)
        behind_the_dot(domain)
    for domain in ("example.test", "osmtpd.test"):
        refused_by(domain)
    receipts()
    failed_later("exim.test")
    failed_later("example.test")
    submitted()
    greylisted()
    by_swaks()
    by_smarthost()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
