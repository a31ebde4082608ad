# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail servers of others in the guest, each with a domain of its own, and the DNS that names them.

| domain       | address   | server    | its mailboxes            |
|--------------|-----------|-----------|--------------------------|
| example.test | 127.0.0.1 | Postfix   | ~/Maildir of guest users |
| box.test     | 127.0.0.2 | ours      |                          |
| exim.test    | 127.0.0.3 | Exim      | /var/peers/exim/USER     |
| osmtpd.test  | 127.0.0.4 | OpenSMTPD | /var/peers/osmtpd/USER   |

Exim knows "office", "sender" and "greylist", who is told to come again until /var/peers/greylisted
is there; it takes mail for "late" and fails to deliver it. OpenSMTPD knows "office"; it receives without TLS, for Debian's breaks off the handshake.
"""
import glob
import os
import pwd
import shutil
import socket
import struct
import threading

from guest import must, run, wait_for

NAMES = {
    "mail.example.test": "127.0.0.1",
    "box.test": "127.0.0.2",
    "exim.test": "127.0.0.3",
    "osmtpd.test": "127.0.0.4",
}
# (preference, host) of each domain, changed by tests as they need; a host may have no address
MX = {
    "example.test": [(10, "mail.example.test")],
    "box.test": [(10, "box.test")],
    "exim.test": [(10, "exim.test")],
    "osmtpd.test": [(10, "osmtpd.test")],
}
DNS = "127.0.0.53"
A, MX_TYPE = 1, 15


# DNS, as little as mail needs of it (RFC 1035)

def _name(text):
    return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".")) + b"\0"


def _question(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    kind, = struct.unpack(">H", query[at + 1:at + 3])
    return ".".join(labels), kind, query[12:at + 5]


def _record(kind, data):
    # a pointer to the question's name, class IN, a minute to live
    return struct.pack(">HHHIH", 0xc00c, kind, 1, 60, len(data)) + data


def answer(query):
    name, kind, question = _question(query)
    known = name in NAMES or name in MX
    records = []
    if kind == A and name in NAMES:
        records = [_record(A, socket.inet_aton(NAMES[name]))]
    elif kind == MX_TYPE:
        records = [_record(MX_TYPE, struct.pack(">H", preference) + _name(host))
                   for preference, host in MX.get(name, [])]
    flags = 0x8580 | (0 if known else 3)
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + \
        b"".join(records)


def start_dns():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((DNS, 53))

    def serve():
        while True:
            query, client = server.recvfrom(512)
            server.sendto(answer(query), client)

    threading.Thread(target=serve, daemon=True).start()
    with open("/etc/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {DNS}\n")


# The servers

EXIM = r"""
primary_hostname = exim.test
local_interfaces = 127.0.0.3
daemon_smtp_ports = 25
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
never_users =
keep_environment =
tls_advertise_hosts = *
tls_certificate = /etc/ssl/test/mail.pem
tls_privatekey = /etc/exim4/mail.key
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny    domains = exim.test
          !local_parts = office : sender : greylist : late
          message = no such user here
  defer   local_parts = greylist
          !condition = ${if exists{/var/peers/greylisted}}
          message = come again
  accept  domains = exim.test
  accept  hosts = 127.0.0.3
  deny    message = relay not permitted
begin routers
here:
  driver = accept
  domains = exim.test
  local_parts = office : sender : greylist
  transport = maildir
late:
  driver = redirect
  domains = exim.test
  local_parts = late
  data = :fail: gone since
  allow_fail
there:
  driver = dnslookup
  transport = smtp
  self = send
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /var/peers/exim/$local_part_data
  create_directory
  user = Debian-exim
  return_path_add
  envelope_to_add
smtp:
  driver = smtp
  interface = 127.0.0.3
begin retry
*  *  F,1h,10s
"""

OPENSMTPD = r"""
table people { "office@osmtpd.test" = opensmtpq }
listen on 127.0.0.4 port 25 hostname osmtpd.test
action "here" maildir "/var/peers/osmtpd/%{rcpt.user}" user opensmtpq virtual <people>
action "there" relay src 127.0.0.4 helo osmtpd.test
match from any for domain "osmtpd.test" action "here"
match from src 127.0.0.4 for any action "there"
match from local for any action "there"
"""


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, 0o644)


def _own(path, user, mode=0o755):
    entry = pwd.getpwnam(user)
    os.makedirs(path, exist_ok=True)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    os.chmod(path, mode)


def listens(address, port=25):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


def start_exim():
    _write("/etc/exim4/exim4.conf", EXIM)
    for path in ("/var/peers/exim", "/var/log/exim4", "/var/spool/exim4"):
        _own(path, "Debian-exim")
    # a copy that its own user can read
    shutil.copy("/etc/ssl/test/mail.key", "/etc/exim4/mail.key")
    shutil.chown("/etc/exim4/mail.key", "Debian-exim")
    must("/usr/sbin/exim4", "-bd", "-q10s")
    wait_for(lambda: listens("127.0.0.3"))


def start_opensmtpd():
    _write("/etc/smtpd.conf", OPENSMTPD)
    os.makedirs("/var/empty", exist_ok=True)
    group = pwd.getpwnam("opensmtpq").pw_gid
    _own("/var/spool/smtpd", "root", 0o711)
    for path in ("corrupt", "incoming", "purge", "queue", "temporary"):
        _own(f"/var/spool/smtpd/{path}", "opensmtpq", 0o700)
        os.chown(f"/var/spool/smtpd/{path}", -1, 0)
    _own("/var/spool/smtpd/offline", "root", 0o770)
    os.chown("/var/spool/smtpd/offline", 0, group)
    _own("/var/peers/osmtpd", "opensmtpq")
    must("/usr/sbin/smtpd", "-f", "/etc/smtpd.conf")
    wait_for(lambda: listens("127.0.0.4"))


def start_postfix():
    """It runs already: it learns to ask the DNS, and to encrypt where it can."""
    must("postconf", "-e", "disable_dns_lookups = no", "smtp_tls_security_level = may",
         "smtp_tls_CAfile = /etc/ssl/test/mail.pem", "minimal_backoff_time = 10s",
         "queue_run_delay = 10s")
    # its processes see this folder only
    os.makedirs("/var/spool/postfix/etc", exist_ok=True)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", "/var/spool/postfix/etc/")
    must("postfix", "reload")


def mailbox(domain, user="office"):
    """The mails that lie there, oldest first."""
    folder = {"exim.test": "/var/peers/exim", "osmtpd.test": "/var/peers/osmtpd"}.get(domain)
    folder = f"{folder}/{user}" if folder else f"/home/{user}/Maildir"
    return sorted(glob.glob(f"{folder}/new/*") + glob.glob(f"{folder}/cur/*"),
                  key=os.path.getmtime)


def log_of(domain):
    """What the server wrote down, for a failed check."""
    if domain == "exim.test":
        return open("/var/log/exim4/mainlog", encoding="utf-8", errors="replace").read()[-4000:]
    match = ("-u", "postfix*") if domain == "example.test" else ("-t", "smtpd")
    return run("journalctl", *match, "-o", "cat", "-n", "60", "--no-pager").stdout


def start_all():
    start_dns()
    start_postfix()
    start_exim()
    start_opensmtpd()
