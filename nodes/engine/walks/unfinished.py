"""Runs that are not lost: every few steps the state is saved, and the same run, started again, goes on from there.

A run's state is (x, step, seeds), and the seeds are its settings. The file is named by all that the run depends on
(`nodes/host/identity.py`), lies in the host's user folder (the host empties its temp folder whenever it starts), and is
gone when the run is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....renderers.files.atomic import write_all
from ... import host
from ...host.files import user_folder
from ...host.identity import identity
from ..run import Run
from ..sampler_call import SamplerCall

# States that nobody came back for.
FORGOTTEN = 7 * 24 * 3600
_LAYOUT = 1


@dataclass(frozen=True)
class Unfinished:
    """Where the state of a run is kept. every: steps from one save to the next."""

    path: Path
    every: int

    @staticmethod
    def of(run: Run, call: SamplerCall, x: Tensor) -> Unfinished | None:
        """The place of the run that begins with x; None where it saves nothing."""
        every = run.settings.save_every
        if not every:
            return None
        model, guider = call.model, call.model.inner_model
        extra = {k: v for k, v in call.extra_args.items() if k != "model_options"}
        name = identity(
            [_LAYOUT, torch.__version__, host.sampler_name(call.function), call.options, call.sigmas, extra],
            [x, getattr(model, "latent_image", None), getattr(model, "noise", None)],
            [run.settings, run.seed],
            [type(guider).__name__, getattr(guider, "original_conds", None), getattr(guider, "cfg", None)],
            getattr(guider, "model_patcher", None),
        )
        return Unfinished(Path(user_folder()) / "synctweedies" / "unfinished" / f"{name}.safetensors", every)

    def read(self, like: Tensor) -> dict[str, Tensor]:
        """What was saved last, on the device of ``like``; empty where nothing was, or the file cannot be read."""
        from safetensors.torch import load

        try:
            state = load(self.path.read_bytes())
            logging.info("SyncTweedies goes on from step %d of a run that did not end", int(state["step"]))
        except FileNotFoundError:
            return {}
        except Exception as error:  # (whatever safetensors makes of a broken file)
            logging.warning("SyncTweedies begins anew: the saved state %s cannot be read (%s)", self.path.name, error)
            return {}
        return {name: value.to(like.device) if value.is_floating_point() else value for name, value in state.items()}

    def write(self, step: int, state: Mapping[str, Tensor]) -> None:
        """Save the state before ``step``. What cannot be written is told, and the run goes on."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        try:
            _forget(self.path.parent)
            write_all(self.path.parent, {self.path.name: save({**tensors, "step": torch.tensor(step)})})
        except (OSError, ValueError) as error:
            logging.warning("SyncTweedies could not save its state: %s", error)

    def done(self) -> None:
        """The run has ended; its state goes."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _forget(folder: Path) -> None:
    """Remove states that nobody has come back for."""
    for path in folder.glob("*.safetensors"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN:
                path.unlink()
