"""Smaller networks for clips: each frame's network is cut, what reads its features in their order is not."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import no_window
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.data.clip import Clip
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize import families
from foveal.optimize.candidate import Start, found
from foveal.optimize.channels.removal import without
from foveal.optimize.families.pruned import pruned
from foveal.optimize.graphs.integers import reads_in_order
from foveal.optimize.importance.fisher import fisher
from foveal.optimize.input_moments import input_moments
from foveal.optimize.saturation import saturation
from foveal.optimize.steps import distill
from foveal.optimize.steps.at_size import at_size
from foveal.optimize.steps.prune import removable
from foveal.optimize.steps.quantize import quantize
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer, build
from foveal.train.examples import Examples

FRAMES, SIZE = 3, 16
CLIPS = np.random.default_rng(0).integers(0, 256, (40, FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


def recognizer_of(architecture, randomized, *, size=SIZE, **arguments):
    preprocess = Preprocess(
        size=size, channels=3, mean=(0.5,) * 3, std=(0.3,) * 3, decoder="a film's", clip=Clip(frames=FRAMES)
    )
    given = {"channels": 3, "classes": 3, "size": size, **arguments}
    torch.manual_seed(0)
    network = build(architecture, given)
    randomized(network.backbone, size)
    return Recognizer(network.eval(), architecture, given, preprocess, ("a", "b", "c"), "video")


@pytest.fixture(scope="module")
def original(randomized):
    return recognizer_of("cnn_gru", randomized, backbone=[16, 48, 64])


@pytest.fixture(scope="module")
def start(original):
    return Start(original, CLIPS, original.cost().macs, seconds=600.0)


@pytest.fixture(scope="module")
def smaller(start):
    return pruned(start)[0].make()


def test_the_features_of_a_frame_and_what_reads_them_stay_whole(original) -> None:
    groups = removable(original)

    cut = {(place.module, place.axis) for group in groups for place in group.places}
    assert {name.partition(".")[0] for name, _ in cut} == {"backbone"}
    assert ("backbone.nano.stages.2.enter", 0) in cut
    assert ("backbone.where", 1) in cut, "places lose the channels that they are read from"
    assert not {("backbone.where", 0), ("backbone.nano.head", 0)} & cut


@torch.no_grad()
def test_units_that_nobody_listens_to_can_go_without_a_trace(original) -> None:
    groups = removable(original)
    silent = replace(original).with_weights(original.network.state_dict())
    for group in groups:
        for place in group.places:
            if place.role == "reads":
                weight = silent.network.get_submodule(place.module).weight
                weight[:, torch.from_numpy(place.positions[0])] = 0

    kept = {group.name: np.arange(len(group)) > 0 for group in groups}
    cut = replace(silent, network=without(silent.network, groups, kept).eval())

    assert cut.cost().macs < original.cost().macs
    np.testing.assert_allclose(cut.logits(CLIPS), silent.logits(CLIPS), atol=1e-5)


def test_fisher_takes_one_mask_for_all_frames_of_a_clip(original) -> None:
    group = next(one for one in removable(original) if one.name == "backbone.reduce")
    asked = Examples(CLIPS[:6], np.array([0, 1, 2, 0, 1, 2]), np.arange(6))

    [found_scores] = fisher(original, [group], asked)

    wanted = np.zeros(len(group))
    layer = original.network.get_submodule("backbone.where")
    for clip, label in zip(asked.images, asked.labels, strict=True):
        mask = torch.ones(len(group), requires_grad=True)
        positions = torch.from_numpy(group.places[-1].positions)

        def masked(_layer, inputs, mask=mask, positions=positions):
            flat = torch.empty(inputs[0].shape[1]).index_put(
                (positions,), mask[:, None].expand(positions.shape)
            )
            return (inputs[0] * flat,)

        handle = layer.register_forward_pre_hook(masked)
        images = learn.normalize(torch.from_numpy(clip[None]), original.preprocess)
        targets = learn.targets(torch.tensor([label]), classes=3, smoothing=0.0)
        learn.loss(original.network(images), targets).backward()
        handle.remove()
        wanted += mask.grad.numpy().astype(np.float64) ** 2
    np.testing.assert_allclose(found_scores, wanted / wanted.mean(), rtol=1e-3)


def test_norms_are_set_anew_by_all_frames(original) -> None:
    made = recalibrated(original, CLIPS, batch=10**6)

    seen = {}
    network = original.network.backbone.nano
    handle = network.stages[0].enter.register_forward_hook(lambda _m, _i, out: seen.update(out=out))
    original.logits(CLIPS, batch=len(CLIPS))
    handle.remove()
    pooled = torch.nn.functional.max_pool2d(seen["out"], 2)
    assert len(pooled) == len(CLIPS) * FRAMES
    norm = made.network.backbone.nano.stages[0].enter_norm
    torch.testing.assert_close(norm.running_mean, pooled.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-4)


def test_moments_are_those_of_all_frames(original) -> None:
    name = "backbone.nano.whiten"
    frames = learn.normalize(torch.from_numpy(CLIPS), original.preprocess).flatten(0, 1)

    moments = input_moments(original, {name: False}, CLIPS)[name]

    rows = frames.movedim(1, -1).flatten(0, -2).double()
    torch.testing.assert_close(moments, rows.T @ rows / len(rows), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", catalog.names(families))
def test_candidates_are_what_they_say(name, start, tmp_path) -> None:
    for one in catalog.find(families, name)(start)[-1:]:
        made = one.make()

        assert made.task == "video"
        assert made.cost().macs == one.macs
        assert sum(p.numel() for p in made.network.parameters()) == one.parameters
        assert made.logits(CLIPS[:2]).shape == (2, 3)
        recognizers.save(made, tmp_path / one.name)
        again = recognizers.load(tmp_path / one.name)
        np.testing.assert_array_equal(again.logits(CLIPS[:2]), made.logits(CLIPS[:2]))


def test_there_are_pruned_and_fresh_ones_and_who_has_none_says_why(start) -> None:
    ones, without_any = found(start)

    assert {"pruned-50", "nano-16-32-64"} <= {one.name for one in ones}
    assert any(one.name.startswith("uneven-") for one in ones)
    assert without_any == {}, "16 pixels are as small as frames get: nothing to say"


def test_a_network_of_one_size_and_a_backbone_of_one_size_are_told(randomized) -> None:
    tied = recognizer_of("cnn_gru", randomized, size=32)
    _, why = found(Start(tied, CLIPS.repeat(2, 2).repeat(2, 3), tied.cost().macs, seconds=0.0))
    assert why == {"smaller_pictures": "cnn-gru was made for 32 pixels and takes no other size"}

    given = recognizer_of("cnn_pool", randomized, size=32, backbone="mobilenet_v2", start="transfer")
    with pytest.raises(
        UsageError, match="mobilenet-v2 looks at the frames, and there it is built in one size"
    ):
        catalog.find(families, "slimmer")(Start(given, CLIPS, 10**9))


def test_a_pooled_backbone_takes_smaller_frames_and_its_teacher_sees_them_enlarged(randomized) -> None:
    large = recognizer_of("cnn_pool", randomized, size=32, backbone="mobilenet_v2")

    small = at_size(large, SIZE, CLIPS)

    assert small.preprocess.shape == (FRAMES, SIZE, SIZE, 3)
    assert small.logits(CLIPS[:2]).shape == (2, 3)
    teacher = distill._seeing(large, small)
    clips = learn.normalize(torch.from_numpy(CLIPS[:2]), small.preprocess)
    with torch.no_grad():
        assert teacher(clips).shape == (2, 3)
        enlarged, alone = teacher[0](clips), teacher[0](clips[1, :1])
    assert enlarged.shape == (2, FRAMES, 3, 32, 32)
    torch.testing.assert_close(enlarged[1, :1], alone)


def test_a_teacher_answers_beforehand_as_in_every_step(original) -> None:
    examples = Examples(CLIPS, np.zeros(len(CLIPS), np.int64), np.arange(len(CLIPS))[::-1].copy())

    logits = distill.asked(original, examples, mirrored=False, bf16=False).numpy()
    both = distill.asked(original, examples, mirrored=True, bf16=False).numpy()

    np.testing.assert_allclose(logits, original.logits(CLIPS[::-1].copy()), atol=1e-4)
    mirrored = original.logits(np.ascontiguousarray(CLIPS[::-1, :, :, ::-1]))
    np.testing.assert_allclose(both, (logits + mirrored) / 2, atol=1e-4)


def test_a_frozen_backbone_is_thawed_to_be_mended(randomized) -> None:
    from foveal.flows._optimize_run import _thawed

    frozen = recognizer_of("cnn_gru", randomized, size=32, backbone="mobilenet_v2", start="frozen")
    assert not any(p.requires_grad for p in frozen.network.backbone.parameters())
    seen = CLIPS.repeat(2, 2).repeat(2, 3)[:2]

    thawed = _thawed(frozen)

    assert all(p.requires_grad for p in thawed.network.parameters())
    assert thawed.arguments["start"] == "transfer"
    np.testing.assert_array_equal(thawed.logits(seen), frozen.logits(seen))


class TestIntegers:
    def test_every_convolution_becomes_integer_and_the_recurrent_layer_stays_float(self, original) -> None:
        rounded = onnx.load_from_string(quantize(graph(original), CLIPS))

        made = {name: node.op_type for node in rounded.graph.node for name in node.output}
        kinds = [node.op_type for node in rounded.graph.node]
        convolutions = [node for node in rounded.graph.node if node.op_type == "Conv"]
        integer = [node for node in convolutions if made.get(node.input[1]) == "DequantizeLinear"]
        assert len(integer) >= len(convolutions) - 1, "one that reads pixels may stay in float"
        [recurrent] = [node for node in rounded.graph.node if node.op_type == "GRU"]
        held = {tensor.name: tensor.data_type for tensor in rounded.graph.initializer}
        assert all(held[name] == onnx.TensorProto.FLOAT for name in recurrent.input[1:4])
        assert kinds.count("GRU") == 1
        assert reads_in_order(graph(original))

    def test_no_recurrent_layer_is_seen_where_there_is_none(self, randomized) -> None:
        assert not reads_in_order(graph(recognizer_of("cnn_pool", randomized, backbone=[8, 16, 16])))

    def test_a_stream_of_a_pruned_and_rounded_network_answers_as_whole_clips(self, smaller) -> None:
        session = onnxruntime(quantize(graph(smaller), CLIPS), threads=1)
        clips, before = CLIPS[:4], CLIPS[4:8]

        window = no_window(clips, session.window_shape)
        for frames in (before, clips):  # what was seen before the window leaves no trace
            for place in range(FRAMES):
                one = session.run(np.ascontiguousarray(frames[:, place : place + 1]), window)
                window = one.window

        whole = session.run(clips)
        np.testing.assert_allclose(one.logits, whole.logits, atol=1e-5)
        assert np.ptp(whole.logits, axis=0).min() > 1e-3, "clips are told apart"

    def test_missing_bits_are_looked_for_in_clips(self, original) -> None:
        found = saturation(quantize(graph(original), CLIPS), CLIPS[:4])

        assert 0 <= found.share < 0.5
        assert found.divergence.flips.n == 4
