#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collecting from Dovecot by SCRAM-SHA-256, and from servers without UIDL, CAPA or PIPELINING:
one of our own that knows the minimum of RFC 1939."""
import sys

from cuts import documents, make
from servers import Collecting, Dovecot, Plain
from box import check, done_testing


def collected(box, code, names):
    done = box.ctl("collect", code, "--wait")
    found, torn = documents(box)
    return done.returncode == 0 and found == dict.fromkeys(names, 1) and not torn


def scram(box):
    with Dovecot(mechanisms="scram-sha-256") as server:
        box.add_user("200", server.port)
        server.fill("200", [make(n) for n in ("s1", "s2")])
        good = collected(box, "200", ["s1", "s2"])
        check(good and not server.left("200"), "Dovecot with SCRAM-SHA-256 alone", box.log()[-2000:])
        box.must("users", "edit", "200", "--password-file", "-", stdin="wrong\n")
        done = box.ctl("collect", "200", "--wait")
        check("refused" in done.stdout + done.stderr, "a wrong password is refused there",
              done.stdout + done.stderr)
    return ["s1", "s2"]


def plain(box, names, has):
    """A server that knows RFC 1939's minimum and what @has names."""
    code = f"3{len(names):02}"
    what = " and ".join(sorted(has)) or "nothing optional"
    with Plain(has) as server:
        box.add_user(code, server.port)
        names = [*names, f"{code}-1", f"{code}-2"]
        server.mails = [make(n) for n in names[-2:]]
        server.cut_at_quit = True
        box.ctl("collect", code, "--wait")
        check(len(server.mails) == 2, f"a server with {what}: cut before QUIT, it keeps its mails")
        good = collected(box, code, names)
        check(good and not server.mails, f"a server with {what}: emptied, each mail once",
              box.log()[-2000:])
    return names


def main():
    with Collecting() as box:
        names = scram(box)
        for has in ({"TOP"}, {"UIDL"}, {"UIDL", "TOP"}):
            names = plain(box, names, has)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
