# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the whole box share: the simulated board, ifaxctl, mailboxes, TAP."""
import email
import glob
import os
import re
import subprocess
import time

SIM = "/sys/kernel/config/faxsim/sim0"
OUTPUT = "/output"
_results = []


def say(text):
    print("#", text, flush=True)


def check(good, name, why=""):
    """One test. Returns whether it passed."""
    if not good:
        for line in str(why).splitlines():
            print("#  ", line)
    _results.append(bool(good))
    print(f"{'' if good else 'not '}ok {len(_results)} - {name}", flush=True)
    return bool(good)


def done_testing():
    print(f"1..{len(_results)}", flush=True)
    return 0 if all(_results) else 1


def run(*command, **options):
    options.setdefault("timeout", 120)
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def must(*command, **options):
    result = run(*command, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr or result.stdout}")
    return result.stdout


def ctl(*words, **options):
    return run("ifaxctl", *words, **options)


def wait_for(what, seconds=60, step=0.2):
    """Calls what() until it gives something true; that, or the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(step)


# The simulated board

def sim_read(name, board=SIM):
    with open(f"{board}/{name}", encoding="ascii") as file:
        return file.read().strip()


def sim_write(name, value, board=SIM):
    with open(f"{board}/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def feed(*pages):
    """Lays originals (P4 images, bytes) into the feeder, the first on top."""
    with open(f"{SIM}/feeder", "wb") as file:
        file.write(b"".join(pages))


def split_pbm(data):
    """The P4 images of a stream of them."""
    images = []
    while data:
        match = re.match(rb"P4\s+(?:#[^\n]*\n)*(\d+)\s+(\d+)\s", data)
        if not match:
            raise ValueError(f"no P4 image begins at {data[:20]!r}")
        end = match.end() + (int(match[1]) + 7) // 8 * int(match[2])
        images.append(data[:end])
        data = data[end:]
    return images


def pixels(image):
    """Width, height and bits of a P4 image, whatever its header looks like."""
    match = re.match(rb"P4\s+(?:#[^\n]*\n)*(\d+)\s+(\d+)\s", image)
    return int(match[1]), int(match[2]), image[match.end():]


def tray():
    """What was printed since the tray was cleared."""
    with open(f"{SIM}/tray", "rb") as file:
        return split_pbm(file.read())


def make_page(seed, width=1728, height=400):
    """A P4 page of its own pattern: bars whose widths come from the seed."""
    row_bytes = width // 8
    rows = []
    for y in range(height):
        band = y // 16
        bit = (seed * 2654435761 + band * 40503) >> 7
        rows.append(bytes((0xff if (bit >> (x // 8 % 24)) & 1 and y % 16 < 12 else 0x00)
                          for x in range(row_bytes)))
    return b"P4\n%d %d\n" % (width, height) + b"".join(rows)


# Jobs

def _job_numbers():
    out = ctl("jobs", "list", "--all").stdout.splitlines()[1:]
    return [int(line.split()[0]) for line in reversed(out)]


def jobs():
    """All jobs, oldest first, each as the dictionary that "ifaxctl jobs show" prints.

    While they are shown, one of them may end and leave another behind (a collection its mail):
    who finds that one final is to find the other, too.
    """
    numbers = _job_numbers()
    while True:
        shown = [job(number) for number in numbers]
        again = _job_numbers()
        if again == numbers:
            return shown
        numbers = again


def job(number):
    fields = {"id": number}
    for line in ctl("jobs", "show", str(number)).stdout.splitlines()[1:]:
        key, _, value = line.strip().partition("  ")
        fields.setdefault(key, value.strip())
    return fields


def job_in(number, *states, seconds=60):
    """Waits until the job is in one of the states; the job as it is then."""
    wait_for(lambda: job(number).get("state") in states, seconds)
    return job(number)


def send(to, *options, user="100"):
    """The number of a new job; raises what ifaxctl said."""
    return int(must("ifaxctl", "send", "--user", user, "--to", to, *options).split()[1])


def received_since(number):
    """Jobs of received mail that are younger than this one."""
    return [j for j in jobs() if j["id"] > number and j.get("kind") == "print"]


def last_job():
    numbers = [j["id"] for j in jobs()]
    return max(numbers, default=0)


# Mailboxes

def mailbox(user="office"):
    return sorted(glob.glob(f"/home/{user}/Maildir/new/*") +
                  glob.glob(f"/home/{user}/Maildir/cur/*"))


def empty_mailbox(user="office"):
    for path in mailbox(user):
        os.unlink(path)


def read_mail(path):
    with open(path, "rb") as file:
        return email.message_from_binary_file(file)


def tiff_of(message):
    """The first TIFF of a message, as bytes."""
    for part in message.walk():
        if part.get_content_type() == "image/tiff":
            return part.get_payload(decode=True)
    return None


def deliver(raw, to="office@example.test"):
    """Hands a whole message to Postfix and waits until it lies in the mailbox."""
    before = set(mailbox(to.split("@", maxsplit=1)[0]))
    must("/usr/sbin/sendmail", "-i", "-f", "sender@example.test", to, input=raw,
         errors="surrogateescape")
    wait_for(lambda: set(mailbox(to.split("@", maxsplit=1)[0])) - before)


# The box

def configure_box():
    """Mail goes out by the guest's own server. To be called before the daemon starts."""
    os.makedirs("/etc/ifax/ifax.conf.d", exist_ok=True)
    with open("/etc/ifax/ifax.conf.d/10-test.conf", "w", encoding="ascii") as file:
        file.write("[Send]\nSmarthost=localhost:25\n")


def start_box():
    """Brings the built-in board, and by udev the daemon, and the user of the tests."""
    configure_box()
    must("modprobe", "faxsim")
    wait_for(lambda: run("systemctl", "is-active", "ifaxd").stdout.strip() == "active")
    wait_for(lambda: "coder" in ctl("status").stdout)
    must("ifaxctl", "users", "add", "100", "--name", "Ada Muster",
         "--address", "ada@example.test", "--pop3-host", "mail.example.test",
         "--pop3-login", "office", "--password-file", "-", "--auto-receive", "no",
         input="secret\n")
    must("ifaxctl", "recipients", "set", "office@example.test", "--accepts", "f")


def journal(*match):
    return must("journalctl", "-u", "ifaxd", "-o", "cat", "--no-pager", *match)
