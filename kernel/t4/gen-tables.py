#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Writes tables.c: gen-tables.py > tables.c

The code words of T.4 tables 2, 3a and 3b stand here once, as (length, value).
"""

# white runs 0 to 63
WHITE_TERM = [
    (8, 0x35), (6, 0x07), (4, 0x07), (4, 0x08), (4, 0x0b), (4, 0x0c), (4, 0x0e), (4, 0x0f),
    (5, 0x13), (5, 0x14), (5, 0x07), (5, 0x08), (6, 0x08), (6, 0x03), (6, 0x34), (6, 0x35),
    (6, 0x2a), (6, 0x2b), (7, 0x27), (7, 0x0c), (7, 0x08), (7, 0x17), (7, 0x03), (7, 0x04),
    (7, 0x28), (7, 0x2b), (7, 0x13), (7, 0x24), (7, 0x18), (8, 0x02), (8, 0x03), (8, 0x1a),
    (8, 0x1b), (8, 0x12), (8, 0x13), (8, 0x14), (8, 0x15), (8, 0x16), (8, 0x17), (8, 0x28),
    (8, 0x29), (8, 0x2a), (8, 0x2b), (8, 0x2c), (8, 0x2d), (8, 0x04), (8, 0x05), (8, 0x0a),
    (8, 0x0b), (8, 0x52), (8, 0x53), (8, 0x54), (8, 0x55), (8, 0x24), (8, 0x25), (8, 0x58),
    (8, 0x59), (8, 0x5a), (8, 0x5b), (8, 0x4a), (8, 0x4b), (8, 0x32), (8, 0x33), (8, 0x34),
]

# white runs 64 to 1728
WHITE_MAKEUP = [
    (5, 0x1b), (5, 0x12), (6, 0x17), (7, 0x37), (8, 0x36), (8, 0x37), (8, 0x64), (8, 0x65),
    (8, 0x68), (8, 0x67), (9, 0xcc), (9, 0xcd), (9, 0xd2), (9, 0xd3), (9, 0xd4), (9, 0xd5),
    (9, 0xd6), (9, 0xd7), (9, 0xd8), (9, 0xd9), (9, 0xda), (9, 0xdb), (9, 0x98), (9, 0x99),
    (9, 0x9a), (6, 0x18), (9, 0x9b),
]

# black runs 0 to 63
BLACK_TERM = [
    (10, 0x37), (3, 0x02), (2, 0x03), (2, 0x02), (3, 0x03), (4, 0x03), (4, 0x02), (5, 0x03),
    (6, 0x05), (6, 0x04), (7, 0x04), (7, 0x05), (7, 0x07), (8, 0x04), (8, 0x07), (9, 0x18),
    (10, 0x17), (10, 0x18), (10, 0x08), (11, 0x67), (11, 0x68), (11, 0x6c), (11, 0x37),
    (11, 0x28), (11, 0x17), (11, 0x18), (12, 0xca), (12, 0xcb), (12, 0xcc), (12, 0xcd),
    (12, 0x68), (12, 0x69), (12, 0x6a), (12, 0x6b), (12, 0xd2), (12, 0xd3), (12, 0xd4),
    (12, 0xd5), (12, 0xd6), (12, 0xd7), (12, 0x6c), (12, 0x6d), (12, 0xda), (12, 0xdb),
    (12, 0x54), (12, 0x55), (12, 0x56), (12, 0x57), (12, 0x64), (12, 0x65), (12, 0x52),
    (12, 0x53), (12, 0x24), (12, 0x37), (12, 0x38), (12, 0x27), (12, 0x28), (12, 0x58),
    (12, 0x59), (12, 0x2b), (12, 0x2c), (12, 0x5a), (12, 0x66), (12, 0x67),
]

# black runs 64 to 1728
BLACK_MAKEUP = [
    (10, 0x0f), (12, 0xc8), (12, 0xc9), (12, 0x5b), (12, 0x33), (12, 0x34), (12, 0x35),
    (13, 0x6c), (13, 0x6d), (13, 0x4a), (13, 0x4b), (13, 0x4c), (13, 0x4d), (13, 0x72),
    (13, 0x73), (13, 0x74), (13, 0x75), (13, 0x76), (13, 0x77), (13, 0x52), (13, 0x53),
    (13, 0x54), (13, 0x55), (13, 0x5a), (13, 0x5b), (13, 0x64), (13, 0x65),
]

# runs 1792 to 2560 of either colour
COMMON_MAKEUP = [
    (11, 0x08), (11, 0x0c), (11, 0x0d), (12, 0x12), (12, 0x13), (12, 0x14), (12, 0x15),
    (12, 0x16), (12, 0x17), (12, 0x1c), (12, 0x1d), (12, 0x1e), (12, 0x1f),
]

# Two-dimensional codes, a1 - b1 = -3 to 3
VERTICAL = [(7, 2), (6, 2), (3, 2), (1, 1), (3, 3), (6, 3), (7, 3)]
PASS = (4, 1)
HORIZONTAL = (3, 1)

RUNS = 2624            # runs that need at most one make-up code


def run_codes(term, makeup):
    """(length, value) of each run below RUNS"""
    makeup = [(0, 0)] + makeup + COMMON_MAKEUP
    for run in range(RUNS):
        mlen, mval = makeup[run // 64]
        tlen, tval = term[run % 64]
        yield mlen + tlen, mval << tlen | tval


def code_halves(term, makeup):
    """value << 4 | length of the terminating codes and of the make-up codes, 64 places each"""
    for half in (term, [(0, 0)] + makeup + COMMON_MAKEUP):
        yield from (value << 4 | length for length, value in half + [(0, 0)] * (64 - len(half)))


def look_up(term, makeup, bits):
    """run << 4 | length by the next bits of the code; 0 = no run code"""
    table = [0] * (1 << bits)
    codes = [(r, c) for r, c in enumerate(term)]
    codes += [(64 * (i + 1), c) for i, c in enumerate(makeup + COMMON_MAKEUP)]
    for run, (length, value) in codes:
        first = value << (bits - length)
        for i in range(first, first + (1 << (bits - length))):
            assert table[i] == 0
            table[i] = run << 4 | length
    return table


def modes(bits):
    """T4_MODE_* << 4 | length by the next bits of the code; 0 = no mode code"""
    table = [0] * (1 << bits)
    for mode, (length, value) in enumerate(VERTICAL + [PASS, HORIZONTAL]):
        first = value << (bits - length)
        for i in range(first, first + (1 << (bits - length))):
            assert table[i] == 0
            table[i] = mode << 4 | length
    return table


def mode_run(ahead, bits, lanes):
    """the vertical modes, up to lanes, that begin the next bits, then pass modes and a horizontal
    one: (deltas, where each of them ends, pass modes, horizontal modes, bits)"""
    deltas, ends, passes, at = [], [], 0, 0
    while True:
        code = MODE[(ahead << at & ((1 << bits) - 1)) >> (bits - 7)]
        mode, end = code >> 4, at + (code & 15)
        if not code or end > bits:
            return deltas, ends, passes, 0, at
        if mode == 8:
            return deltas, ends, passes, 1, end
        # b2 has to be among the lanes
        if len(deltas) + 2 * passes + (1 if mode < 7 else 2) > lanes or mode < 7 and passes:
            return deltas, ends, passes, 0, at
        if mode < 7:
            deltas.append(mode - 3)
            ends.append(end)
        else:
            passes += 1
        at = end


# the states of struct t4_look, with the colour of the next run added to the first three
LOOK_MODES, LOOK_FIRST, LOOK_SECOND, LOOK_LONG_FIRST, LOOK_LONG_SECOND = 0, 2, 4, 6, 7
LOOK_BITS, LOOK_LANES = 9, 4
LONG = 4               # zeros that begin all black codes of more than 9 bits


def least_gaps(deltas):
    """how far each change of the reference line must be from the one before it, or more, for the
    verticals to be right: neither before the one before it, nor before or where the vertical mode
    before it is, nor that one beyond it"""
    yield max(0, -deltas[0])
    for last, delta in zip(deltas, deltas[1:]):
        yield max(-delta, last - delta + 1, last + 1)


def in_lanes(values):
    return sum(v << 16 * i for i, v in enumerate(values)) & (1 << 64) - 1


def look(lanes, bits, after, count=0, ref=0, relative=False, ends=()):
    """what an entry has in the arrays of struct t4_looks"""
    assert relative or len(lanes) <= 2
    gaps = list(least_gaps(lanes)) if relative else []
    gaps = in_lanes(0x8000 - gap for gap in gaps + [0] * (LOOK_LANES - len(gaps)))
    ends = sum(e << 4 * i for i, e in enumerate(ends))
    single = int(relative and count == 1 and ref == 1)
    return bits, f"T4_LOOK_NEXT({after})", (
        f"{{ {in_lanes(lanes):#x}, {gaps:#x}, {ends:#x}, {2 * count}, {2 * ref}, "
        f"{64 - 16 * len(lanes)}, {-1 if relative else 0}, {single} }}")


def still_look(bits, after):
    """one that leaves a0 where it is, behind a position right of it"""
    return look([1, 0], bits, after)


OTHER_LOOK = look([0], 0, 0)


def mode_look(colour, ahead):
    deltas, ends, passes, horizontal, bits = mode_run(ahead, LOOK_BITS, LOOK_LANES)
    n = len(deltas)
    after = (LOOK_FIRST if horizontal else LOOK_MODES) + (colour + n & 1)
    if not bits:
        return OTHER_LOOK
    if not n + passes:
        return runs_look(True, colour, ahead, LOOK_BITS, bits) or still_look(bits, after)
    return look(deltas + [0] * 2 * passes, bits, after, n, n + 2 * passes, True, ends)


def whole_run(codes, ahead, bits, at):
    """make-up and terminating codes at bit at: (run, where they end, is the run whole)"""
    run = 0
    while True:
        code = codes[(ahead << at & ((1 << bits) - 1)) << 16 >> bits + 3]
        if not code or at + (code & 15) > bits:
            return run, at, False
        run += code >> 4
        at += code & 15
        if code >> 4 < 64:
            return run, at, True


def runs_look(first, colour, ahead, bits, at, skipped=0):
    """the runs from bit at on, and those of further horizontal modes, None if there are none"""
    lanes, ends, a0 = [], [], 0
    state = LOOK_FIRST if first else LOOK_SECOND
    while len(lanes) < LOOK_LANES and state != LOOK_MODES:
        run, end, whole = whole_run(RUN_LOOK_UP[colour], ahead, bits, at)
        if end == at or whole and not run:
            break
        a0 += run
        at = end
        lanes.append(a0)
        if not whole:
            break
        ends.append(at - skipped)
        colour = 1 - colour
        if state == LOOK_FIRST:
            state = LOOK_SECOND
        elif (ahead << at & ((1 << bits) - 1)) >> bits - HORIZONTAL[0] == HORIZONTAL[1]:
            state = LOOK_FIRST
            at += HORIZONTAL[0]
        else:
            state = LOOK_MODES
    if not lanes or at <= skipped:
        return None
    return look(lanes, at - skipped, state + colour, len(ends), ends=ends)


def run_look(first, colour, long, ahead):
    skipped = LONG if long else 0
    found = runs_look(first, colour, ahead, LOOK_BITS + skipped, 0, skipped)
    if not found and colour and not long and not ahead >> LOOK_BITS - LONG:
        return still_look(LONG, LOOK_LONG_FIRST if first else LOOK_LONG_SECOND)
    return found or OTHER_LOOK


def looks():
    """t4_look, state by state"""
    for colour in range(2):
        for ahead in range(1 << LOOK_BITS):
            yield mode_look(colour, ahead)
    for first, colour, long in ((True, 0, False), (True, 1, False), (False, 0, False),
                                (False, 1, False), (True, 1, True), (False, 1, True)):
        for ahead in range(1 << LOOK_BITS):
            yield run_look(first, colour, long, ahead)


def run_pairs(first, second, bits):
    """what t4_run_pair says of up to two runs by the next bits of the code"""
    def runs(codes, at):
        """the run that begins at bit at: (length so far, where it ends, is it whole)"""
        run = 0
        while True:
            code = codes[(ahead << at & ((1 << bits) - 1)) << 13 - bits]
            if not code or at + (code & 15) > bits:
                return run, at, False
            run += code >> 4
            at += code & 15
            if code >> 4 < 64:
                return run, at, True

    for ahead in range(1 << bits):
        total, at, whole = runs(first, 0)
        run2, n = 0, 0
        if whole:
            n = 1
            run2, end, whole = runs(second, at)
            if whole and 0 < run2 < 64:
                total, at, n = total + run2, end, 2
            else:
                run2 = 0
        if not at or n and total == run2:
            yield 1 << 31
        else:
            yield at | run2 << 6 | n << 12 | (n > 0) << 14 | total << 16


def vertical_pairs():
    """value << 6 | length of two vertical codes by their deltas + 3, 7 = none"""
    codes = VERTICAL + [(0, 0)]
    for second in range(8):
        for first in range(8):
            (len1, val1), (len2, val2) = codes[first], codes[second]
            yield (val1 << len2 | val2) << 6 | len1 + len2


def vertical_quads():
    """as vertical_pairs(), of four codes"""
    pairs = list(vertical_pairs())
    for second in pairs:
        for first in pairs:
            yield ((first >> 6) << (second & 63) | second >> 6) << 6 | (first & 63) + (second & 63)


def byte_ones():
    """places of the ones, the most significant bit's being 0"""
    for byte in range(256):
        places = [i for i in range(8) if byte << i & 0x80]
        yield places + [0] * (8 - len(places))


def emit(head, values, form):
    print(f"\n{head} = {{")
    rows(values, form)
    print("};")


def rows(values, form, tabs="\t"):
    line = tabs
    for v in values:
        item = form.format(v) + ","
        if len(line.expandtabs(8)) + len(item) > 96:
            print(line.rstrip())
            line = tabs
        line += item + " "
    print(line.rstrip())


MODE = modes(7)
RUN_LOOK_UP = [look_up(WHITE_TERM, WHITE_MAKEUP, 13), look_up(BLACK_TERM, BLACK_MAKEUP, 13)]

print("""// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Written by gen-tables.py: edit that. The meaning of the entries stands in t4_tables.h. */
#include "t4_tables.h\"""")

print("\nconst u64 t4_run_code[2][T4_RUN_CODES] = {")
for term, makeup in ((WHITE_TERM, WHITE_MAKEUP), (BLACK_TERM, BLACK_MAKEUP)):
    print("\t{")
    rows((v << 64 - n | n for n, v in run_codes(term, makeup)), "0x{:x}ull", "\t\t")
    print("\t},")
print("};")
emit("const u8 t4_mode[1 << T4_MODE_BITS]", MODE, "0x{:02x}")
entries = list(looks())
print("\nconst struct t4_looks t4_looks[T4_LOOK_STATES] = {")
for i in range(0, len(entries), 1 << LOOK_BITS):
    print("\t{")
    for name, values in zip(("taken", "next", "look"), zip(*entries[i:i + (1 << LOOK_BITS)])):
        print(f"\t\t.{name} = {{")
        rows(values, "{}", "\t\t\t")
        print("\t\t},")
    print("\t},")
print("};")
emit("const u8 t4_vertical_code[7]", [v << 6 | n for n, v in VERTICAL], "0x{:02x}")
emit("const u32 t4_vertical_pair[64]", vertical_pairs(), "0x{:x}")
print("\n#ifndef __KERNEL__", end="")
emit("const u32 t4_vertical_quad[4096]", vertical_quads(), "0x{:x}")
print("\nconst u16 t4_code_half[2][2][64] = {")
for term, makeup in ((WHITE_TERM, WHITE_MAKEUP), (BLACK_TERM, BLACK_MAKEUP)):
    halves = list(code_halves(term, makeup))
    print("\t{")
    for half in halves[:64], halves[64:]:
        print("\t\t{")
        rows(half, "0x{:x}", "\t\t\t")
        print("\t\t},")
    print("\t},")
print("};")
print("#endif")
emit("const u16 t4_white_run[1 << T4_WHITE_BITS]", look_up(WHITE_TERM, WHITE_MAKEUP, 12), "0x{:x}")
emit("const u16 t4_black_run[1 << T4_BLACK_BITS]", look_up(BLACK_TERM, BLACK_MAKEUP, 13), "0x{:x}")
print("\nconst u16 t4_byte_ones[2][256][4] = {")
for half in 0, 4:
    print("\t{")
    rows([f"{{ {', '.join(map(str, p[half:half + 4]))} }}" for p in byte_ones()], "{}", "\t\t")
    print("\t},")
print("};")
print("\n#ifndef __KERNEL__", end="")
emit("const u8 t4_byte_places[256][8]",
     [f"{{ {', '.join(map(str, p))} }}" for p in byte_ones()], "{}")
print("#endif")
emit("const u8 t4_byte_count[256]", [bin(b).count("1") for b in range(256)], "{}")
emit("const u8 t4_suffix[64][8]",
     [f"{{ {', '.join(hex(b) for b in ((1 << 64 - x) - 1).to_bytes(8, 'big'))} }}"
      for x in range(64)], "{}")

white, black = RUN_LOOK_UP
pairs = [list(run_pairs(white, black, 12)), list(run_pairs(black, white, 12))]
emit("const u32 t4_run_pair[2 << T4_PAIR_BITS]", pairs[0] + pairs[1], "0x{:x}")
emit("const s8 t4_pair_step[2 << T4_PAIR_BITS]",
     [p & 63 | (-128 if colour ^ p >> 12 & 1 else 0) for colour in range(2) for p in pairs[colour]],
     "{}")
