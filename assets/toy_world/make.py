"""Make the toy world's model from nothing: ``.venv/bin/python assets/toy_world/make.py STEP ...`` (see --help).

Steps, in order: ``pictures`` (52,000 of them, about 11 CPU minutes), ``model``, ``controlnet``, ``lora``, ``files``.
Each goes on where it was stopped. Everything is written to .run/toy_world but the files, which go beside this script.
"""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STEPS = ("pictures", "model", "controlnet", "lora", "files")


def start(device: str) -> None:
    """The pack as ``syncpack``, and a host in this process."""
    alias = types.ModuleType("syncpack")
    alias.__path__ = [str(ROOT)]
    sys.modules["syncpack"] = alias
    # (on a CPU the host would choose an attention that saves memory, which these networks need not)
    given, sys.argv = sys.argv, ["x", *(["--cpu"] if device == "cpu" else []), "--use-pytorch-cross-attention"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.model_management

    sys.argv = given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="of a CPU, and processes that paint pictures")
    parser.add_argument("--folder", type=Path, default=ROOT / ".run" / "toy_world", help="what is made on the way")
    parser.add_argument("--output", type=Path, default=HERE, help="where the files go")
    parser.add_argument("--model-steps", type=int, default=5500, help="batches of 64")
    parser.add_argument("--controlnet-steps", type=int, default=2200, help="batches of 32")
    parser.add_argument("--lora-steps", type=int, default=350, help="batches of 32")
    parser.add_argument("--float32", action="store_true", help="without bfloat16, for processors that emulate it")
    given = parser.parse_args()
    start(given.device)
    torch.set_num_threads(given.threads)
    from syncpack.assets.toy_world import run

    for step in given.steps:
        try:
            run.STEPS[step](given)
        except FileNotFoundError as error:  # (an earlier step was left out)
            sys.exit(f"{step}: {error}")


if __name__ == "__main__":
    main()
