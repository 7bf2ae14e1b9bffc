"""What each virtual environment holds: torch, the two hosts, the development tools."""

from __future__ import annotations

from pathlib import Path

from .venv import Layer

TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
# The release is yanked, so only an exact pin finds it.
PIP_HOST = "comfyui==0.0.1"
PIP_HOST_PYTHON = ((3, 10), (3, 12))
OFFICIAL_PYTHON = ((3, 10), (3, 13))

_HERE = Path(__file__).resolve().parent
PIP_HOST_REQUIREMENTS = _HERE / "requirements-pip-host.txt"
DEV_REQUIREMENTS = _HERE / "requirements-dev.txt"
PACK_REQUIREMENTS = _HERE.parent / "requirements.txt"


def pip_host_layers() -> tuple[Layer, ...]:
    """torch, then the registry's ComfyUI without its dependency list, plus what it really needs."""
    return (
        Layer("torch", (TORCH,), note="on Linux a download of some GB, once"),
        Layer(
            "pip host",
            (("-r", str(PIP_HOST_REQUIREMENTS), *TORCH), ("--no-deps", PIP_HOST)),
            files=(PIP_HOST_REQUIREMENTS,),
        ),
        pack_layer(),
    )


def pack_layer() -> Layer:
    """What this pack itself needs beside a host's packages: what ComfyUI-Manager would install."""
    return Layer("the pack's requirements", (("-r", str(PACK_REQUIREMENTS)),), files=(PACK_REQUIREMENTS,))


def dev_layers() -> tuple[Layer, ...]:
    """The test and lint tools."""
    return (Layer("development tools", (("-r", str(DEV_REQUIREMENTS)),), files=(DEV_REQUIREMENTS,)),)


def official_layers(comfyui: Path) -> tuple[Layer, ...]:
    """What a ComfyUI checkout needs, by its own requirements.txt."""
    requirements = comfyui / "requirements.txt"
    return (
        Layer("torch", (TORCH,), note="on Linux a download of some GB, once"),
        # requests and the older transformers: imported by ComfyUI 0.3.64 but not in its list, or too new there.
        Layer("ComfyUI", (("-r", str(requirements), *TORCH, "transformers<5", "requests"),), files=(requirements,)),
        pack_layer(),
    )
