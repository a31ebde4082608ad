#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encrypted and signed mail, both ways, with gpg and OpenSSL as the other side.

The other side is office@example.test, whose mailbox is also the one that user 100 collects.
"""
import email
import email.policy
import os
import re
import sys

from guest import (check, ctl, deliver, done_testing, empty_mailbox, feed, job_in, last_job, mailbox,
                   make_page, must, pixels, read_mail, received_since, run, send, sim_write,
                   start_box, tiff_of, tray, wait_for)

HOME = "/tmp/other-side"
GPG = ("gpg", "--homedir", HOME, "--batch", "--quiet", "--trust-model", "always")
PAGE = make_page(7)


def write(name, text):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def fingerprints(*options):
    """Of the keys that ifaxctl lists."""
    lines = ctl("keys", "list", *options).stdout.splitlines()[1:]
    return [line.split()[3 if "signs only" not in line else 4] for line in lines]


def exchange_keys():
    os.mkdir(HOME, 0o700)
    must(*GPG, "--passphrase", "", "--quick-gen-key", "Office <office@example.test>",
         "future-default", "default", "never")
    key = write("office.asc", must(*GPG, "--export", "-a", "office@example.test"))
    result = ctl("keys", "import", key)
    check(result.returncode == 0 and "1 key" in result.stdout, "another's key is imported", result)
    result = ctl("keys", "make", "--user", "100")
    check(result.returncode == 0 and "ada@example.test" in result.stdout,
          "a user gets a key of his own", result)
    own = fingerprints("--user", "100")
    check(len(set(own)) == 1 and not set(own) & set(fingerprints()),
          "which is in his ring alone", (own, fingerprints()))
    ada = must("ifaxctl", "keys", "export", own[0], "--user", "100")
    must(*GPG, "--import", write("ada.asc", ada))


def locked_key():
    """A secret key with a passphrase is asked for that once; the ring is as it was after that."""
    before = fingerprints("--user", "100")
    locked = ("--pinentry-mode", "loopback", "--passphrase", "open sesame")
    must(*GPG, *locked, "--quick-gen-key", "Locked <locked@example.test>", "future-default",
         "default", "never")
    key = write("locked.asc", must(*GPG, *locked, "--export-secret-keys", "-a",
                                   "locked@example.test"))
    result = ctl("keys", "import", key, "--user", "100")
    check(result.returncode != 0 and "--password-file" in result.stderr,
          "a secret key with a passphrase says what it needs", result)
    wrong = write("wrong", "open barley\n")
    result = ctl("keys", "import", key, "--user", "100", "--password-file", wrong)
    check(result.returncode != 0 and fingerprints("--user", "100") == before,
          "a wrong passphrase brings nothing in", result)
    right = write("right", "open sesame\n")
    result = ctl("keys", "import", key, "--user", "100", "--password-file", right)
    new = set(fingerprints("--user", "100")) - set(before)
    if check(result.returncode == 0 and "1 of them secret" in result.stdout and len(new) == 1,
             "the right one does", result):
        must("ifaxctl", "keys", "remove", new.pop(), "--user", "100")


def sent():
    """What came to the other side for the page in the feeder, and the job."""
    empty_mailbox()
    feed(PAGE)
    result = job_in(send("office@example.test"), "sent", "failed")
    found = wait_for(mailbox)
    return (read_mail(found[0]) if found else None), result


def signed_by_ada(text):
    """What is within what was decrypted, which Ada's key has signed."""
    whole = email.message_from_string(text)
    if not check(whole.get_content_type() == "multipart/signed", "what is encrypted is signed",
                 whole.items()):
        return whole
    part = text.split(f"--{whole.get_boundary()}\n")[1].removesuffix("\n")
    result = run(*GPG, "--verify", write("part.asc", whole.get_payload(1).get_payload()),
                 write("part", part.replace("\n", "\r\n")))
    check(result.returncode == 0 and "ada@example.test" in result.stderr,
          "and gpg finds the sender's signature good", result)
    return whole.get_payload(0)


def sending():
    must("ifaxctl", "recipients", "set", "office@example.test", "--method", "openpgp",
         "--must-encrypt", "yes")
    message, result = sent()
    if not check(message and message.get_content_type() == "multipart/encrypted",
                 "what must be encrypted is", result):
        return None
    check("image/tiff" not in str(message) and message["From"] == "Ada Muster <ada@example.test>",
          "with nothing of it left outside but the sender's name", message.items())
    sealed = write("sealed.asc", message.get_payload(1).get_payload())
    clear = signed_by_ada(must(*GPG, "--decrypt", sealed))
    tiff = tiff_of(clear)
    check(tiff and tiff[:4] == b"II*\0", "gpg reads it, and finds the pages", clear.items())
    must("ifaxctl", "recipients", "set", "bob@example.test", "--method", "openpgp",
         "--must-encrypt", "yes")
    feed(PAGE)
    result = job_in(send("bob@example.test"), "failed", "sent")
    check(result["state"] == "failed" and "keys import" in result["detail"],
          "without a key nothing goes out, and it says what to do", result)
    sim_write("feeder_clear", 1)
    return clear


def collect(raw):
    """What became of a mail for user 100, and the sheets that came out."""
    before = last_job()
    sim_write("tray_clear", 1)
    empty_mailbox()
    deliver(raw)
    must("ifaxctl", "collect", "100")
    if not wait_for(lambda: received_since(before)):
        return {"state": "none"}, []
    result = job_in(received_since(before)[0]["id"], "printed", "failed", "held")
    return result, tray()


def mail_of(entity, number):
    return (f"From: Office <office@example.test>\nTo: ada@example.test\nSubject: secret {number}\n"
            f"Message-ID: <encrypted-{number}@example.test>\nMIME-Version: 1.0\n{entity}")


def pgp_mime(armour, number):
    return mail_of("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";"
                   " boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n"
                   f"--b\nContent-Type: application/octet-stream\n\n{armour}\n--b--\n", number)


def marked(sheets):
    """One sheet: the page, with a line above it."""
    if len(sheets) != 1:
        return False
    width, height, bits = pixels(sheets[0])
    page_width, page_height, page_bits = pixels(PAGE)
    return width == page_width and height > page_height and bits.endswith(page_bits)


def receiving(clear):
    entity = re.sub(r"\r?\n", "\r\n", clear.as_string())
    path = write("entity", entity)
    armour = must(*GPG, "-a", "--encrypt", "-r", "ada@example.test", "-o", "-", path)
    result, sheets = collect(pgp_mime(armour, 1))
    check(result["state"] == "printed" and marked(sheets), "what gpg encrypted is opened, "
          "printed and marked", (result, [pixels(s)[:2] for s in sheets]))
    armour = must(*GPG, "-a", "--sign", "--encrypt", "-r", "ada@example.test", "-o", "-", path)
    result, sheets = collect(pgp_mime(armour, 2))
    check(result["state"] == "printed" and marked(sheets), "what it signed as well, too", result)
    armour = must(*GPG, "-a", "--encrypt", "-r", "office@example.test", "-o", "-", path)
    result, sheets = collect(pgp_mime(armour, 3))
    check(result["state"] == "held" and "keys import --user 100" in result["detail"] and
          not sheets, "what is for another's key is kept, and says so", result)


def smime(clear):
    entity = write("entity", re.sub(r"\r?\n", "\r\n", clear.as_string()))
    for command in (
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=CA "
            "-addext keyUsage=keyCertSign,cRLSign",
            "req -newkey rsa:2048 -nodes -keyout ada.key -out ada.csr "
            "-subj /CN=Ada/emailAddress=ada@example.test",
            "x509 -req -in ada.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out ada.pem",
            "pkcs12 -export -in ada.pem -inkey ada.key -certfile ca.pem -passout pass:geheim "
            "-out ada.p12"):
        must("openssl", *command.split(), cwd=HOME)
    wrong = ctl("keys", "import", f"{HOME}/ada.p12", "--user", "100")
    check(wrong.returncode == 1 and "password" in wrong.stderr,
          "a PKCS#12 file does not open without its password", wrong)
    right = ctl("keys", "import", f"{HOME}/ada.p12", "--user", "100", "--password-file",
                write("password", "geheim\n"))
    check(right.returncode == 0, "and does with it", right)
    sealed = must("openssl", "cms", "-encrypt", "-aes256", "-binary", "-in", entity,
                  f"{HOME}/ada.pem")
    # OpenSSL writes the header of a whole mail.
    result, sheets = collect(mail_of(sealed.replace("MIME-Version: 1.0\n", "", 1), 4))
    check(result["state"] == "printed" and marked(sheets), "what OpenSSL encrypted is opened",
          (result, [pixels(s)[:2] for s in sheets]))


def confinement():
    check(must("systemctl", "show", "-p", "User", "--value", "ifax-keyring").strip() ==
          "ifax-keyring", "the keys' keeper is a user of its own")
    denied = run("runuser", "-u", "ifax", "--", "ls", "/var/lib/ifax-keyring")
    check(denied.returncode != 0, "whose folder the daemon cannot read", denied)


def rings():
    return [name for name in os.listdir("/var/lib/ifax-keyring/users") if name.startswith("100.")]


def removal():
    """Last: user 100 goes, and another gets his code."""
    before = rings()
    check(len(before) == 1, "a user has one ring of keys", before)
    must("systemctl", "stop", "ifax-keyring.socket", "ifax-keyring.service")
    must("ifaxctl", "users", "remove", "100")
    must("ifaxctl", "users", "add", "100", "--name", "Bea", "--address", "bea@example.test")
    check(rings() == before, "without their keeper, keys of a removed user stay")
    must("systemctl", "start", "ifax-keyring.socket")
    check(not fingerprints("--user", "100"), "the next user of his code has none of them")
    must("systemctl", "kill", "--signal=KILL", "ifaxd")
    check(wait_for(lambda: not set(before) & set(rings())),
          "and they go when their keeper is back, whatever happened to the daemon", rings())


def main():
    start_box()
    exchange_keys()
    locked_key()
    clear = sending()
    if clear:
        receiving(clear)
        smime(clear)
    confinement()
    removal()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
