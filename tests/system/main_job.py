# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole way of a page: scanner, coder, TIFF, mail, mailbox, TIFF, coder, printer.

Leaves in /output what "make run" shows: mail.eml, page-N.tif, printed-N.pbm.
"""
import glob
import os
import sys
import time

from guest import (OUTPUT, check, ctl, done_testing, feed, job_in, journal, mailbox, must, pixels,
                   read_mail, received_since, run, say, send, sim_read, start_box, tiff_of, tray,
                   wait_for)

PAGES = [open(path, "rb").read() for path in sorted(
    glob.glob("/test/page-*.pbm"), key=lambda p: int(p.split("-")[-1][:-4]))]


def tiffinfo(path):
    return must("tiffinfo", path)


def raw_strip(path):
    """Bytes of the first strip, found by the file's own tags."""
    data = open(path, "rb").read()
    offset = int.from_bytes(data[4:8], "little")
    tags = {}
    for i in range(int.from_bytes(data[offset:offset + 2], "little")):
        entry = data[offset + 2 + 12 * i:offset + 14 + 12 * i]
        size = {3: 2, 4: 4}.get(int.from_bytes(entry[2:4], "little"), 4)
        tags[int.from_bytes(entry[:2], "little")] = int.from_bytes(entry[8:8 + size], "little")
    return data[tags[273]:tags[273] + tags[279]]


def status():
    say("loading faxsim; udev names the devices and starts ifaxd")
    start_box()
    text = ctl("status").stdout
    for line in text.splitlines():
        say("    " + line)
    for function in ("scanner", "printer", "coder"):
        check(function in text, f"ifaxctl status shows the {function}", text)
    names = os.listdir("/dev/fax/by-id") if os.path.isdir("/dev/fax/by-id") else []
    check(len(names) >= 3, "udev gave the devices stable names", names)
    who = run("systemctl", "show", "-p", "User", "ifaxd").stdout
    check("User=ifax" in who, "the daemon runs without privileges", who)


def scan_and_send():
    say(f"{len(PAGES)} original(s) in the feeder; ifaxctl send --user 100 --to office@example.test")
    feed(*PAGES)
    before = time.monotonic()
    number = send("office@example.test", "--subject", "The main job")
    result = job_in(number, "sent", "failed", seconds=240)
    say(f"    job {number}: {result.get('state')}: {result.get('detail')} "
        f"({time.monotonic() - before:.1f} s)")
    check(result.get("state") == "sent", "the document was sent", result)
    check(result.get("encoding") == "mmr", "in MMR, for this recipient takes it", result)
    check(sim_read("feeder_count") == "0", "the feeder is empty")
    return number


def look_at_mail():
    mails = wait_for(mailbox, 60)
    if not check(len(mails) == 1, "one mail came to the mailbox, through Postfix", mails):
        return
    with open(mails[0], "rb") as file, open(f"{OUTPUT}/mail.eml", "wb") as out:
        out.write(file.read())
    tiff = tiff_of(read_mail(mails[0]))
    if not check(tiff, "it carries a TIFF"):
        return
    os.chdir(OUTPUT)
    with open("document.tif", "wb") as out:
        out.write(tiff)
    must("tiffsplit", "document.tif", "split-")
    for n, path in enumerate(sorted(glob.glob("split-*.tif")), 1):
        os.rename(path, f"page-{n}.tif")
    if len(PAGES) == 1:
        os.replace("document.tif", "page-1.tif")
    info = tiffinfo("page-1.tif")
    check("Group 4" in info, "its pages are MMR", info)
    compare_with_libtiff()


def compare_with_libtiff():
    """The coder's strip, untouched in the TIFF, is what libtiff makes of the same pixels."""
    for n in range(1, len(PAGES) + 1):
        if not os.path.exists(f"page-{n}.tif"):
            check(False, f"page {n} is in the mail")
            continue
        must("tiffcp", "-c", "g4", "-r", "100000", f"page-{n}.tif", "again.tif")
        mine, theirs = raw_strip(f"page-{n}.tif"), raw_strip("again.tif")
        check(mine == theirs, f"page {n}: the coder's {len(mine)} bytes are libtiff's to the bit",
              f"{len(mine)} and {len(theirs)} bytes")
        os.unlink("again.tif")


def collect_and_print(number):
    say("ifaxd collects the mailbox by POP3, the worker checks the mail, the board prints it")
    must("ifaxctl", "collect", "100")
    received = wait_for(lambda: received_since(number), 60)
    if not check(len(received) == 1, "one mail was collected", received):
        return
    result = job_in(received[0]["id"], "printed", "failed", "held", seconds=240)
    say(f"    job {result['id']}: {result.get('state')}: {result.get('detail')}")
    check(result.get("state") == "printed", "it was printed", result)
    check(wait_for(lambda: not mailbox(), 30), "and is deleted on the server")
    printed = tray()
    for n, image in enumerate(printed, 1):
        with open(f"{OUTPUT}/printed-{n}.pbm", "wb") as out:
            out.write(image)
    check(len(printed) == len(PAGES), "as many pages came out as went in", len(printed))
    for n, (a, b) in enumerate(zip(PAGES, printed), 1):
        check(pixels(a) == pixels(b), f"page {n}: the printed pixels equal the scanned ones",
              f"{pixels(a)[:2]} and {pixels(b)[:2]}")


def unknown_recipient():
    say("the same to somebody of whom nothing is known: ifaxctl send --to sender@example.test")
    feed(PAGES[0])
    number = send("sender@example.test")
    result = job_in(number, "sent", "failed", seconds=240)
    check(result.get("state") == "sent", "the document was sent", result)
    check(result.get("encoding") == "mh", "in MH, for nothing is known of him", result)
    mails = wait_for(lambda: mailbox("sender"), 60)
    if not check(len(mails) == 1, "it came to his mailbox", mails):
        return
    with open(f"{OUTPUT}/profile-s.tif", "wb") as out:
        out.write(tiff_of(read_mail(mails[0])) or b"")
    info = tiffinfo(f"{OUTPUT}/profile-s.tif")
    check("Group 3" in info and "lsb-to-msb" in info, "as TIFF profile S", info)
    must("tiffcp", "-c", "g4", "-f", "msb2lsb", "-r", "100000", f"{OUTPUT}/profile-s.tif",
         f"{OUTPUT}/again.tif")
    check(raw_strip(f"{OUTPUT}/again.tif") == raw_strip(f"{OUTPUT}/page-1.tif"),
          "with the same pixels, says libtiff")
    os.unlink(f"{OUTPUT}/again.tif")


def main():
    status()
    number = scan_and_send()
    look_at_mail()
    collect_and_print(number)
    unknown_recipient()
    tested = ctl("self-test")
    check(tested.returncode == 0 and tested.stdout.count("good  ") >= 7 and
          "coder of sim0: it codes and decodes" in tested.stdout,
          "ifaxctl self-test finds all parts good", tested)
    for line in ctl("jobs").stdout.splitlines():
        say("    " + line)
    warnings = journal("-p", "warning")
    check(not warnings.strip(), "the daemon had nothing to warn of", warnings)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
