"""Small nodes that blueprints are made of: a picture as the front of a panorama, a ControlNet that may be left out."""

import pytest
import torch
from helpers.hosting import one_line
from helpers.toy import said, toy, with_depth
from syncpack.nodes.panorama.front_nodes import EquirectFromPicture
from syncpack.nodes.sampling.hints import SyncTweediesControlNet

pytestmark = pytest.mark.host


def test_depth_goes_along_and_must_be_the_picture_s():
    node, image = EquirectFromPicture(), torch.rand(1, 40, 60, 3)
    _, _, grey = node.place(image, 256, 70.0, 0.0, 0.0, 0.1)
    assert grey.shape == (1, 128, 256, 3) and grey.unique().tolist() == [0.5]
    _, _, depth = node.place(image, 256, 70.0, 0.0, 0.0, 0.1, torch.full((1, 20, 30, 3), 0.8))
    assert (depth - 0.8).abs().max() < 1e-3
    for wrong, fix in ((torch.zeros(1, 40, 40, 3), "proportions"), (torch.zeros(2, 40, 60, 3), "connect one")):
        with pytest.raises(ValueError, match=fix) as caught:
            node.place(image, 256, 70.0, 0.0, 0.0, 0.1, wrong)
        one_line(caught.value, "EquirectFromPicture")


def test_without_a_controlnet_prompts_pass():
    prompts = said("a ball of gold"), said("")
    passed = SyncTweediesControlNet().apply(*prompts, 1.0, 0.0, 1.0)
    assert passed == prompts and "control" not in passed[0][0][1]


def test_with_one_it_is_the_host_s_own_node():
    hint = torch.rand(1, 64, 64, 3)
    given = said("a ball of gold"), said("")
    ours = SyncTweediesControlNet().apply(*given, 1.0, 0.0, 1.0, toy()[3], hint)
    theirs = with_depth(*given, hint)
    for mine, other in zip((ours[0], ours[1]), theirs, strict=True):
        a, b = mine[0][1]["control"], other[0][1]["control"]
        assert torch.equal(a.cond_hint_original, b.cond_hint_original)
        assert (a.strength, a.timestep_percent_range) == (b.strength, b.timestep_percent_range)
        assert mine[0][1]["control_apply_to_uncond"] is False
    assert ours[0][0][1]["control"] is ours[1][0][1]["control"], "one network for both prompts"
    twice = SyncTweediesControlNet().apply(*ours, 0.5, 0.0, 1.0, toy()[3], hint)
    assert twice[0][0][1]["control"].previous_controlnet is ours[0][0][1]["control"]


def test_one_without_a_hint_is_refused():
    with pytest.raises(ValueError, match="connect image") as caught:
        SyncTweediesControlNet().apply(said("a"), said(""), 1.0, 0.0, 1.0, toy()[3])
    one_line(caught.value, "SyncTweediesControlNet")
