"""Motion of 360 degree frames: estimated on two maps of the sphere, one upright and one lying, so that each is asked
only where it is not drawn out; both go on beyond their left and right edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..arrays import norm
from ..cameras.looks import angles
from ..panorama.equirect import rotate_equirect
from ..panorama.space import check_whole_sphere
from ..pictures import filtered
from ..video.flow import Flow, Method, both_ways, flow_by
from ..video.given import given_ahead
from .motion import SphereMotion, reverse_of
from .places import directions_of, flow_to, led_to, nearest_turn, read_sphere, unit

# How far maps go on: a part of their width on either side, which is more than anything moves between two frames.
_BEYOND = 8
# Heights, degrees, between which the upright map hands over to the lying one.
_UPRIGHT, _LYING = 40.0, 50.0
# Turns are taken out so often at most, each found in so many rounds.
_TURNS, _ROUNDS = 3, 12
# Pixels on a side over which differences are compared.
_NEAR = 7
# Of the lying map, in coordinates of the upright one: its middle is the upper pole.
_TURN = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)


def sphere_motion_of(
    frames: Tensor, loop: bool, method: Method = "auto", step: Callable[[], None] = lambda: None
) -> SphereMotion:
    """The motion of equirectangular frames [T, H, W, 3], values 0..1. step: called after every frame.

    Raises ValueError for a method that is none or not installed, and for frames that are no spheres.
    """
    count, height, width = (int(n) for n in frames.shape[:3])
    check_whole_sphere("a frame", width, height, "projection flat")
    flow, frames = flow_by(method), frames[..., :3].float()

    def between(first: int, second: int) -> Tensor:
        return flow_to(_found(flow, frames[first], frames[second]))

    return SphereMotion.of(*both_ways((count, height, width), loop, between, step), loop and count > 1)


def _found(flow: Flow, first: Tensor, second: Tensor) -> Tensor:
    """Where what a frame [H, W, 3] shows is in another: directions [H, W, 3]. A turn of the camera, which moves all at
    once and may be large, is taken out before the rest is looked for."""
    found, own = _on_maps(flow, first, second), directions_of(*first.shape[:2])
    for _ in range(_TURNS):
        turn = turn_of(own, found)
        if float((turn - torch.eye(3)).abs().max()) * first.shape[0] / math.pi < 0.5:
            break
        rest = _on_maps(flow, first, read_sphere(second, own @ turn.T)) @ turn.T
        closer = _misses(first, second, rest) < _misses(first, second, found)
        found = torch.where(closer[..., None], rest, found)
    return found


def turn_of(start: Tensor, end: Tensor) -> Tensor:
    """float64 [3, 3]: the turn that brings directions [H, W, 3] of a whole map to others, as most of them have it."""
    area = norm(start[..., [0, 2]], -1)[..., None]
    turn, share = torch.eye(3, dtype=torch.float64), area
    for _ in range(_ROUNDS):
        turn = nearest_turn((end * share).flatten(0, 1).T @ start.flatten(0, 1))
        off = norm(start @ turn.T - end, -1, keepdim=True) * start.shape[0] / math.pi
        share = area / (1 + off.square())
    return turn


def _misses(first: Tensor, second: Tensor, found: Tensor) -> Tensor:
    """How far the frames differ along directions [H, W, 3], around each pixel: [H, W]."""
    off = (read_sphere(second, found) - first).square().sum(-1)
    return filtered(off[None, None], torch.full((_NEAR, _NEAR), 1 / _NEAR**2), "repeated")[0, 0]


def given_sphere_motion(given: Any, frames: Tensor, loop: bool) -> SphereMotion:
    """See ``given_motion``; the way back is found on the sphere."""
    ahead = given_ahead(given, frames, loop)
    back = torch.stack([reverse_of(ahead[number - 1]) for number in range(len(frames))])
    return SphereMotion.of(back, ahead, loop and len(frames) > 1)


def _on_maps(flow: Flow, first: Tensor, second: Tensor) -> Tensor:
    """Directions [H, W, 3] by flows of both maps; the lying one has the upper pole in its middle."""
    lying = rotate_equirect(torch.stack([first, second]), 0, 90, 0)
    return _joined(led_to(_around(flow, first, second)), led_to(_around(flow, lying[0], lying[1])))


def _around(flow: Flow, first: Tensor, second: Tensor) -> Tensor:
    """The flow [H, W, 2] between two maps [H, W, 3] that go on where they begin."""
    beyond = max(1, first.shape[1] // _BEYOND)
    wide = [torch.cat([m[:, -beyond:], m, m[:, :beyond]], 1).movedim(-1, 0).contiguous() for m in (first, second)]
    return flow(wide[0], wide[1])[:, beyond:-beyond]


def _joined(upright: Tensor, lying: Tensor) -> Tensor:
    """Directions [H, W, 3] that both maps lead to, each in its own coordinates, by how high they are asked for."""
    own = directions_of(*upright.shape[:2])
    near_poles = unit(read_sphere(lying, own @ _TURN)) @ _TURN.T
    height = angles(own)[1].rad2deg().abs()
    share = ((height - _UPRIGHT) / (_LYING - _UPRIGHT)).clamp(0, 1)[..., None]
    return unit(upright * (1 - share) + near_poles * share)
