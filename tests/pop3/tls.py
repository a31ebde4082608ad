#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collecting from Dovecot over TLS: a later look takes the session up again; a password that
Dovecot keeps as a hash, which SCRAM cannot be done with, goes over TLS and in no other way."""
import base64
import hashlib
import sys

from cuts import documents, make
from servers import PASSWORD, Collecting, Dovecot
from box import check, done_testing

# A login process a line would have a ticket key of its own.
TALKATIVE = "verbose_ssl = yes\nservice pop3-login {\n  service_count = 0\n}"


def log(server):
    with open(f"{server.dir}/log", encoding="utf-8", errors="replace") as file:
        return file.read()


def certificates(server):
    """How often it showed its certificate: once a new session."""
    return log(server).count("write certificate\n") + log(server).count("write certificate [")


def collect(box, server, code, names):
    server.fill(code, [make(n) for n in names])
    done = box.ctl("collect", code, "--wait")
    return done.returncode == 0 and not server.left(code)


def resumption(box, names):
    with Dovecot(TALKATIVE, box.certificate, f"{box.dir}/key") as server:
        for code, port, tls in ("200", server.port, "starttls"), ("201", server.tls_port, "tls"):
            box.add_user(code, port, tls=tls)
            seen = []
            for n in range(3):
                names.append(f"{code}-{n}")
                if not check(collect(box, server, code, names[-1:]), f"{tls}: look {n + 1}",
                             box.log()[-2000:] + log(server)[-2000:]):
                    return
                seen.append(certificates(server))
            check(seen[0] > 0 and seen[0] == seen[2], f"{tls}: later looks resume the session",
                  f"{seen} certificates shown")


def hashed(box, names):
    digest = base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest()).decode()
    with Dovecot("auth_debug = yes", box.certificate, f"{box.dir}/key",
                 mechanisms="plain scram-sha-256", password="{SHA256}" + digest) as server:
        box.add_user("300", server.port, tls="starttls")
        for n in range(3):
            names.append(f"300-{n}")
            check(collect(box, server, "300", names[-1:]),
                  f"where SCRAM is refused the password goes over TLS: look {n + 1}",
                  box.log()[-2000:])
        tried = log(server).count("client in: AUTH\t1\tSCRAM")
        check(tried == 1, "... at once from then on: each try is a failed log-in to the server",
              f"SCRAM was tried {tried} times")
        box.add_user("301", server.port, tls="none")
        server.fill("301", [make("301-0")])
        done = box.ctl("collect", "301", "--wait")
        check(done.returncode and "refused" in done.stdout and server.left("301"),
              "... and not without it", done.stdout + done.stderr)


def main():
    names = []
    with Collecting() as box:
        resumption(box, names)
        hashed(box, names)
        found, torn = documents(box)
        check(found == dict.fromkeys(names, 1) and not torn, "each mail came once", (found, torn))
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
