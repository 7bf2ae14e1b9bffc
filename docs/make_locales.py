"""Write ``locales/<language>/``, the nodes in the reader's language: ``.venv/bin/python docs/make_locales.py``.

The tables ``docs/languages/<language>.json`` have a translation for each English text of the nodes' declarations and of
the viewers in web. The text itself is the key, so that one that was changed is one that is missing.
This writes what the front end reads, and puts the tables in the order of the nodes, without what no node says any more.
``--missing`` prints what each table lacks; filled in and saved, ``--take FILE`` puts it into the tables.

A test holds the files to what this writes, and the tables to ``faults``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from the_pack import on_a_host

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
LANGUAGES = ("zh", "ja", "ko", "fr", "de", "es")

# Words of the node tree that the front end translates itself; ours would replace its own.
HOSTS_CATEGORIES = {"sampling", "image", "mask", "model", "loaders", "conditioning", "latent", "3d", "utilities"}
# Names of the field that a language writes in its own way.
SPELT = {"ko": {"ControlNet": "컨트롤넷"}, "fr": {"CAD": "CAO"}}
# vue-i18n reads these in a message as its own.
FORBIDDEN = re.compile(r"[@{}|$]")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*")
_WORDS_OF_NUMBERS = re.compile(
    r"\b(?:one|two|three|four|five|six|eight|ten|eleven|once|twice|first|second|half|third|quarters?|fifth|eighth|tenth"
    r"|hundredths?|thousandth|thousand|million|sixty-fourths|milliseconds)\b",
    re.IGNORECASE,
)
# What is typed, chosen or searched for: in quotes; file names and paths; with underscores, capitals, figures.
_CODE = re.compile(
    r"(?<!\w)'(?P<quoted>[^']+)'(?!\w)"
    r"|(?P<file>[\w/]*\.[a-z][\w.]*(?<!\.)|\b\w+(?:[/_]\w+)+)"
    r"|(?P<name>\b\w*[a-z]\w*[A-Z]\w*|\b[A-Z][A-Z\d]+\b|\b[A-Za-z]+\d\w*|#\w+)"
    r"|\b(?P<library>numba|torch|gsplat|xatlas|diffusers|safetensors|lpips|euler|ddim|heun|lms)\b"
)
# Texts of scripts: properties and constants of these names, and the two of a button; one text may be a sum of several.
# What keys and buttons do (a hint) is said in parts, with dots between, so that viewers can put their own together.
_TEXT = r'("[^"]+"(?:\s*\+\s*"[^"]+")*)'
_SHOWN = re.compile(
    rf"\b(?:before|hint|choice|lost|without|tooltip|shown|title|textContent): {_TEXT}"
    rf"|\b\w*(?:BEFORE|HINT|LOST) = {_TEXT}|\.button\({_TEXT}, {_TEXT}|\bhint: (`[^`]+`)|\bfill\({_TEXT}"
)
_BETWEEN = re.compile(r"\$\{[^}]*\}| ?· ")

Say = Callable[[str], str | None]


def nodes() -> dict[str, type]:
    """The pack's nodes by id."""
    on_a_host()
    from syncpack.nodes import NODE_CLASS_MAPPINGS

    return NODE_CLASS_MAPPINGS


def definitions(say: Say) -> dict[str, Any]:
    """nodeDefs.json, in what ``say`` makes of the English texts; those of which it makes None are left out."""
    made: dict[str, Any] = {}
    for name, node in nodes().items():
        declared: Any = getattr(node, "DECLARATION")  # noqa: B009
        made[name] = {
            "display_name": say(declared.name),
            "description": say(node.DESCRIPTION),  # type: ignore[attr-defined]
            "inputs": {
                # Front ends take a dot for a step into the tree.
                key.replace(".", "_"): _both(say(key), say(value.tooltip))
                for key, value in {**declared.inputs, **declared.optional}.items()
            },
            "outputs": {
                # An output that is named as its type is shown by the front end's own name of the type.
                str(at): _both(None if key == value.kind else say(key), say(value.tooltip))
                for at, (key, value) in enumerate(declared.outputs.items())
            },
        }
        made[name] = {key: value for key, value in made[name].items() if value}
    return dict(sorted(made.items()))


def _both(name: str | None, tooltip: str | None) -> dict[str, str]:
    return {key: text for key, text in (("name", name), ("tooltip", tooltip)) if text is not None}


def words(say: Say) -> dict[str, Any]:
    """main.json: the subjects of the node tree."""
    parts = sorted({part for node in nodes().values() for part in node.CATEGORY.split("/")[1:]})  # type: ignore[attr-defined]
    own = {part: say(part) for part in parts if part not in HOSTS_CATEGORIES}
    return {"nodeCategories": {part: text for part, text in own.items() if text is not None}}


def viewers(say: Say) -> dict[str, str]:
    """What our scripts show, which they translate themselves (web/viewer/words.mjs)."""
    found: list[str] = []
    for path in sorted([*(ROOT / "web").rglob("*.js"), *(ROOT / "web").rglob("*.mjs")]):
        for match in _SHOWN.finditer(path.read_text(encoding="utf-8")):
            texts = ["".join(re.findall('["`]([^"`]*)["`]', part)) for part in match.groups() if part]
            found += [part for text in texts for part in _BETWEEN.split(text) if part]
    return {text: said for text in dict.fromkeys(found) if (said := say(text)) is not None}


def english() -> dict[str, set[str]]:
    """Every text, in the order of the nodes; and the choices that the text's node offers."""
    found: dict[str, set[str]] = {}
    offered: dict[str, set[str]] = {}
    for name, node in nodes().items():
        groups = node.INPUT_TYPES()  # type: ignore[attr-defined]
        given = {**groups.get("required", {}), **groups.get("optional", {})}
        offered[name] = {choice for kind, _ in given.values() if isinstance(kind, list) for choice in kind}

    def walk(value: Any, choices: set[str]) -> None:
        if isinstance(value, str):
            found.setdefault(value, set()).update(choices)
        else:
            for part in value.values():
                walk(part, choices)

    for name, part in definitions(str).items():
        walk(part, offered[name])
    walk(words(str), set())
    walk(viewers(str), set())
    return found


def table(language: str) -> dict[str, str]:
    path = DOCS / "languages" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def same(language: str) -> set[str]:
    """Texts that stay as they are: names that people of the field do not translate, and words of both languages."""
    listed = json.loads((DOCS / "languages" / "same.json").read_text(encoding="utf-8"))
    return {*listed["everywhere"], *listed.get(language, ())}


def numbers(text: str) -> set[str]:
    """The numbers of a text; 0,5 and 50 000 are 0.5 and 50,000 in other languages."""
    text = re.sub(r"(?<=\d)[\u00a0\u202f ](?=\d{3}\b)|(?<=\d),(?=\d)", ".", text)
    return set(_NUMBER.findall(re.sub(r"\d+ thousand", "thousand", text)))


def code_words(text: str, choices: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
    """What must stand in a translation as it is: names, files, what is typed, and choices that the text explains."""
    found = {next(word for word in match.groups() if word) for match in _CODE.finditer(text.replace("e.g. ", ""))}
    explained = {choice for choice in choices if re.search(rf"(?:^|[.;] |, ){re.escape(choice)}: ", text)}
    return {
        word.rstrip("s") if re.search("[A-Z]s$", word) or word == "ControlNets" else word for word in found
    } | explained


def shown(language: str, said: dict[str, str]) -> dict[str, str]:
    """What readers see instead of a name of ours: nodes without what their names have in brackets, and inputs."""
    found = dict(SPELT.get(language, {}))
    for name, part in definitions(str).items():
        display = part["display_name"]
        found |= {key: said.get(key, key) for key in part["inputs"]}
        found[name] = found[display] = re.split(r" ?[(（]", said.get(display, name))[0]
    return found


def faults(language: str, said: dict[str, str]) -> Iterator[str]:
    """What is wrong with a table, a line each."""
    texts, names = english(), shown(language, said)
    for text, choices in texts.items():
        where = f"{language}: {text[:60]!r}"
        if not (new := said.get(text, "")).strip():
            yield f"{where} has no translation"
            continue
        if new == text and text not in same(language):
            yield f"{where} is the same in English; if it should be, list it in same.json"
        if FORBIDDEN.search(new):
            yield f"{where} has one of @ {{ }} | $, which the front end reads as its own"
        if " " not in text:
            continue  # the name of an input or an output, which is translated as a whole
        if lost := sorted(w for w in code_words(text, choices) if w not in new and names.get(w, w) not in new):
            yield f"{where} lacks {', '.join(lost)}"
        old, now = numbers(text), numbers(new)
        if lost := sorted(old - now):
            yield f"{where} lacks the number {', '.join(lost)}"
        if (more := sorted(now - old - {"1"})) and not _WORDS_OF_NUMBERS.search(text):
            yield f"{where} has a number that is not there: {', '.join(more)}"
        if text.count("#") != new.count("#"):
            yield f"{where} has another number of #, which stand for values"
        if text[-1] == "." and new[-1] not in ".。…":
            yield f"{where} does not end as a sentence"
    for text in said.keys() - texts.keys():
        yield f"{language}: no node says {text[:60]!r} any more"


def files() -> dict[str, str]:
    """What is written, by its path from the pack's folder."""
    made: dict[str, str] = {}
    for language in LANGUAGES:
        said = table(language)
        made[f"docs/languages/{language}.json"] = _text({text: said[text] for text in english() if text in said})
        made[f"locales/{language}/nodeDefs.json"] = _text(definitions(said.get))
        made[f"locales/{language}/main.json"] = _text(words(said.get))
        if spoken := viewers(said.get):
            made[f"web/words/{language}.json"] = _text(spoken)
    return made


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def missing() -> dict[str, dict[str, str]]:
    """What each table lacks, to be filled in."""
    return {name: {text: "" for text in english() if text not in table(name)} for name in LANGUAGES}


def take(given: dict[str, dict[str, str]]) -> None:
    """Put translations into the tables: what ``missing`` gave, filled in."""
    for language, texts in given.items():
        said = table(language) | {text: new for text, new in texts.items() if new}
        (DOCS / "languages" / f"{language}.json").write_text(_text(said), encoding="utf-8")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--missing", action="store_true", help="print what the tables lack, as JSON, and write nothing")
    asked.add_argument(
        "--take", metavar="FILE", type=Path, help="a file of that shape, filled in: taken into the tables"
    )
    wishes = asked.parse_args()
    if wishes.missing:
        print(_text({language: texts for language, texts in missing().items() if texts}))
        return
    if wishes.take:
        take(json.loads(wishes.take.read_text(encoding="utf-8")))
    for name, text in files().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for language in LANGUAGES:
        print("\n".join(faults(language, table(language))) or f"{language}: complete")


if __name__ == "__main__":
    main()
