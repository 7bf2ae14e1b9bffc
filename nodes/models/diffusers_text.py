"""The text side of a diffusers folder as a CLIP of the host: its own tokenizers and encoders, from transformers.

The encodings are those of the diffusers pipelines: Stable Diffusion 1 and 2 read the last layer, SDXL the last but one
of both encoders and the projection of the second, DeepFloyd IF 77 tokens of T5. Prompt weights, '(word:1.2)', are the
host's; a prompt longer than the tokenizer's limit is cut.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import host
from .diffusers_folders import TEXT, find_folder, first_line, read_json, weight_files

_CLIP_KINDS = ("CLIPTextModel", "CLIPTextModelWithProjection")
# IF was trained with 77 tokens, though its T5 reads more.
_T5_TOKENS = 77
# The host's names by width: LoRAs find the encoder by them.
_NAMES = {768: "l", 1024: "h", 1280: "g"}

Tokens = dict[str, list[list[tuple[int, float]]]]


@dataclass(frozen=True)
class TextPart:
    """One tokenizer and the config of its encoder. ``name``: l, g, h or t5xxl, as the host calls such encoders."""

    name: str
    tokenizer: Any
    folder: Path
    kind: str

    @property
    def length(self) -> int:
        return _T5_TOKENS if self.kind == "T5EncoderModel" else int(self.tokenizer.model_max_length)

    def tokenize(self, text: str) -> list[tuple[int, float]]:
        """Token ids with the weights of the words they come from, padded to ``length``."""
        parts = host.weighted_parts(text)
        if self.kind == "T5EncoderModel":
            parts = [(part.lower(), weight) for part, weight in parts]
        if all(weight == parts[0][1] for _, weight in parts):  # whole, so that it is split as the pipeline splits it
            parts = [("".join(part for part, _ in parts).strip(), parts[0][1])] if parts else []
        body: list[tuple[int, float]] = []
        for part, weight in parts:
            ids = self.tokenizer(part, add_special_tokens=False).input_ids
            body += [(i, weight) for i in ids]
        empty = self.tokenizer("", padding="max_length", max_length=self.length, truncation=True).input_ids
        start = [self.tokenizer.bos_token_id] if empty[0] == self.tokenizer.bos_token_id else []
        room = self.length - len(start) - 1
        if len(body) > room:
            logging.warning("LoadDiffusersText: %d tokens are cut from a prompt of %d", len(body) - room, len(body))
        used = [(i, 1.0) for i in start] + body[:room] + [(self.tokenizer.eos_token_id, 1.0)]
        return used + [(self.tokenizer.pad_token_id, 1.0)] * (self.length - len(used))


class Tokenizers:
    """Follows the protocol of the host's tokenizers."""

    def __init__(self, parts: tuple[TextPart, ...]) -> None:
        self.parts = parts

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **_: Any) -> Tokens:
        return {part.name: [part.tokenize(text)] for part in self.parts}

    def clone(self) -> Tokenizers:
        return self

    def state_dict(self) -> dict[str, Tensor]:
        return {}


class _Holder(torch.nn.Module):
    """So that weights are called as in the host: clip_l.transformer.text_model..."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer


class TextEncoders(torch.nn.Module):
    """Follows the protocol of the host's text encoders."""

    def __init__(self, parts: tuple[TextPart, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.parts = parts
        self.dtypes = {dtype}
        self.layer: int | None = None
        for part in parts:
            setattr(self, self._attribute(part), _Holder(_load_encoder(part, dtype)))

    @staticmethod
    def _attribute(part: TextPart) -> str:
        return part.name if part.kind == "T5EncoderModel" else f"clip_{part.name}"

    def reset_clip_options(self) -> None:
        self.layer = None

    def set_clip_options(self, options: dict[str, Any]) -> None:
        layer = options.get("layer")
        if layer is not None and any(p.kind == "T5EncoderModel" for p in self.parts):
            raise ValueError("LoadDiffusersText: a T5 encoder has no layers to skip; remove CLIPSetLastLayer")
        self.layer = self.layer if layer is None else layer

    def encode_token_weights(self, tokens: Tokens) -> tuple[Tensor, Tensor | None]:
        """-> (tokens [1, L, width], pooled [1, D] or None), float32; widths of two encoders are joined."""
        encoded = [self._encode(part, tokens[part.name]) for part in self.parts]
        device = host.intermediate_device()
        pooled = encoded[-1][1]
        return torch.cat([e[0] for e in encoded], -1).to(device), None if pooled is None else pooled.to(device)

    def _encode(self, part: TextPart, sections: list[list[tuple[int, float]]]) -> tuple[Tensor, Tensor | None]:
        transformer = getattr(self, self._attribute(part)).transformer
        device = next(transformer.parameters()).device
        ids = [[token for token, _ in section] for section in sections]
        weights = torch.tensor([[weight for _, weight in section] for section in sections], device=device)
        weighted = bool((weights != 1.0).any())
        if weighted:
            ids.append([token for token, _ in part.tokenize("")])
        hidden, pooled = self._hidden(part, transformer, torch.tensor(ids, device=device))
        if weighted:
            hidden = hidden[-1:] + (hidden[:-1] - hidden[-1:]) * weights[..., None]
        return hidden.flatten(0, 1)[None], None if pooled is None else pooled[:1]

    def _hidden(self, part: TextPart, transformer: Any, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        if part.kind == "T5EncoderModel":
            used = (ids != part.tokenizer.pad_token_id).long()
            return transformer(input_ids=ids, attention_mask=used)[0].float(), None
        mask = (
            (ids != part.tokenizer.pad_token_id).long()
            if getattr(transformer.config, "use_attention_mask", 0)
            else None
        )
        output = transformer(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        pooled = output.text_embeds if part.kind.endswith("Projection") else output.pooler_output
        if len(self.parts) > 1:  # SDXL
            hidden = output.hidden_states[-2 if self.layer is None else self.layer]
        elif self.layer is None:
            hidden = output.last_hidden_state
        else:
            hidden = transformer.text_model.final_layer_norm(output.hidden_states[self.layer])
        return hidden.float(), pooled.float()


def _read_part(folder: Path, suffix: str, several: bool) -> TextPart:
    config = read_json(folder / f"text_encoder{suffix}" / "config.json")
    kind = str((config.get("architectures") or ["?"])[0])
    if kind not in (*_CLIP_KINDS, "T5EncoderModel"):
        raise ValueError(
            f"text_encoder{suffix} is a {kind}; supported are CLIPTextModel, CLIPTextModelWithProjection and "
            "T5EncoderModel"
        )
    width = int(config.get("hidden_size", 0))
    name = "t5xxl" if kind == "T5EncoderModel" else ("g" if suffix else "l") if several else _NAMES.get(width, "l")
    return TextPart(name, _load_tokenizer(folder / f"tokenizer{suffix}", kind), folder / f"text_encoder{suffix}", kind)


def _load_tokenizer(folder: Path, kind: str) -> Any:
    import transformers

    if not folder.is_dir():
        raise ValueError(f"{folder.parent.name}/{folder.name} is missing; copy the whole folder again")
    # A tokenizer.json is read as it is; without it the T5 of IF needs sentencepiece.
    fast = (folder / "tokenizer.json").is_file()
    names = {False: ("CLIPTokenizer", "T5Tokenizer"), True: ("CLIPTokenizerFast", "T5TokenizerFast")}[fast]
    try:
        return getattr(transformers, names[kind == "T5EncoderModel"]).from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ValueError(f"{folder.parent.name}/{folder.name} cannot be read ({first_line(error)})") from error


def _load_encoder(part: TextPart, dtype: torch.dtype) -> Any:
    import transformers

    _, variant = weight_files(part.folder, TEXT, dtype in (torch.float16, torch.bfloat16))
    try:
        encoder, report = getattr(transformers, part.kind).from_pretrained(
            part.folder,
            local_files_only=True,
            use_safetensors=True,
            variant=variant or None,
            **{_dtype_word(transformers.__version__): dtype},
            output_loading_info=True,
        )
    except Exception as error:
        raise ValueError(f"{part.folder.name} cannot be loaded ({first_line(error)}); copy it again") from error
    lost = sorted(report["missing_keys"])
    if lost:
        raise ValueError(f"{part.folder.name} lacks {len(lost)} weights, first '{lost[0]}'; copy it again")
    return encoder.eval().requires_grad_(False)


def _dtype_word(version: str) -> str:
    major, minor = (int(part) for part in version.split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


def load_text(name: str) -> Any:
    """A CLIP from the folder of that name below models/diffusers. Raises ValueError (one line)."""
    folder = find_folder(name, "text_encoder")
    several = (folder / "text_encoder_2" / "config.json").is_file()
    parts = tuple(_read_part(folder, suffix, several) for suffix in (("", "_2") if several else ("",)))
    dtype = host.text_dtype(host.text_device())
    encoders = TextEncoders(parts, dtype)
    return host.clip(lambda **_: Tokenizers(parts), lambda **_: encoders)
