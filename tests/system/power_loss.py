#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power fails, at every flush of the disk: what was acknowledged is there once.

Spool and state lie on an ext4 on dm-log-writes, which logs every write in the order in which the
disk had to keep it. Under load a mark goes into the log right after each 250 and each change of a
job that was confirmed. Then the log is replayed up to a flush, the file system mounted (its journal
recovers), and store-check opens the store as ifaxd does: each mail with a mark before that point is
there once and whole, each confirmed change counts, and an index built anew says the same. Between
flushes a disk keeps what it likes of the writes since the last one: prefixes of them, and blocks
chosen at random, are tried, too.

The disks are zram, for zeros cost nothing there. SEED= chooses the random ones, POINTS= and TORN=
how many of each kind are tried. Where BUDGET= seconds do not suffice for that, some are left out
all along the way, and it says how many.
"""
import email.message
import fcntl
import hashlib
import os
import random
import smtplib
import struct
import sys
import threading
import time

from guest import (check, ctl, done_testing, job, make_page, must, run, say, start_box, wait_for)

PORT = 2525
POINTS = int(os.environ.get("POINTS", "40"))
TORN = int(os.environ.get("TORN", "40"))
BUDGET = float(os.environ.get("BUDGET", "180"))
PATIENCE = 300          # seconds for the box to do what it was sent
CLIENTS = 5
EACH = 12
LARGE = 30 << 20        # two and the others fill a segment of the spool; what follows begins one
FOLLOWS = 4 << 20
SIZE = 512              # MiB of the file system
BLOCK = 4096            # what a disk writes whole
DISK, LOG, BASE, COW = (f"/dev/zram{n}" for n in range(4))
MOUNT, CHECKED = "/srv/power", "/srv/checked"
FINAL = ("sent", "printed", "failed", "canceled", "duplicate", "delivered")


# The logged disk

def dm_create(name, table):
    must("dmsetup", "create", name, "--table", table)


def dm_remove(name):
    must("dmsetup", "remove", "--retry", name)


class Marker:
    """Puts marks, a word each, into the log of dm-log-writes, by the device mapper's ioctl: from
    any thread, and with nothing between it and the reply that it stands for."""
    TARGET_MSG = 3 << 30 | 312 << 16 | 0xfd << 8 | 14

    def __init__(self):
        self.control = os.open("/dev/mapper/control", os.O_RDWR)

    def __call__(self, text):
        message = b"mark " + text.encode() + b"\0"
        size = 312 + 8 + len(message)
        head = struct.pack("=3I7I Q 128s 129s 7x", 4, 0, 0, size, 312, 0, 0, 0, 0, 0, 0,
                           b"logged", b"")
        fcntl.ioctl(self.control, self.TARGET_MSG, bytearray(head + struct.pack("=Q", 0) + message))


def make_disks():
    must("modprobe", "zram", "num_devices=4")
    must("modprobe", "dm-log-writes")
    must("modprobe", "dm-snapshot")
    for n, mib in enumerate((SIZE, 1536, SIZE, SIZE // 2)):
        with open(f"/sys/block/zram{n}/disksize", "w", encoding="ascii") as file:
            file.write(f"{mib}M")
    dm_create("logged", f"0 {SIZE << 11} log-writes {DISK} {LOG}")
    must("mkfs.ext4", "-q", "-b", str(BLOCK), "-E",
         "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "/dev/mapper/logged")
    for path in (MOUNT, CHECKED):
        os.makedirs(path, exist_ok=True)
    must("mount", "/dev/mapper/logged", MOUNT)
    for name, path in (("spool", "/var/spool/ifax"), ("state", "/var/lib/ifax")):
        os.makedirs(f"{MOUNT}/{name}")
        os.makedirs(path, exist_ok=True)
        must("chown", "ifax:ifax", f"{MOUNT}/{name}")
        must("chmod", "700", f"{MOUNT}/{name}")
        must("mount", "--bind", f"{MOUNT}/{name}", path)


def unmount_disks():
    for path in ("/var/spool/ifax", "/var/lib/ifax", MOUNT):
        must("umount", path)
    dm_remove("logged")


# The load

def tiff(seed):
    page, out = f"/tmp/{seed}.pbm", f"/tmp/{seed}.tif"
    with open(page, "wb") as file:
        file.write(make_page(seed))
    must("ppm2tiff", "-c", "g4", "-R", "200", page, out)
    with open(out, "rb") as file:
        return file.read()


def mail(name, page=None):
    """About 40 kB that nothing else resembles, with CR LF."""
    m = email.message.EmailMessage()
    m["Message-Id"] = f"<{name}@far.test>"
    m["From"] = f"{name}@far.test"
    m["Subject"] = name
    m.set_content(random.randbytes(19 << 10).hex("\n", 32) + "\n")
    if page:
        m.add_attachment(page, maintype="image", subtype="tiff")
    return m.as_bytes().replace(b"\n", b"\r\n")


class Load:
    """What was sent, and the marks that say what is known of it."""
    WAYS = ("100@box.example.test", "200@box.example.test", "office@example.test")

    def __init__(self, mark):
        self.mark = mark
        self.lock = threading.Lock()
        self.digests = {}
        self.trouble = []

    def expect(self, name, data):
        with self.lock:
            self.digests[name] = hashlib.sha256(data).hexdigest()

    def submit(self, session, name, to, data):
        self.expect(name, data)
        session.mail(f"{name}@far.test")
        code, words = session.rcpt(to)
        if code != 250:
            raise smtplib.SMTPDataError(code, words)
        session.putcmd(f"BDAT {len(data)} LAST")
        session.sock.sendall(data)
        code, words = session.getreply()
        if code != 250:
            raise smtplib.SMTPDataError(code, words)
        self.mark("ack:" + name)

    def client(self, number, mails):
        try:
            with smtplib.SMTP("127.0.0.1", PORT, "client.test", timeout=120) as s:
                s.ehlo()
                for name, to, data in mails:
                    self.submit(s, name, to, data)
        except (OSError, smtplib.SMTPException) as e:
            self.trouble.append(f"client {number}: {e!r}")

    def small(self):
        pages = [tiff(n) for n in range(3)]
        work = []
        for c in range(CLIENTS):
            mails = []
            for i in range(EACH):
                name, to = f"m{c}-{i}", self.WAYS[(c + i) % len(self.WAYS)]
                mails.append((name, to, mail(name, pages[i % 3] if i % 4 else None)))
            work.append(threading.Thread(target=self.client, args=(c, mails)))
        return work

    def large(self, name, size):
        line = (name + " ").encode() * 9
        data = mail(name) + (line[:70] + b"\r\n") * (size // 72)
        self.client(name, [(name, "100@box.example.test", data)])

    def changes(self):
        """Cancels what is kept for 200 and removes every other of these."""
        for n, number in enumerate(kept()):
            name = job(number)["subject"]
            self.mark("canceling:" + name)
            result = ctl("jobs", "cancel", str(number))
            if result.returncode:
                self.trouble.append(f"cancel {number}: {result.stderr}")
                continue
            self.mark("canceled:" + name)
            if n % 2:
                continue
            self.mark("removing:" + name)
            result = ctl("jobs", "remove", str(number))
            if result.returncode:
                self.trouble.append(f"remove {number}: {result.stderr}")
                continue
            self.mark("removed:" + name)


def kept():
    """The jobs that are kept for 200."""
    lines = must("ifaxctl", "jobs", "list", "--user", "200").splitlines()[1:]
    return [int(line.split()[0]) for line in lines if "kept" in line.split()]


def busy():
    text = must("ifaxctl", "status")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("jobs:"))


def settle(over):
    if not wait_for(over, PATIENCE, 1):
        raise RuntimeError(f"not over after {PATIENCE} s:\n{ctl('jobs', 'list').stdout}")


def segments():
    return sorted(n for n in os.listdir(f"{MOUNT}/spool/journal") if n.endswith(".seg"))


def set_up():
    drop = "/etc/systemd/system/ifaxd-smtp.socket.d"
    os.makedirs(drop, exist_ok=True)
    os.makedirs("/etc/ifax/ifax.conf.d", exist_ok=True)
    with open(f"{drop}/port.conf", "w", encoding="ascii") as file:
        file.write(f"[Socket]\nListenStream=\nListenStream={PORT}\n")
    with open("/etc/ifax/ifax.conf.d/60-receive.conf", "w", encoding="ascii") as file:
        file.write("[Receive]\nDomains=box.example.test\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "start", "ifaxd-smtp.socket")
    start_box()
    must("ifaxctl", "users", "add", "200", "--name", "Keeps", "--address", "keeps@example.test",
         "--auto-print", "no")


def run_load():
    """Returns the load when all is over and the disks are let go."""
    mark = Marker()
    load = Load(mark)
    threads = load.small()
    mark("begin")
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    settle(lambda: kept() and len(kept()) == busy())
    load.changes()
    before = segments()
    load.large("large-1", LARGE)
    load.large("large-2", LARGE)
    # Both without pages: when that is known they need not be kept in a segment that goes.
    settle(lambda: not busy())
    load.large("follows", FOLLOWS)
    for i in range(4):
        name = f"late-{i}"
        load.client(name, [(name, "100@box.example.test", mail(name))])
    settle(lambda: segments() and segments()[0] > before[0])
    settle(lambda: not busy())
    after = segments()
    states = [line.split() for line in ctl("jobs", "list", "--all").stdout.splitlines()[1:]]
    mark("end")
    must("systemctl", "stop", "ifaxd-smtp.socket", "ifaxd")
    check(not load.trouble, f"{len(load.digests)} mails were acknowledged with 250, "
          "some canceled and some removed", "\n".join(load.trouble))
    seen = {word for words in states for word in words if word in FINAL}
    check({"sent", "printed", "failed", "canceled"} <= seen,
          "some were relayed, printed, canceled, found to be without pages", seen)
    check(before[0] not in after, "the spool began a new segment and gave the first back",
          f"{before} then {after}")
    return load


# The log

FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class Entry:
    """One of the log: a write, a flush or a mark."""

    def __init__(self, at, sector, count, flags):
        self.at, self.sector, self.count, self.flags = at, sector, count, flags
        self.text = ""


class Log:
    """The log as Documentation/admin-guide/device-mapper/log-writes.rst and the driver have it."""
    MAGIC = 0x6a736677736872

    def __init__(self):
        self.fd = os.open(LOG, os.O_RDONLY)
        magic, version, n, self.unit = struct.unpack("<QQQI", os.pread(self.fd, 28, 0))
        if magic != self.MAGIC or version != 1:
            raise RuntimeError("this is no log of dm-log-writes")
        self.entries = []
        at = self.unit
        for _ in range(n):
            at = self.read_entry(at)

    def read_entry(self, at):
        sector, count, flags, length = struct.unpack("<4Q", os.pread(self.fd, 32, at))
        e = Entry(at + self.unit, sector, count, flags)
        if flags & DISCARD:
            raise RuntimeError("a discard, which was not asked for")
        if flags & MARK:
            e.text = os.pread(self.fd, length, at + 32).decode()
        self.entries.append(e)
        return at + self.unit * (1 + count)

    def mark(self, text):
        return next(i for i, e in enumerate(self.entries) if e.text == text)

    def write(self, out, e):
        if e.count:
            os.pwrite(out, os.pread(self.fd, e.count * self.unit, e.at), e.sector * self.unit)

    def write_some(self, out, e, chance):
        """Blocks of a write that the disk happened to keep."""
        for n in range(e.count * self.unit // BLOCK):
            if random.random() < chance:
                os.pwrite(out, os.pread(self.fd, BLOCK, e.at + n * BLOCK),
                          e.sector * self.unit + n * BLOCK)


def evenly(things, n):
    """n of them, the first and the last included."""
    if len(things) <= n:
        return list(things)
    return [things[i * (len(things) - 1) // (n - 1)] for i in range(n)]


def choose(log):
    """The flushes to replay up to, and those to tear the writes before."""
    begin, end = log.mark("begin"), log.mark("end")
    flushes = [i for i, e in enumerate(log.entries) if e.flags & FLUSH and begin < i]
    around = set()
    for m in (i for i, e in enumerate(log.entries) if e.flags & MARK and begin < i <= end):
        around.update([f for f in flushes if f < m][-1:])
        around.update([f for f in flushes if f > m][:1])
    points = flushes
    if len(flushes) > POINTS:
        points = sorted(set(evenly(sorted(around), POINTS * 2 // 3)) |
                        set(evenly(flushes, POINTS // 3)))
    possible = [f for f, before in zip(flushes[1:], flushes) if any(
        e.count and not e.flags & FUA for e in log.entries[before + 1:f])]
    torn = sorted(random.sample(possible, min(TORN, len(possible))))
    say(f"{len(log.entries)} entries, {len(flushes)} flushes under load, {len(around)} of them "
        f"next to a mark; replayed up to {len(points)} flushes (evenly by place, two thirds next "
        f"to marks) and into {len(torn)} of the {len(possible)} stretches between")
    return points, torn


# The judgement

class Marks:
    """What had been acknowledged, or only asked for, before a place of the log."""

    def __init__(self, log):
        self.places = [(i, *e.text.split(":")) for i, e in enumerate(log.entries)
                       if ":" in e.text]

    def before(self, place, what):
        return {name for i, word, name in self.places if i < place and word == what}


def without_large(lines):
    """As store-check -s says it, which does not read large documents."""
    found = set()
    for line in lines:
        words = line.split()
        if words[0] == "job" and int(words[4]) > 1 << 20 and len(words[6]) == 64:
            line = " ".join(words[:5] + ["-", "large"])
        found.add(line)
    return found


class Judge:
    """Collects, for each promise, where it was broken."""
    PROMISES = {
        "mounts": "the file system mounts and the store opens",
        "lost": "every mail that was acknowledged is there",
        "twice": "none is there twice",
        "torn": "each is whole",
        "changes": "every change that was confirmed counts",
        "index": "an index built anew says the same",
        "damage": "nothing durable is called damaged",
    }

    def __init__(self, load, marks):
        self.load, self.marks = load, marks
        self.broken = {key: [] for key in self.PROMISES}
        self.images = self.mails = self.changed = 0

    def image(self, where, place):
        """Judges what is mounted at CHECKED; only marks before @place count."""
        self.images += 1
        first = run("/test/store-check", f"{CHECKED}/spool", f"{CHECKED}/state")
        if first.returncode:
            self.broken["mounts"].append(f"{where}: {first.stderr}")
            return
        for name in os.listdir(f"{CHECKED}/state"):
            if name.startswith("index.db"):
                os.unlink(f"{CHECKED}/state/{name}")
        again = run("/test/store-check", "-s", f"{CHECKED}/spool", f"{CHECKED}/state")
        lines, anew = (set(text.stdout.splitlines()) for text in (first, again))
        notices = {line for line in lines | anew if line.startswith("notice")}
        differ = (without_large(lines) ^ anew) - notices
        if again.returncode or differ:
            self.broken["index"].append(f"{where}: {differ} {again.stderr}")
        for text in notices:
            if "damaged" in text:
                self.damage(where, text)
        self.contents(where, place, [line.split()[1:] for line in lines if line.startswith("job ")])
        if "users 2" not in lines:
            self.broken["changes"].append(f"{where}: the users are not there")

    def damage(self, where, text):
        if "(0 of them once durable)" not in text or " 0 segments" not in text:
            self.broken["damage"].append(f"{where}: {text}")

    def contents(self, where, place, jobs):
        of = {}
        for _, kind, state, _, name, digest in jobs:
            # others are the box's own: slips about what it keeps
            if kind in ("print", "mail") and name in self.load.digests:
                of.setdefault(name, []).append((state, digest))
        acknowledged = self.marks.before(place, "ack")
        canceled = self.marks.before(place, "canceled")
        removing = self.marks.before(place, "removing")
        removed = self.marks.before(place, "removed")
        lost = acknowledged - removing - set(of)
        twice = {name for name, found in of.items() if len(found) > 1}
        whole = {name for name, found in of.items() if all(
            digest == self.load.digests[name] or digest == "-" and state in FINAL
            for state, digest in found)}
        undone = {name for name in canceled & set(of) if of[name][0][0] != "canceled"}
        undone |= removed & set(of)
        for key, names in (("lost", lost), ("twice", twice), ("torn", set(of) - whole),
                           ("changes", undone)):
            if names:
                self.broken[key].append(f"{where}: {sorted(names)}")
        self.mails += len(acknowledged)
        self.changed += len(canceled) + len(removed)

    def verdict(self, how):
        say(f"{how}: {self.images} images, {self.mails} acknowledged mails and {self.changed} "
            "confirmed changes looked for in them")
        for key, text in self.PROMISES.items():
            check(self.images and not self.broken[key], f"{how}, {self.images} times: {text}",
                  f"{len(self.broken[key])} times not:\n" + "\n".join(self.broken[key][:10]))


class Replay:
    """The disk as it was at a flush: BASE, and for each trial what is written on top of that."""

    def __init__(self, log):
        self.log = log
        self.done = 0
        self.base = os.open(BASE, os.O_RDWR)

    def up_to(self, place):
        """All before entry @place."""
        while self.done < place:
            self.log.write(self.base, self.log.entries[self.done])
            self.done += 1
        os.fsync(self.base)

    def trial(self, judge, where, place, tear=None):
        dm_create("trial", f"0 {SIZE << 11} snapshot {BASE} {COW} N 8")
        try:
            if tear:
                out = os.open("/dev/mapper/trial", os.O_RDWR)
                tear(out)
                os.fsync(out)
                os.close(out)
            result = run("mount", "-t", "ext4", "/dev/mapper/trial", CHECKED)
            if result.returncode:
                judge.broken["mounts"].append(f"{where}: {result.stderr}")
                return
            judge.image(where, place)
            must("umount", CHECKED)
        finally:
            dm_remove("trial")

    def prefix(self, judge, last, flush):
        """The writes since flush @last in the order in which they were done, up to one of them."""
        end = random.randint(last + 1, flush)
        kept = self.log.entries[last + 1:end]
        self.trial(judge, f"first {len(kept)} writes before flush {flush}", end,
                   lambda out: [self.log.write(out, e) for e in kept])

    def subset(self, judge, last, flush):
        """Some blocks of the writes since flush @last; what went past the cache is there."""
        chance = random.choice((0.1, 0.5, 0.9))

        def tear(out):
            for e in self.log.entries[last + 1:flush]:
                if e.flags & FUA:
                    self.log.write(out, e)
                else:
                    self.log.write_some(out, e, chance)
        self.trial(judge, f"{chance:.0%} of the blocks before flush {flush}", flush, tear)


def replay(load):
    log = Log()
    marks = Marks(log)
    points, torn = choose(log)
    exact, between = Judge(load, marks), Judge(load, marks)
    disk = Replay(log)
    previous = {}
    flushes = [i for i, e in enumerate(log.entries) if e.flags & FLUSH]
    for last, flush in zip(flushes, flushes[1:]):
        previous[flush] = last
    start = time.monotonic()
    work = sorted([(place, True) for place in torn] + [(place, False) for place in points],
                  key=lambda w: (w[0], not w[1]))
    left_out = 0
    for n, (place, tear) in enumerate(work):
        if time.monotonic() - start > BUDGET * (n + 1) / len(work):
            left_out += 1
        elif tear:
            last = previous[place]
            disk.up_to(last + 1)
            random.choice((disk.prefix, disk.subset, disk.subset))(between, last, place)
        else:
            disk.up_to(place + 1)
            disk.trial(exact, f"flush {place}", place + 1)
    say(f"replayed in {time.monotonic() - start:.0f} s, {left_out} of {len(work)} left out for "
        "want of time")
    check(exact.marks.before(len(log.entries), "ack") == set(load.digests),
          "each mail that was sent has its mark in the log")
    exact.verdict("power lost at a flush")
    between.verdict("power lost between flushes")


def main():
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    random.seed(seed)
    say(f"seed {seed}")
    make_disks()
    set_up()
    start = time.monotonic()
    load = run_load()
    unmount_disks()
    say(f"the load took {time.monotonic() - start:.0f} s")
    replay(load)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
