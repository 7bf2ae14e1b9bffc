"""Texts as people type them, in the letters that the pack's little languages are written in.

Selectors, lists of cameras, colours and numbers mean the same in full-width letters ("１５０‥２１０"), with the colons,
commas, blanks, dashes and quotation marks of other keyboards, and with invisible marks that come along when copying.
Prompts are never changed: only what names views, cameras and numbers goes through here.
"""

from __future__ import annotations

import re
import unicodedata

COLONS = ":\uff1a\ufe55\ufe13\ufe30\u2236\u02d0\ua789"
"""What may stand between views and their text: ASCII, full-width, small, vertical forms, ratio, letters like it."""

COMMAS = ",\uff0c\ufe50\ufe10\u3001\uff64\ufe11\ufe51\u060c"

_ALIKE = str.maketrans(
    {
        **dict.fromkeys(COLONS, ":"),
        **dict.fromkeys(COMMAS, ","),
        **dict.fromkeys("\u3002\uff61\ufe12\u066b", "."),
        # hyphens, dashes, minus signs, the long vowel mark beside them on a Japanese keyboard
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u30fc\uff70", "-"),
        **dict.fromkeys("\u301c\uff5e\u223c", "~"),
        **dict.fromkeys("\u00ba\u02da\u309c", "\u00b0"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u300e\u300f\ufe41\ufe42\ufe43\ufe44", "'"),
        **dict.fromkeys(
            "\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300a\u300b\u3008\u3009\u301d\u301e\u301f", '"'
        ),
    }
)


def as_typed(text: str) -> str:
    """The same text in ASCII letters, digits and signs where they exist; two dots and more are the two of a range."""
    text = unicodedata.normalize("NFKC", text.translate(_ALIKE)).translate(_ALIKE)
    kept: list[str] = []
    for letter in text:
        if unicodedata.category(letter) == "Cf":  # marks without a width: joiners, directions, a byte order mark
            continue
        kept.append(str(unicodedata.decimal(letter, letter)))
    return re.sub(r"\.{2,}", "..", "".join(kept))


def unquoted(text: str) -> str:
    """``as_typed`` without quotation marks, and without blanks around it."""
    return re.sub("[\"'`]", "", as_typed(text)).strip()


def split_at_colon(line: str) -> tuple[str, str, str]:
    """(before, colon, after) at the first colon of any keyboard, all as typed; (line, "", "") without one."""
    for place, letter in enumerate(line):
        if letter in COLONS:
            return line[:place], letter, line[place + 1 :]
    return line, "", ""


def split_at_commas(text: str) -> list[str]:
    """The parts of a list between commas of any keyboard, stripped, empty ones left out."""
    return [part.strip() for part in re.split(f"[{COMMAS}]", text) if part.strip()]


def shown(text: str, most: int = 60) -> str:
    """A text as messages quote it: on one line, and not all of a long one."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."
