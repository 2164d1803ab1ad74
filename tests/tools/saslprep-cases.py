#!/usr/bin/env python3
"""Lines of "input => the form that RFC 4013 prescribes" (or "not"), computed from Python's tables of Unicode 3.2: every
code point alone before a letter, and, for composition, pairs of a letter and a mark. ISC licence, see LICENSE."""
import stringprep
import unicodedata

OLD = unicodedata.ucd_3_2_0
PROHIBITED = [getattr(stringprep, "in_table_" + t) for t in (
    "c12", "c21_c22", "c3", "c4", "c5", "c6", "c7", "c8", "c9")]


def prepare(text):
    """RFC 4013 2: map, normalize, prohibit, check the direction."""
    text = "".join(" " if stringprep.in_table_c12(c) else c for c in text)  # U+200B is in both tables
    text = "".join(c for c in text if not stringprep.in_table_b1(c))
    text = OLD.normalize("NFKC", text)
    if not text or any(p(c) for c in text for p in PROHIBITED):
        return None
    if any(stringprep.in_table_d1(c) for c in text) and (
            any(stringprep.in_table_d2(c) for c in text) or
            not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1]))):
        return None
    return text


def escape(octets):
    """As test-unit shows octets."""
    names = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"}
    return "".join(names.get(o) or (chr(o) if 32 <= o < 127 else "\\x%02x" % o) for o in octets)


def show(text):
    want = prepare(text)
    print("%s => %s" % (escape(text.encode()), "not" if want is None else escape(want.encode())))


for code in range(0x20, 0x30000):
    if not 0xd800 <= code < 0xe000:
        show(chr(code) + "a")
for letter in "aeiouAEIOUcnsyz\u00e9\u03b1\u05d0\u0627\u1100\uac00":
    for mark in [*range(0x300, 0x345), 0x5b0, 0x64b, 0x1161, 0x11a8, 0x200b, 0xad, 0xa0, 0x3000, 0x200e]:
        show(letter + chr(mark))
        show(letter + chr(mark) + letter)
