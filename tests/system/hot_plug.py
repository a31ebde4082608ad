#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boards that come and go while the daemon works, two at once.

The daemon takes and lets go of each within a second; what was on its way through a board that went
is finished on another one or kept, and the job says so.
"""
import grp
import json
import os
import re
import stat
import sys
import threading
import time
from statistics import median

from guest import (SIM, check, configure_box, ctl, deliver, done_testing, empty_mailbox, feed, job,
                   job_in, journal, last_job, mailbox, make_page, must, pixels, read_mail, received_since, run, say,
                   send, sim_write, split_pbm, start_box, wait_for)

FAXSIM = os.path.dirname(SIM)
OTHER = f"{FAXSIM}/sim1"
SERIALS = {SIM: "sim0", OTHER: "OFFICE-2"}
FUNCTIONS = ("scan", "print", "codec")
SLOW = 200              # rows a second: a page of 2200 takes eleven
ROUNDS = 5
WITHIN = 1.0            # seconds from the plug to the daemon, and back


# Boards

def live(board, on):
    sim_write("live", int(on), board)


def at_once(boards, on):
    """A hand for each, all at the same moment."""
    hands = [threading.Thread(target=live, args=(board, on)) for board in boards]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()


def both(on):
    at_once(SERIALS, on)


def connected():
    """The serial numbers that ifaxctl status shows."""
    return {line.split("serial ")[1].split(",")[0]
            for line in ctl("status").stdout.splitlines() if line.startswith("board ")}


def known(wanted):
    """Waits until the daemon knows these boards and no others."""
    return wait_for(lambda: connected() == set(wanted), 20, 0.05)


class Stopwatch:
    """Moves of boards, and when the daemon's journal has them."""

    def __init__(self):
        self.moves = []
        self.told = 0           # journal entries of boards
        self.start = time.monotonic()

    def move(self, boards, on):
        for board in boards:
            self.moves.append((SERIALS[board], on, time.monotonic()))
        at_once(boards, on)

    def times(self):
        """Seconds until the journal tells of each move; None where it does not."""
        told = []
        must("journalctl", "--sync")
        for line in journal("-b", "-o", "json").splitlines():
            entry = json.loads(line)
            at = int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6
            match = re.search(r"serial ([^ :]+)(: .* is here| has gone)", entry["MESSAGE"])
            if match and at >= self.start:
                told.append((match[1], "here" in match[2], at))
        self.told = len(told)
        return [next((at - when for name, here, at in told if (name, here) == (serial, on) and
                      at >= when), None) for serial, on, when in self.moves]


def printed(board):
    with open(f"{board}/tray", "rb") as file:
        return split_pbm(file.read())


def speed(rate):
    for board in SERIALS:
        sim_write("rows_per_second", rate, board)


def clear():
    empty_mailbox()
    speed(0)
    for board in SERIALS:
        sim_write("tray_clear", 1, board)
        sim_write("feeder_clear", 1, board)


# The daemon

def daemon():
    show = must("systemctl", "show", "-p", "ActiveState,MainPID,NRestarts", "ifaxd")
    return dict(line.split("=", 1) for line in show.splitlines())


def open_files():
    return len(os.listdir(f"/proc/{daemon()['MainPID']}/fd"))


# Paper

def ends_with(sheet, page):
    """The page stands at the foot of the sheet, with something above it."""
    width, height, bits = pixels(sheet)
    page_width, page_height, page_bits = pixels(page)
    return width == page_width and height > page_height and bits.endswith(page_bits)


class Letters:
    """Mails of given pages, made once by the box itself and then delivered as often as needed."""

    def __init__(self, *pages):
        self.count = 0          # delivered
        self.before = 0         # the last job before those that were collected last
        feed(*pages)
        number = send("office@example.test")
        result = job_in(number, "sent", "failed")
        found = wait_for(mailbox)
        if not check(found, "a document to print is on its way", result):
            raise RuntimeError("nothing to print")
        self.mail = read_mail(found[0])
        del self.mail["Delivered-To"]   # or Postfix takes it for a loop
        empty_mailbox()

    def receive(self, count=1):
        """Lets user 100 collect so many of them."""
        self.before = last_job()
        for _ in range(count):
            self.count += 1
            del self.mail["Message-ID"]
            self.mail["Message-ID"] = f"<hot-plug-{self.count}@example.test>"
            deliver(self.mail.as_string())
        must("ifaxctl", "collect", "100")

    def received(self, count=1):
        """The jobs that print what was collected last."""
        wait_for(lambda: len(received_since(self.before)) >= count)
        return [j["id"] for j in received_since(self.before)]


def busy(board, function):
    """Does the engine move paper? By sysfs, which answers at once."""
    node = os.path.basename(os.path.realpath(f"/dev/fax/by-id/{SERIALS[board]}-{function}"))
    try:
        with open(f"/sys/class/fax/{node}/state", encoding="ascii") as file:
            return file.read().strip() == "busy"
    except FileNotFoundError:
        return False


def board_at_work(function):
    """Waits until a board moves a page; which one."""
    return wait_for(lambda: next((b for b in SERIALS if busy(b, function)), None), 60, 0.05)


# The parts of the test

def first_board_late():
    """The daemon runs, started by hand, before there was any board since the machine started."""
    check(not os.path.exists("/sys/class/fax") or not os.listdir("/sys/class/fax"),
          "the machine has no board")
    configure_box()
    must("systemctl", "start", "ifaxd")
    status = ctl("status")
    check(status.returncode == 0 and "no board" in status.stdout,
          "ifaxd runs without a board and says so", status)
    time.sleep(5)
    pid = daemon()["MainPID"]
    start_box()
    check(known({"sim0"}), "the first board, long after, is taken",
          journal("-n", "20"))
    check(daemon()["MainPID"] == pid, "by the same process")
    feed(make_page(1))
    number = send("office@example.test")
    result = job_in(number, "sent", "failed")
    check(result.get("state") == "sent", "and scans as one present at boot does", result)
    wait_for(mailbox)
    empty_mailbox()


def node_facts(function, serial):
    """What udev made of a function: complaints, none if all is well."""
    wrong = []
    link = f"/dev/fax/by-id/{serial}-{function}"
    if not os.path.islink(link):
        return [f"no {link}"]
    node = os.path.realpath(link)
    facts = os.stat(node)
    if not stat.S_ISCHR(facts.st_mode) or stat.S_IMODE(facts.st_mode) != 0o660:
        wrong.append(f"{node} has mode {facts.st_mode:o}")
    if facts.st_uid != 0 or facts.st_gid != grp.getgrnam("fax").gr_gid:
        wrong.append(f"{node} belongs to {facts.st_uid}:{facts.st_gid}")
    paths = [name for name in os.listdir("/dev/fax/by-path")
             if os.path.realpath(f"/dev/fax/by-path/{name}") == node]
    if len(paths) != 1 or not paths[0].endswith(f"-{function}"):
        wrong.append(f"{node} has the paths {paths}")
    return wrong


def names_and_groups():
    os.mkdir(OTHER)
    sim_write("serial", SERIALS[OTHER], OTHER)
    live(OTHER, True)
    check(known(SERIALS.values()), "a second board is taken beside the first")
    must("udevadm", "settle")
    for serial in SERIALS.values():
        wrong = sum((node_facts(function, serial) for function in FUNCTIONS), [])
        check(not wrong, f"{serial}: nodes are root:fax 0660, by-id and by-path lead to them", wrong)
    # Plugged in the other order the numbers of the nodes change; the names stay.
    both(False)
    live(OTHER, True)
    live(SIM, True)
    must("udevadm", "settle")
    node = os.path.realpath("/dev/fax/by-id/OFFICE-2-scan")
    owner = must("udevadm", "info", "-q", "property", "--property=FAX_SERIAL", "--value", node)
    check(owner.strip() == "OFFICE-2", "by-id leads to the same board under another number",
          f"{node} is of {owner}")
    both(False)
    must("udevadm", "settle")
    left = [os.path.join(where, name) for where, _, names in os.walk("/dev/fax") for name in names]
    check(not left and not [n for n in os.listdir("/dev") if n.startswith("fax") and n != "fax"],
          "boards that went leave no names behind", left)
    known(())


def come_and_go():
    for board in SERIALS:
        live(board, True)
    known(SERIALS.values())
    files, pid = open_files(), daemon()["MainPID"]
    for how, ways in (("alone", [[board] for board in SERIALS] * ROUNDS),
                      ("with the other", [list(SERIALS)] * ROUNDS)):
        watch = Stopwatch()
        for boards in ways:
            staying = [serial for board, serial in SERIALS.items() if board not in boards]
            for on, wanted in ((False, staying), (True, SERIALS.values())):
                watch.move(boards, on)
                known(wanted)
        times = watch.times()
        if check(None not in times and watch.told == len(times),
                 f"{len(times)} times a board came or went {how}, each was taken or let go of once",
                 f"{watch.told} entries for {times}"):
            check(median(times) <= WITHIN,
                  f"mostly within {median(times):.2f} s, at most {max(times):.2f} s", times)
    # Faster than anybody can follow; what is there in the end is what counts.
    for _ in range(ROUNDS):
        both(False)
        both(True)
    check(known(SERIALS.values()), "plugged and pulled in haste, both are there",
          journal("-n", "30"))
    facts = daemon()
    check(facts["MainPID"] == pid and facts["NRestarts"] == "0", "the daemon never stopped", facts)
    # fewer, where a line that was open at first has ended since
    check(wait_for(lambda: open_files() <= files), "and holds no more files than before",
          f"{open_files()}, before {files}")


def udev_starts_daemon():
    both(False)
    must("systemctl", "stop", "ifaxd")
    live(OTHER, True)
    check(wait_for(lambda: daemon()["ActiveState"] == "active", 20),
          "a board that comes starts the daemon", daemon())
    live(SIM, True)
    check(known(SERIALS.values()), "which takes both")


def modules_exchanged():
    """The modules go and come again, as when a newer version is installed."""
    second_board(False)
    results = [run("modprobe", "-r", name) for name in ("faxsim", "fax")]
    check(not os.path.exists("/sys/class/fax"),
          "with no board the modules unload under the running daemon", results)
    must("modprobe", "faxsim")
    second_board(True)
    check(known(SERIALS.values()), "loaded again, their boards are taken",
          journal("-n", "20"))


def second_board(there):
    """Makes the second board, or takes both away and its folder, which keeps the module, too."""
    if there:
        os.mkdir(OTHER)
        sim_write("serial", SERIALS[OTHER], OTHER)
        live(OTHER, True)
    else:
        both(False)
        known(())
        os.rmdir(OTHER)


def feeder_decides():
    """With two scanners the originals say which one is meant."""
    for n, board in enumerate(SERIALS):
        clear()
        with open(f"{board}/feeder", "wb") as file:
            file.write(make_page(20 + n))
        result = job_in(send("office@example.test"), "sent", "failed")
        check(result.get("state") == "sent" and result.get("board") == SERIALS[board],
              f"the original in {SERIALS[board]} is scanned there", result)
        wait_for(mailbox)


def scanner_leaves():
    clear()
    speed(SLOW)
    feed(make_page(31, height=1200), make_page(32, height=1200))
    number = send("office@example.test")
    at = board_at_work("scan")
    check(at == SIM, "a page is being scanned", at)
    time.sleep(1)
    live(SIM, False)
    result = job_in(number, "failed", "sent", seconds=20)
    words = ("unplugged", "nothing was sent", "feeder")
    check(result.get("state") == "failed" and
          all(w in result.get("detail", "").lower() for w in words),
          "its scanner unplugged, the job fails and says what to do", result)
    check(result["detail"] in journal(f"IFAX_JOB={number}"), "in the journal's words")
    time.sleep(1)
    check(not mailbox(), "nothing was sent")
    speed(0)
    with open(f"{OTHER}/feeder", "wb") as file:
        file.write(make_page(33))
    result = job_in(send("office@example.test"), "sent", "failed")
    check(result.get("state") == "sent", "the other scanner goes on", result)
    result = job_in(send("office@example.test", "--board", "sim0"), "sent", "failed")
    check(result.get("state") == "failed" and "not connected" in result.get("detail", ""),
          "a job for the missing one says that it is missing", result)
    live(SIM, True)
    known(SERIALS.values())


def printer_leaves_other_takes_over(letters, pages):
    clear()
    speed(SLOW)
    letters.receive()
    at = board_at_work("print")
    if not check(at, "a page is being printed", letters.received()):
        return
    other = OTHER if at == SIM else SIM
    time.sleep(1)
    live(at, False)
    speed(0)
    number = letters.received()[0]
    result = job_in(number, "printed", "failed", "held", seconds=60)
    say(f"    {result.get('state')}: {result.get('detail')}")
    check(result.get("state") == "printed", f"{SERIALS[at]} unplugged, the job is printed", result)
    check("second copy" in result.get("detail", "") and
          "unplugged" in journal(f"IFAX_JOB={number}"),
          "the job says that page 1 may be a second copy, the journal why", result)
    sheets = printed(other)
    check(len(sheets) == len(pages) and ends_with(sheets[0], pages[0]),
          "the page began anew on the other board, below a notice", [pixels(s)[:2] for s in sheets])
    check([pixels(s) for s in sheets[1:]] == [pixels(p) for p in pages[1:]],
          "the pages after it are untouched")
    whole = [s for s in printed(at) if pixels(s) in [pixels(p) for p in pages]]
    check(not whole, "and no page came out twice", len(whole))
    live(at, True)
    known(SERIALS.values())


def both_printers_leave(letters, pages):
    """Two documents on two boards; both are kept, and printed when the boards are back."""
    clear()
    speed(SLOW)
    letters.receive(2)
    check(wait_for(lambda: all(busy(board, "print") for board in SERIALS), 60, 0.05),
          "two documents are printed at a time", letters.received(2))
    time.sleep(0.5)
    both(False)
    numbers = letters.received(2)
    for number in numbers:
        result = job_in(number, "waiting", "failed", "printed", seconds=20)
        detail = result.get("detail", "").lower()
        check(result.get("state") == "waiting" and "no printer is connected" in detail and
              "second copy" in detail, "its board unplugged, the document is kept and says so",
              result)
    for board in SERIALS:
        sim_write("tray_clear", 1, board)
    speed(0)
    both(True)
    for number in numbers:
        result = job_in(number, "printed", "failed", "held", seconds=60)
        check(result.get("state") == "printed", "with a board it goes on by itself", result)
    sheets = sum((printed(board) for board in SERIALS), [])
    marked = [s for s in sheets if ends_with(s, pages[0])]
    check(len(sheets) == 2 * len(pages) and len(marked) == 2,
          "each document came out once more, its first page marked",
          [pixels(s)[:2] for s in sheets])


def pull(board):
    """Without a word: from now on its registers read as all-ones, until it is taken out."""
    with open(f"/sys/kernel/debug/faxsim/{os.path.basename(board)}/gone", "w",
              encoding="ascii") as file:
        file.write("1")


def put_back(board):
    live(board, False)
    live(board, True)


def pulled_mid_page(letters, pages):
    """A board that nobody unplugged: nothing is told, its registers are just not there any more."""
    clear()
    speed(SLOW)
    feed(make_page(51, height=1200))
    number = send("office@example.test")
    at = board_at_work("scan")
    time.sleep(1)
    pull(at)
    result = job_in(number, "failed", "sent", seconds=20)
    check(result.get("state") == "failed" and "nothing was sent" in result.get("detail", "").lower(),
          "its scanner pulled in mid-page, the job fails and says so", result)
    others = {SERIALS[board] for board in SERIALS if board != at}
    check(known(others), "the daemon lets go of it, though its nodes are there still",
          journal("-n", "20"))
    put_back(at)
    check(known(SERIALS.values()), "put in again, it is taken", journal("-n", "20"))

    clear()
    speed(SLOW)
    letters.receive()
    at = board_at_work("print")
    time.sleep(1)
    pull(at)
    speed(0)
    number = letters.received()[0]
    result = job_in(number, "printed", "failed", "held", seconds=60)
    other = OTHER if at == SIM else SIM
    sheets = printed(other)
    check(result.get("state") == "printed" and len(sheets) == len(pages) and
          ends_with(sheets[0], pages[0]),
          "its printer pulled in mid-page, the document comes out on the other board",
          (result, [pixels(s)[:2] for s in sheets]))
    put_back(at)
    check(known(SERIALS.values()), "and both are there again", journal("-n", "20"))


def main():
    pages = [make_page(41, height=2200), make_page(42)]
    first_board_late()
    names_and_groups()
    come_and_go()
    udev_starts_daemon()
    modules_exchanged()
    feeder_decides()
    scanner_leaves()
    clear()
    letters = Letters(*pages)
    printer_leaves_other_takes_over(letters, pages)
    both_printers_leave(letters, pages)
    pulled_mid_page(letters, pages)
    check(daemon()["NRestarts"] == "0", "the daemon ran through", daemon())
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
