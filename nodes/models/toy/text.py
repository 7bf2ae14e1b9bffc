"""The text side of the toy world as a CLIP of the host: one number a word, weights by the host's '(word:1.2)'."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from ... import host
from .networks import TextNetwork
from .words import PAD, Words

# A prompt's tokens: (number, weight) each.
Tokens = dict[str, list[list[tuple[int, float]]]]


class ToyTokenizer:
    """Follows the protocol of the host's tokenizers."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **_: Any) -> Tokens:
        """Words that mean nothing are left out, with a note in the log; what is too long is cut, with another."""
        said = self.words.split(host.weighted_parts(text))
        if unknown := self.words.unknown(word for word, _ in said):
            logging.info("ToyWorldModel: it does not know %s; its help page lists its words", ", ".join(unknown))
        known = [(number, weight) for word, weight in said if (number := self.words.known_number(word)) is not None]
        room = self.words.length - 1
        if len(known) > room:
            logging.warning("ToyWorldModel: %d words are cut from a prompt of %d", len(known) - room, len(known))
        padded = [*self.words.start, *known[:room]]
        return {"toy": [padded + [(PAD, 1.0)] * (self.words.length - len(padded))]}

    def clone(self) -> ToyTokenizer:
        return self

    def state_dict(self) -> dict[str, Tensor]:
        return {}


class ToyTextEncoder(torch.nn.Module):
    """Follows the protocol of the host's text encoders."""

    def __init__(self, network: TextNetwork, words: Words) -> None:
        super().__init__()
        self.transformer, self.dtypes = network, {torch.float32}
        self.empty = words.encode("")

    def reset_clip_options(self) -> None:
        """Nothing to reset: there are no layers to skip."""

    def set_clip_options(self, options: dict[str, Any]) -> None:
        """CLIPSetLastLayer has nothing to skip here."""

    def encode_token_weights(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """-> (tokens [1, L, width], the whole prompt [1, width]), float32. A weight moves a word away from what stands
        in its place in the empty prompt, as the host does it."""
        device = self.transformer.place.device
        numbers = torch.tensor([[n for n, _ in section] for section in tokens["toy"]], device=device)
        weights = torch.tensor([[w for _, w in section] for section in tokens["toy"]], device=device)[..., None]
        told = self.transformer(numbers)
        silent = self.transformer(torch.tensor([self.empty], device=device))
        encoded = (silent + (told - silent) * weights).float().to(host.intermediate_device())
        return encoded.flatten(0, 1)[None], encoded[:1, 0]

    def load_sd(self, weights: dict[str, Tensor]) -> Any:
        return self.load_state_dict(weights, strict=False)


def toy_clip(network: TextNetwork, words: Words) -> Any:
    """The host's CLIP around the text network."""
    encoder = ToyTextEncoder(network, words)
    return host.clip(lambda **_: ToyTokenizer(words), lambda **_: encoder)
