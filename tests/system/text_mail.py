#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail that is no fax: words, pictures and documents come out as pages that can be read.

Leaves the printed pages in /output; the suite has Tesseract read them against text-N.txt there.
"""
import email.message
import email.policy
import re
import struct
import sys
import zlib

from guest import (OUTPUT, check, deliver, done_testing, job_in, journal, must, pixels,
                   received_since, last_job, sim_write, start_box, tray, wait_for)

WORDS = ("The quick brown fox jumps over the lazy dog.\n\n"
         "Please send seventeen boxes of printing paper to our office in London "
         "before the end of September.\n\n"
         "Kind regards\nAda Muster\n")


def message(subject):
    m = email.message.EmailMessage(policy=email.policy.SMTP)
    m["From"] = "Sender Example <sender@example.test>"
    m["To"] = "office@example.test"
    m["Date"] = "Sun, 22 Nov 2026 10:37:00 +0100"
    m["Subject"] = subject
    m["Message-ID"] = f"<{zlib.crc32(subject.encode())}@example.test>"
    return m


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height):
    """Grey from black at the left to white at the right."""
    row = b"\0" + bytes(x * 255 // (width - 1) for x in range(width))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b""))


def pdf(words):
    """A page with a line of words, in one of the fonts that every reader has."""
    stream = b"BT /F1 24 Tf 72 700 Td (" + words.encode() + b") Tj ET"
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>",
             b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
             b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
             b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
             b"<< /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream"]
    out, offsets = b"%PDF-1.4\n", []
    for n, part in enumerate(parts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % n + part + b"\nendobj\n"
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, xref)


def print_mail(m, pages):
    """Delivers, collects and prints; what lies in the tray then."""
    sim_write("tray_clear", 1)
    deliver(m.as_bytes().decode("ascii", "surrogateescape").replace("\r\n", "\n"))
    before = last_job()
    must("ifaxctl", "collect", "100")
    received = wait_for(lambda: received_since(before), 60)
    if not check(len(received) == 1, f"{m['Subject']}: collected", received):
        return []
    result = job_in(received[0]["id"], "printed", "failed", "held", seconds=240)
    check(result.get("state") == "printed", f"{m['Subject']}: printed", result)
    out = tray()
    check(len(out) == pages, f"{m['Subject']}: on {pages} page(s)", len(out))
    return out


def black(image, top, end):
    width, _, bits = pixels(image)
    stride = (width + 7) // 8
    return sum(b.bit_count() if hasattr(b, "bit_count") else bin(b).count("1")
               for b in bits[top * stride:end * stride])


def save(name, image, words):
    """For Tesseract, which the suite runs."""
    with open(f"{OUTPUT}/{name}.pbm", "wb") as out:
        out.write(image)
    with open(f"{OUTPUT}/{name}.txt", "w", encoding="utf-8") as out:
        out.write(words)


def plain():
    m = message("A plain letter")
    m.set_content(WORDS, cte="quoted-printable")
    out = print_mail(m, 1)
    if out:
        save("text-1", out[0], "Subject: A plain letter\nSender Example\n" + WORDS)
        check(pixels(out[0])[:2] == (1728, 2286), "a text page is A4", pixels(out[0])[:2])


def html():
    m = message("Only HTML")
    m.set_content("<html><head><style>p { color: red }</style></head><body><p>" +
                  WORDS.replace("\n\n", "</p><p>") + "&copy; &amp;c.</p></body></html>", subtype="html")
    out = print_mail(m, 1)
    if out:
        save("text-2", out[0], WORDS)


def long_letter():
    m = message("A long letter")
    m.set_content("".join(f"This is line {n} of a long letter.\n" for n in range(1, 151)))
    out = print_mail(m, 3)
    for image in out:
        check(black(image, 0, 2100) and black(image, 2150, 2286), "with text and a foot")


def scripts():
    m = message("\u05e9\u05dc\u05d5\u05dd \U0001f600 \u6f22\u5b57")
    m.set_content("\u05e9\u05dc\u05d5\u05dd\n\u0633\u0644\u0627\u0645\n\u6f22\u5b57\n\U0001f680\n")
    out = print_mail(m, 1)
    if out:
        width, _, bits = pixels(out[0])
        right = sum(bin(b).count("1") for i, b in enumerate(bits) if i % (width // 8) > width // 12)
        check(right > 500, "right-to-left text lies at the right", right)


def pictures():
    m = message("Pictures")
    m.set_content("See the picture and the document.\n")
    m.add_attachment(png(640, 480), maintype="image", subtype="png", filename="grey.png")
    m.add_attachment(pdf("Invoice for printing paper"), maintype="application", subtype="pdf",
                     filename="invoice.pdf")
    out = print_mail(m, 3)
    if len(out) == 3:
        share = black(out[1], 0, 2286) / (640 * 480 * (203.2 / 96) * (195.58 / 96))
        check(0.49 < share < 0.51, "a grey picture has as many black dots as it is dark", share)
        save("text-3", out[2], "Invoice for printing paper\n")


def unprintable():
    m = message("An archive")
    m.set_content("See the archive.\n")
    m.add_attachment(b"PK\x03\x04", maintype="application", subtype="zip", filename="all.zip")
    sim_write("tray_clear", 1)
    deliver(m.as_string())
    before = last_job()
    must("ifaxctl", "collect", "100")
    received = wait_for(lambda: received_since(before), 60)
    result = job_in(received[0]["id"], "printed", "failed", "held")
    check(result.get("state") == "failed" and re.search("all.zip.*cannot be printed",
                                                        result.get("detail", "")),
          "half a mail is not printed: the job names the part", result)
    check(not tray(), "and no page came out")


def main():
    start_box()
    for part in (plain, html, long_letter, scripts, pictures, unprintable):
        part()
    denied = must("journalctl", "-o", "cat", "--no-pager", "-u", "ifax-worker")
    check("crit" not in denied.lower() and "denied" not in denied.lower(),
          "the worker had what it needs", denied)
    check("went away" not in journal(), "and did not die")
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
