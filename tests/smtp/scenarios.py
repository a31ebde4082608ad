#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ten scenarios of RFC 821, appendix F. Against our receiver: each command is sent as it stands
there, and each reply has the code that stands there. With our sender: a host that knows nothing but
these words takes part, lock-step, and breaks off at any other.

Recipients are too many from the hundred and first on. Our sender asks for EHLO first, and hears
500."""
import re
import smtplib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, sys.path[0])
from box import Box, check, done_testing  # noqa: E402

TEXT = ["S: Blah blah blah...", "S: ...etc. etc. etc."]
DATA = ["S: DATA", "R: 354 Start mail input; end with <CRLF>.<CRLF>", *TEXT, "S: .", "R: 250 OK"]


def lines(text):
    """The lines of a transcript; DATA brings its text along."""
    found = []
    for line in text.strip().splitlines():
        found += DATA if line.strip() == "DATA" else [line.strip()]
    return found


def talk(host, guest, text):
    return [f"R: 220 {host}", f"S: HELO {guest}", f"R: 250 {host}", *lines(text), "S: QUIT",
            f"R: 221 {host}"]


# 1 and 2
TYPICAL = talk("BBN-UNIX.ARPA", "USC-ISIF.ARPA", """
    S: MAIL FROM:<Smith@USC-ISIF.ARPA>
    R: 250 OK
    S: RCPT TO:<Jones@BBN-UNIX.ARPA>
    R: 250 OK
    S: RCPT TO:<Green@BBN-UNIX.ARPA>
    R: 550 No such user here
    S: RCPT TO:<Brown@BBN-UNIX.ARPA>
    R: 250 OK
    DATA""")
ABORTED = talk("MIT-Multics.ARPA", "ISI-VAXA.ARPA", """
    S: MAIL FROM:<Smith@ISI-VAXA.ARPA>
    R: 250 OK
    S: RCPT TO:<Jones@MIT-Multics.ARPA>
    R: 250 OK
    S: RCPT TO:<Green@MIT-Multics.ARPA>
    R: 550 No such user here
    S: RSET
    R: 250 OK""")
NOBODY = talk("MIT-Multics.ARPA", "ISI-VAXA.ARPA", """
    S: MAIL FROM:<Smith@ISI-VAXA.ARPA>
    R: 250 OK
    S: RCPT TO:<Green@MIT-Multics.ARPA>
    R: 550 No such user here
    S: RSET
    R: 250 OK""")
# 3
LETTER = """S: Date: 2 Nov 81 22:33:44
    S: From: John Q. Public <JQP@MIT-AI.ARPA>
    S: Subject: The Next Meeting of the Board
    S: To: Jones@BBN-Vax.ARPA
    S:
    S: Bill:
    S: The next meeting of the board of directors will be
    S: on Tuesday.
    S: John.
    S: ."""
RELAYED = [
    talk("USC-ISIE.ARPA", "MIT-AI.ARPA", f"""
    S: MAIL FROM:<JQP@MIT-AI.ARPA>
    R: 250 OK
    S: RCPT TO:<@USC-ISIE.ARPA:Jones@BBN-VAX.ARPA>
    R: 250 OK
    S: DATA
    R: 354 Start mail input; end with <CRLF>.<CRLF>
    {LETTER}
    R: 250 OK"""),
    talk("BBN-VAX.ARPA", "USC-ISIE.ARPA", f"""
    S: MAIL FROM:<@USC-ISIE.ARPA:JQP@MIT-AI.ARPA>
    R: 250 OK
    S: RCPT TO:<Jones@BBN-VAX.ARPA>
    R: 250 OK
    S: DATA
    R: 354 Start mail input; end with <CRLF>.<CRLF>
    {LETTER}
    R: 250 OK""")]
# 4, 5 and 6; R= is a reply whose words are of interest
VERIFIED = """S: VRFY Crispin
    R= 250 Mark Crispin <Admin.MRC@SU-SCORE.ARPA>
    S: """
TO_CRISPIN = """S: RCPT TO:<Admin.MRC@SU-SCORE.ARPA>
    R: """
VERIFY_AND_SEND = talk("SU-SCORE.ARPA", "MIT-MC.ARPA", f"""{VERIFIED}SEND FROM:<EAK@MIT-MC.ARPA>
    R: 250 OK
    {TO_CRISPIN}250 OK
    DATA""")
SEND_THEN_MAIL = talk("SU-SCORE.ARPA", "MIT-MC.ARPA", f"""{VERIFIED}SEND FROM:<EAK@MIT-MC.ARPA>
    R: 250 OK
    {TO_CRISPIN}450 User not active now
    S: RSET
    R: 250 OK
    S: MAIL FROM:<EAK@MIT-MC.ARPA>
    R: 250 OK
    {TO_CRISPIN}250 OK
    DATA""")
SEND_OR_MAIL = talk("SU-SCORE.ARPA", "MIT-MC.ARPA", f"""{VERIFIED}SOML FROM:<EAK@MIT-MC.ARPA>
    R: 250 OK
    {TO_CRISPIN}250 User not active now, so will do mail.
    DATA""")
# 7
LISTS = [
    talk("MIT-AI.ARPA", "SU-SCORE.ARPA", """
    S: EXPN Example-People
    R= 250-<ABC@MIT-MC.ARPA>
    R= 250-Fred Fonebone <Fonebone@USC-ISIQ.ARPA>
    R= 250-Xenon Y. Zither <XYZ@MIT-AI.ARPA>
    R= 250-Quincy Smith <Q-Smith@ISI-VAXA.ARPA>
    R= 250-<joe@foo-unix.ARPA>
    R= 250 <xyz@bar-unix.ARPA>"""),
    talk("MIT-MC.ARPA", "SU-SCORE.ARPA", """
    S: EXPN Interested-Parties
    R= 250-Al Calico <ABC@MIT-MC.ARPA>
    R= 250-<XYZ@MIT-AI.ARPA>
    R= 250-Quincy Smith <Q-Smith@ISI-VAXA.ARPA>
    R= 250-<fred@BBN-UNIX.ARPA>
    R= 250 <xyz@bar-unix.ARPA>""")]
EVERYBODY = ["ABC@MIT-MC.ARPA", "Fonebone@USC-ISIQA.ARPA", "XYZ@MIT-AI.ARPA",
             "@USC-ISIF.ARPA:Q-Smith@ISI-VAXA.ARPA", "joe@FOO-UNIX.ARPA", "xyz@BAR-UNIX.ARPA",
             "fred@BBN-UNIX.ARPA"]


def by_relay(path):
    return f"@USC-ISIE.ARPA{',' if path[0] == '@' else ':'}{path}"


TO_EVERYBODY = talk("USC-ISIE.ARPA", "SU-SCORE.ARPA", "\n".join(
    ["S: MAIL FROM:<Account.Person@SU-SCORE.ARPA>", "R: 250 OK"] +
    [x for path in EVERYBODY for x in (f"S: RCPT TO:<{by_relay(path)}>", "R: 250 OK")] + ["DATA"]))
# 8 and 9
FORWARDED = talk("USC-ISIF.ARPA", "LBL-UNIX.ARPA", """
    S: MAIL FROM:<mo@LBL-UNIX.ARPA>
    R: 250 OK
    S: RCPT TO:<fred@USC-ISIF.ARPA>
    R= 251 User not local; will forward to <Jones@USC-ISI.ARPA>
    DATA""")
TRIED = [
    talk("USC-ISIF.ARPA", "LBL-UNIX.ARPA", """
    S: MAIL FROM:<mo@LBL-UNIX.ARPA>
    R: 250 OK
    S: RCPT TO:<fred@USC-ISIF.ARPA>
    R= 251 User not local; will forward to <Jones@USC-ISI.ARPA>
    S: RSET
    R: 250 OK"""),
    talk("USC-ISI.ARPA", "LBL-UNIX.ARPA", """
    S: MAIL FROM:<mo@LBL-UNIX.ARPA>
    R: 250 OK
    S: RCPT TO:<Jones@USC-ISI.ARPA>
    R: 250 OK
    DATA""")]
REFUSED = talk("USC-ISIF.ARPA", "LBL-UNIX.ARPA", """
    S: MAIL FROM:<mo@LBL-UNIX.ARPA>
    R: 250 OK
    S: RCPT TO:<gone@USC-ISIF.ARPA>
    R= 551 User not local; please try <Jones@USC-ISI.ARPA>""")
# 10
POSTEL = "S: MAIL FROM:<Postel@USC-ISIF.ARPA>\nR: 250 OK\n"
TOO_MANY = talk("BERKELEY.ARPA", "USC-ISIF.ARPA", f"""{POSTEL}
    S: RCPT TO:<eric@BERKELEY.ARPA>
    R: 250 OK
    S: RCPT TO:<fabry@BERKELEY.ARPA>
    R: 552 Recipient storage full, try again in another transaction
    DATA
    {POSTEL}
    S: RCPT TO:<fabry@BERKELEY.ARPA>
    R: 250 OK
    DATA""".replace("\n\n", "\n"))


# Against our receiver

class Line:
    """A connection of text lines."""

    def __init__(self, connection):
        connection.settimeout(60)
        self.socket = connection
        self.data = b""

    def get(self):
        while b"\n" not in self.data:
            piece = self.socket.recv(4096)
            if not piece:
                raise EOFError
            self.data += piece
        line, _, self.data = self.data.partition(b"\n")
        if not line.endswith(b"\r"):
            raise ValueError(f"{line!r} does not end in CRLF")
        return line[:-1].decode()

    def put(self, text):
        self.socket.sendall(text.encode() + b"\r\n")


def reply_fits(said, expected):
    words = expected[3:]
    if expected.startswith("R="):
        return re.sub(r"^(\d{3}[ -])\d\.\d+\.\d+ ", r"\1", said) == words
    return said[:4].rstrip() == words[:4].rstrip()


def replay(port, script):
    """What was said up to the first reply that was not as the script has it; "" if all were."""
    heard = []
    with socket.create_connection(("127.0.0.1", port)) as s:
        line = Line(s)
        for step in script:
            if step.startswith("S:"):
                line.put(step[3:])
                heard.append(step)
                continue
            try:
                heard.append("R: " + line.get())
            except (EOFError, OSError, ValueError) as e:
                heard.append(repr(e))
            if not reply_fits(heard[-1][3:], step):
                return "\n".join([*heard, f"not {step}"])
    return ""


def add_users(box, host, **people):
    for number, (local, name) in enumerate(people.items()):
        box.must("users", "add", str(100 + number), "--name", name, "--address",
                 f"{local.replace('_', '.')}@{host}", "--auto-print", "no")


def box_of(host, **options):
    return Box(hostname=host, domains=host, **options)


def jobs(box):
    return [line.split()[0] for line in box.must("jobs", "list", "--all").splitlines()[1:]]


def received_plain():
    with box_of("BBN-UNIX.ARPA") as box:
        add_users(box, "BBN-UNIX.ARPA", Jones="Jones", Brown="Brown")
        check(not (why := replay(box.ports["smtp"], TYPICAL)), "receiver: 1, a typical transaction",
              why)
        shown = " ".join(box.must("jobs", "show", number) for number in jobs(box))
        check("Jones@BBN-UNIX.ARPA" in shown and "Brown@BBN-UNIX.ARPA" in shown and
              "Green" not in shown, "receiver: 1, it is there for Jones and Brown", shown)
    with box_of("MIT-Multics.ARPA") as box:
        add_users(box, "MIT-Multics.ARPA", Jones="Jones")
        check(not (why := replay(box.ports["smtp"], ABORTED)),
              "receiver: 2, an aborted transaction", why)
        check(not jobs(box), "receiver: 2, nothing is there", jobs(box))


def received_at_terminals():
    with box_of("SU-SCORE.ARPA") as box:
        add_users(box, "SU-SCORE.ARPA", Admin_MRC="Mark Crispin")
        check(not (why := replay(box.ports["smtp"], SEND_THEN_MAIL)),
              "receiver: 5, sending, and when that fails mailing", why)
        check(not (why := replay(box.ports["smtp"], SEND_OR_MAIL)),
              "receiver: 6, the same by SOML", why)
        mailed = len(jobs(box))
        check(mailed == 2, "receiver: 5 and 6, mails they are", jobs(box))
        panel = subprocess.Popen([f"{box.build}/ifaxctl", "panel", "--user", "100"], text=True,
                                 env=box.env, stdout=subprocess.PIPE)
        panel.stdout.readline()
        check(not (why := replay(box.ports["smtp"], VERIFY_AND_SEND)),
              "receiver: 4, verifying and sending", why)
        shown = [panel.stdout.readline() for _ in range(4)]
        check(any("etc. etc." in x for x in shown) and len(jobs(box)) == mailed,
              "receiver: 4, it comes up on the terminal and is no mail", shown)
        panel.terminate()
        panel.wait()


def received_for_lists():
    quincy = ("recipients", "set", "Q-Smith@ISI-VAXA.ARPA", "--name", "Quincy Smith")
    with box_of("MIT-AI.ARPA") as box:
        add_users(box, "MIT-AI.ARPA", XYZ="Xenon Y. Zither")
        box.must("recipients", "set", "Fonebone@USC-ISIQ.ARPA", "--name", "Fred Fonebone")
        box.must(*quincy)
        box.must("aliases", "add", "example-people", "ABC@MIT-MC.ARPA", "Fonebone@USC-ISIQ.ARPA",
                 "XYZ@MIT-AI.ARPA", "Q-Smith@ISI-VAXA.ARPA", "joe@foo-unix.ARPA",
                 "xyz@bar-unix.ARPA")
        check(not (why := replay(box.ports["smtp"], LISTS[0])),
              "receiver: 7, expanding the first list", why)
    with box_of("MIT-MC.ARPA") as box:
        add_users(box, "MIT-MC.ARPA", ABC="Al Calico")
        box.must(*quincy)
        box.must("aliases", "add", "interested-parties", "ABC@MIT-MC.ARPA", "XYZ@MIT-AI.ARPA",
                 "Q-Smith@ISI-VAXA.ARPA", "fred@BBN-UNIX.ARPA", "xyz@bar-unix.ARPA")
        check(not (why := replay(box.ports["smtp"], LISTS[1])),
              "receiver: 7, expanding the second list", why)


def received_to_forward():
    with box_of("USC-ISIF.ARPA") as box:
        box.must("aliases", "add", "fred", "--kind", "moved", "Jones@USC-ISI.ARPA")
        box.must("aliases", "add", "gone", "--kind", "gone", "Jones@USC-ISI.ARPA")
        check(not (why := replay(box.ports["smtp"], TRIED[0])),
              "receiver: 9, trying the mailbox at the first host", why)
        check(not jobs(box), "receiver: 9, nothing is there after RSET", jobs(box))
        check(not (why := replay(box.ports["smtp"], FORWARDED)), "receiver: 8, forwarding", why)
        check("Jones@USC-ISI.ARPA" in box.must("queue", "list"), "receiver: 8, it goes on to Jones",
              box.must("queue", "list"))
        check(not (why := replay(box.ports["smtp"], REFUSED)),
              "receiver: 8, 551 where forwarding is refused", why)
    with box_of("USC-ISI.ARPA") as box:
        add_users(box, "USC-ISI.ARPA", Jones="Jones")
        check(not (why := replay(box.ports["smtp"], TRIED[1])),
              "receiver: 9, delivering at the second host", why)


def received_too_many():
    def many(first, last):
        return [f"S: RCPT TO:<r{i}@ELSEWHERE.ARPA>\nR: 250 OK" for i in range(first, last)]

    script = talk("BERKELEY.ARPA", "USC-ISIF.ARPA", "\n".join(
        [POSTEL.strip(), *many(0, 100), "S: RCPT TO:<eric@ELSEWHERE.ARPA>\nR: 552 Recipient storage full", "DATA",
         POSTEL.strip(), "S: RCPT TO:<eric@ELSEWHERE.ARPA>\nR: 250 OK", "DATA"]))
    with box_of("BERKELEY.ARPA", receive="MaxRecipients=100") as box:
        check(not (why := replay(box.ports["smtp"], script)),
              "receiver: 10, a hundred recipients, one too many, and him in another", why)
        check(len(jobs(box)) == 2, "receiver: 10, two mails", jobs(box))


# With our sender

class StrictHost:
    """Takes part in one session as the scripts have it, one after the other. Successive RCPTs may
    come in any order. Text ends as the script's does; what is above it is our trace."""

    def __init__(self, *scripts):
        self.scripts = scripts
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(60)
        self.port = self.server.getsockname()[1]
        self.trouble = ""
        self.mails = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def wait(self):
        self.thread.join(90)
        self.server.close()
        return self.trouble if not self.thread.is_alive() else "it does not come to its end"

    def _serve(self):
        try:
            for script in self.scripts:
                connection, _ = self.server.accept()
                with connection:
                    self._session(Line(connection), list(script))
        except (EOFError, OSError, ValueError) as e:
            self.trouble = repr(e)

    def _session(self, line, script):
        line.put(script.pop(0)[3:])
        hello = line.get()
        if not hello.startswith("EHLO "):
            raise ValueError(f"{hello} in place of EHLO")
        line.put("500 Command unrecognized")
        while script:
            self._step(line, script)

    def _step(self, line, script):
        said = line.get()
        if line.data:
            raise ValueError(f"{line.data!r} comes before {said!r} is answered")
        reply = self._reply_to(said, script)
        if reply is None:
            line.put("421 This is not what the book says")
            raise ValueError(f"{said} in place of {script[0]}")
        line.put(reply[3:])
        if said == "DATA":
            self._text(line, script)

    @staticmethod
    def _reply_to(said, script):
        """The reply to this command, which is the script's next, or one of its next RCPTs."""
        for at in range(0, len(script), 2):
            if script[at] == "S: " + said:
                reply = script[at + 1]
                del script[at:at + 2]
                return reply
            if not script[at].startswith("S: RCPT "):
                break
        return None

    def _text(self, line, script):
        end = script.index("S: .")
        text = [step[3:] for step in script[:end]]
        got = []
        while (said := line.get()) != ".":
            got.append(said[1:] if said.startswith(".") else said)
        self.mails.append(got)
        if got[-len(text):] != [x[1:] if x.startswith(".") else x for x in text]:
            raise ValueError(f"{got} in place of {text}")
        line.put(script[end + 1][3:])
        del script[:end + 2]


def text_of(script):
    at = script.index("S: DATA") + 2
    end = script.index("S: .")
    return "".join((x[4:] if x.startswith("S: .") else x[3:]) + "\r\n" for x in script[at:end])


def send(host, name, scripts, sender, to, text, also=None, **options):
    """Has the box of this name send a mail by the scripts. also(box): more to check."""
    with box_of(host, send=f"Smarthost=127.0.0.1:{scripts.port}\nRetry=1s\nKeepIdle=0", **options) \
            as box:
        # Notices for him stay here.
        box.must("users", "add", sender.partition("@")[0], "--name", "The sender")
        with smtplib.SMTP("127.0.0.1", box.ports["smtp"], "MIT-AI.ARPA", timeout=60) as s:
            s.helo()
            s.sendmail(sender, to, text)
        why = scripts.wait()
        check(not why, name, f"{why}\n{box.must('jobs', 'list', '--all')}")
        if also:
            also(box)


def sent_plain():
    text = text_of(TYPICAL)
    to = [f"{x}@BBN-UNIX.ARPA" for x in ("Jones", "Green", "Brown")]
    send("USC-ISIF.ARPA", "sender: 1, a typical transaction", StrictHost(TYPICAL),
         "Smith@USC-ISIF.ARPA", to, text, notice_of("Green@BBN-UNIX.ARPA"))
    send("ISI-VAXA.ARPA", "sender: 2, no text where nobody is taken", StrictHost(NOBODY),
         "Smith@ISI-VAXA.ARPA", ["Green@MIT-Multics.ARPA"], text,
         notice_of("Green@MIT-Multics.ARPA"))


def notice_of(who):
    def look(box):
        shown = [box.must("jobs", "show", number) for number in jobs(box)]
        check(sum("  kind         notice" in x for x in shown) == 1 and
              sum(f"{who}: refused" in x for x in shown) == 1,
              f"sender: of {who} a notice tells", shown)
    return look


def sent_by_relay():
    host = StrictHost(RELAYED[1])
    with box_of("USC-ISIE.ARPA", send=f"Smarthost=127.0.0.1:{host.port}") as box:
        check(not (why := replay(box.ports["smtp"], RELAYED[0])), "receiver: 3, the relay host", why)
        why = host.wait()
        check(not why, "sender: 3, the relay host goes on to the destination", why)
        head = "\n".join(host.mails[0]) if host.mails else ""
        check(re.match(r"Received: from MIT-AI\.ARPA .*\n?\tby USC-ISIE\.ARPA ", head) and
              head.count("Received:") == 1, "sender: 3, it adds its Received line", head)


def sent_to_lists():
    host = StrictHost(talk("FIRST.ARPA", "USC-ISIE.ARPA", "\n".join(
        ["S: MAIL FROM:<@USC-ISIE.ARPA:Account.Person@SU-SCORE.ARPA>", "R: 250 OK"] +
        [x for path in EVERYBODY for x in (f"S: RCPT TO:<{path}>", "R: 250 OK")] + ["DATA"])))
    with box_of("USC-ISIE.ARPA", send=f"Smarthost=127.0.0.1:{host.port}") as box:
        check(not (why := replay(box.ports["smtp"], TO_EVERYBODY)),
              "receiver: 7, mailing to all via a relay host", why)
        check(not (why := host.wait()), "sender: 7, one copy for all", why)


def sent_to_forward():
    send("LBL-UNIX.ARPA", "sender: 8, 251 is taken for a yes", StrictHost(FORWARDED),
         "mo@LBL-UNIX.ARPA", ["fred@USC-ISIF.ARPA"], text_of(FORWARDED))
    send("LBL-UNIX.ARPA", "sender: 9, delivering at the second host", StrictHost(TRIED[1]),
         "mo@LBL-UNIX.ARPA", ["Jones@USC-ISI.ARPA"], text_of(FORWARDED))


def sent_too_many():
    send("USC-ISIF.ARPA", "sender: 10, 552: the rest in another transaction", StrictHost(TOO_MANY),
         "Postel@USC-ISIF.ARPA", ["eric@BERKELEY.ARPA", "fabry@BERKELEY.ARPA"], text_of(TOO_MANY))


def main():
    received_plain()
    received_at_terminals()
    received_for_lists()
    received_to_forward()
    received_too_many()
    sent_plain()
    sent_by_relay()
    sent_to_lists()
    sent_to_forward()
    sent_too_many()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
