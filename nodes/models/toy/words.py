"""From a prompt to the toy world's words: what it knows is written in the model's file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PAD, START = 0, 1
SPECIAL = ("<pad>", "<start>", "<unknown>")
# Words that say nothing here and are left out without a note.
_IGNORED = frozenset({"is", "in", "at", "it", "its", "to", "very", "best", "quality", "photo", "photograph", "image"})


@dataclass(frozen=True)
class Words:
    """known: the words in the order of their numbers, SPECIAL first; alike: other words for some of them; length:
    tokens of a prompt, START and padding included."""

    known: tuple[str, ...]
    alike: dict[str, str]
    length: int

    @property
    def start(self) -> list[tuple[int, float]]:
        """The token that stands for the whole prompt, with its weight."""
        return [(START, 1.0)]

    def known_number(self, word: str) -> int | None:
        """None for a word that is not known."""
        word = self.alike.get(word, word)
        return self.known.index(word) if word in self.known else None

    def split(self, parts: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
        """Parts of a prompt with their weights -> its words with theirs, lower case."""
        return [(word, weight) for part, weight in parts for word in re.findall(r"[a-z]+", part.lower())]

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Words that mean nothing to the model, each once."""
        return sorted({word for word in words if self.known_number(word) is None and word not in _IGNORED})

    def encode(self, text: str) -> list[int]:
        """A prompt without weights -> START, its known words and padding: ``length`` numbers; the rest is cut."""
        body = [number for word, _ in self.split([(text, 1.0)]) if (number := self.known_number(word)) is not None]
        return ([START, *body] + [PAD] * self.length)[: self.length]
