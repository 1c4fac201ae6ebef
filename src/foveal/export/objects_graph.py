"""From a detector to an ONNX graph: pixels in, a fixed number of boxes, scores and labels out.

What follows the network is written node by node: the exporter would follow the number of objects that its
example happens to have. Everything has a fixed size but the pictures; what is dropped gets score 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import opset20
from torch import Tensor, nn

from foveal.export.graph import quiet_exporter, strip
from foveal.models._distinct import OPERATOR
from foveal.tasks.classify import learn
from foveal.tasks.detect.decode import ATTRIBUTES, MASKS
from foveal.tasks.detect.learn import FAINTEST, THINNEST, Selection
from foveal.tasks.detect.masks import INSIDE, STEPS
from foveal.tasks.recognizer import Recognizer
from foveal.tasks.segment.decode import OUTPUTS as REGION_OUTPUTS
from foveal.tasks.segment.learn import classes_of

REGIONS = REGION_OUTPUTS[0]
_SCALE, _SHIFT = "score_scale", "score_shift"
_SHARPNESS = "attribute_sharpness"
_SAID = "all_attributes"
# What masks follow from, and masks of all boxes as they are.
_KERNELS, _BASIS, _DRAWN = "all_kernels", "basis", "all_masks"
# What reads the class logits (N, P, K) and the boxes (N, P, 4) of all places, by what it makes of them.
DENSE_LOGITS, DENSE_BOXES = "scaled_logits", "whole_boxes"


class _Candidates(nn.Module):
    """Normalization and network: uint8 (N, H, W, C) to boxes (N, P, 4), class logits (N, P, K) and more."""

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.network: Any = recognizer.network
        self.preprocess, self.task = recognizer.preprocess, recognizer.task

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        seen = learn.normalize(images, self.preprocess)
        if self.task == "detect":
            return tuple(self.network.candidates(seen))
        if self.task == "instance":
            return tuple(self.network.outlined(seen))
        outlined, areas = self.network.everything(seen)
        return *outlined, classes_of(areas, self.preprocess.sides)


def objects_graph(recognizer: Recognizer, selection: Selection) -> bytes:
    """Return the ONNX file of a detector.

    Input `images` uint8 (N, H, W, C) with any N; outputs `boxes` float32 (N, K, 4) in pixels of the input,
    `scores` float32 (N, K) and `labels` int64 (N, K), the most certain first, padded with score 0. Where
    outlines are answered, `masks` uint8 (N, K, H / 4, W / 4), see `ObjectAnswers`; of a panoptic recognizer
    `regions` uint8 (N, H, W), too: the class of each pixel. Where something is told of objects beside their
    class, `attributes` float32 (N, K, V), see there, too.

    Args:
        recognizer: A detector; it is exported in eval mode.
        selection: Which answers are given out.
    """
    preprocess = recognizer.preprocess
    values: tuple[int, ...] = getattr(recognizer.network, "attributes", ())
    with quiet_exporter():
        program = torch.onnx.export(
            _Candidates(recognizer).eval(),
            (torch.zeros(2, *preprocess.shape, dtype=torch.uint8),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            input_names=["images"],
            output_names=_answered(recognizer),
            custom_translation_table={OPERATOR: _distinct},
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    strip(model)
    places, classes = (side.dim_value for side in model.graph.output[1].type.tensor_type.shape.dim[1:])
    _Ending(model, places=places, classes=classes, values=values).write(selection, preprocess.sides)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _answered(recognizer: Recognizer) -> list[str]:
    """Return the names of what a network answers, before anything is selected."""
    network: Any = recognizer.network
    names = ["all_boxes", "all_logits"]
    if recognizer.task != "detect":
        names += [_DRAWN] if network.drawn else [_KERNELS, _BASIS]
    if recognizer.task == "panoptic":
        names.append(REGIONS)
    return [*names, _SAID] if getattr(network, "attributes", ()) else names


_OPS: Any = opset20  # its types are narrower than what it takes


def _distinct(boxes: Any, scores: Any, overlap: float) -> Any:
    """Return in ONNX what `models._distinct` says: 1 for each box that stays, (N, P)."""
    rows = _OPS.Unsqueeze(scores, _OPS.Constant(value_ints=[1]))
    most, limit = _OPS.Constant(value_ints=[2**31 - 1]), _OPS.Constant(value_floats=[overlap])
    chosen = _OPS.NonMaxSuppression(boxes, rows, most, limit)
    places = _OPS.Gather(chosen, _OPS.Constant(value_ints=[0, 2]), axis=1)  # of picture, class and box
    count = _OPS.Slice(_OPS.Shape(places), _OPS.Constant(value_ints=[0]), _OPS.Constant(value_ints=[1]))
    ones = _OPS.Expand(_OPS.Constant(value_floats=[1.0]), count)
    return _OPS.ScatterND(_OPS.Mul(scores, _OPS.Constant(value_float=0.0)), places, ones)


def with_scores(model: bytes, *, scale: float, shift: float) -> bytes:
    """Return the same graph with other scores: those of logits times `scale` plus `shift`."""
    return _changed(model, {_SCALE: np.float32(scale), _SHIFT: np.float32(shift)})


def with_sharpness(model: bytes, sharpness: Sequence[float], values: Sequence[int]) -> bytes:
    """Return the same graph with other probabilities of attributes: those of logits times a factor.

    Args:
        model: The graph.
        sharpness: A factor for each attribute.
        values: How many each has.
    """
    return _changed(model, {_SHARPNESS: np.repeat(np.array(sharpness, np.float32), values)})


def _changed(model: bytes, constants: Mapping[str, Any]) -> bytes:
    loaded = onnx.load_from_string(model)
    for initializer in loaded.graph.initializer:
        if initializer.name in constants:
            initializer.CopyFrom(_constant(initializer.name, constants[initializer.name]))
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


class _Ending:
    """The nodes that follow a network, in the order in which they are written."""

    def __init__(self, model: Any, *, places: int, classes: int, values: Sequence[int] = ()) -> None:
        self.model = model
        self.places, self.classes, self.values = places, classes, list(values)

    def write(self, selection: Selection, sides: tuple[int, int]) -> None:
        """Append what selects the answers, and make them the outputs."""
        candidates = selection.candidates(self.places, self.classes)
        self._choose(selection, candidates, sides)
        kept = "clear_scores"
        if selection.overlap is not None:
            kept = self._without_doubles(selection.overlap, candidates)
        count = min(selection.objects, candidates)
        self._best(kept, count, short=selection.objects - count)
        masks = self._masks(selection.objects - count)
        if self.values:
            self._attributes(selection, selection.objects - count)
        self._outputs(selection.objects, masks)

    def _choose(self, selection: Selection, candidates: int, sides: tuple[int, int]) -> None:
        """Scores of all places and classes; the boxes, labels and scores of the highest ones."""
        height, width = sides
        self._constants(
            score_scale=np.float32(selection.scale),
            score_shift=np.float32(selection.shift),
            in_one_row=np.array([0, -1], np.int64),
            candidates=np.array([candidates], np.int64),
            classes=np.array(self.classes, np.int64),
            last_axis=np.array([-1], np.int64),
            no_corner=np.zeros(4, np.float32),
            far_corner=np.array([width, height, width, height], np.float32),
            faintest=np.float32(FAINTEST),
            thinnest=np.float32(THINNEST),
            two_corners=np.array([2, 2], np.int64),
            nothing=np.float32(0),
        )
        self._node("Mul", ["all_logits", _SCALE], [DENSE_LOGITS])
        self._node("Add", [DENSE_LOGITS, _SHIFT], ["shifted_logits"])
        self._node("Sigmoid", ["shifted_logits"], ["all_scores"])
        self._node("Reshape", ["all_scores", "in_one_row"], ["score_row"])
        self._node("TopK", ["score_row", "candidates"], ["top_scores", "top_at"], axis=1)
        self._node("Div", ["top_at", "classes"], ["top_places"])
        self._node("Mod", ["top_at", "classes"], ["top_labels"])
        self._node("Unsqueeze", ["top_places", "last_axis"], ["top_place_column"])
        self._node("GatherND", ["all_boxes", "top_place_column"], [DENSE_BOXES], batch_dims=1)
        self._node("Max", [DENSE_BOXES, "no_corner"], ["boxes_inside"])
        self._node("Min", ["boxes_inside", "far_corner"], ["top_boxes"])
        self._node("Split", ["top_boxes", "two_corners"], ["first_corner", "second_corner"], axis=2)
        self._node("Sub", ["second_corner", "first_corner"], ["both_sides"])
        self._node("ReduceMin", ["both_sides", "last_axis"], ["thinner_side"], keepdims=0)
        self._node("Greater", ["thinner_side", "thinnest"], ["is_there"])
        self._node("Greater", ["top_scores", "faintest"], ["is_not_faint"])
        self._node("And", ["is_there", "is_not_faint"], ["is_clear"])
        self._node("Where", ["is_clear", "top_scores", "nothing"], ["clear_scores"])

    def _without_doubles(self, overlap: float, candidates: int) -> str:
        """Scores with 0 for what overlaps a higher one of its class by more than allowed."""
        self._constants(
            class_count=np.array([self.classes], np.int64),
            off_on=np.array([0, 1], np.float32),
            middle_axis=np.array([1], np.int64),
            most=np.array([candidates], np.int64),
            overlap=np.float32(overlap),
            picture_and_place=np.array([0, 2], np.int64),
            first=np.array([0], np.int64),
            second=np.array([1], np.int64),
        )
        self._node("OneHot", ["top_labels", "class_count", "off_on"], ["by_place"], axis=-1)
        self._node("Transpose", ["by_place"], ["by_class"], perm=[0, 2, 1])
        self._node("Unsqueeze", ["clear_scores", "middle_axis"], ["score_rows"])
        self._node("Mul", ["by_class", "score_rows"], ["class_scores"])
        given = ["top_boxes", "class_scores", "most", "overlap", "faintest"]
        self._node("NonMaxSuppression", given, ["selected"])
        self._node("Gather", ["selected", "picture_and_place"], ["selected_at"], axis=1)
        self._node("Shape", ["selected_at"], ["selected_shape"])
        self._node("Slice", ["selected_shape", "first", "second"], ["selected_count"])
        one = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
        self._node("ConstantOfShape", ["selected_count"], ["ones"], value=one)
        self._node("Mul", ["clear_scores", "nothing"], ["no_scores"])
        self._node("ScatterND", ["no_scores", "selected_at", "ones"], ["is_selected"])
        self._node("Mul", ["clear_scores", "is_selected"], ["kept_scores"])
        return "kept_scores"

    def _best(self, scores: str, count: int, *, short: int) -> None:
        self._constants(answers=np.array([count], np.int64))
        self._node("TopK", [scores, "answers"], ["best_scores", "best_at"], axis=1)
        self._node("Unsqueeze", ["best_at", "last_axis"], ["best_column"])
        self._node("GatherND", ["top_boxes", "best_column"], ["best_boxes"], batch_dims=1)
        self._node("GatherElements", ["top_labels", "best_at"], ["best_labels"], axis=1)
        self._constants(missing=np.array([0, 0, 0, short], np.int64))
        self._constants(missing_boxes=np.array([0, 0, 0, 0, short, 0], np.int64))
        self._node("Pad", ["best_scores", "missing"], ["scores"])
        self._node("Pad", ["best_labels", "missing"], ["labels"])
        self._node("Pad", ["best_boxes", "missing_boxes"], ["boxes"])

    def _attributes(self, selection: Selection, short: int) -> None:
        """Probabilities of the values of each attribute, of the answers' places."""
        factors = selection.sharpness or (1.0,) * len(self.values)
        self._constants(
            attribute_sharpness=np.repeat(np.array(factors, np.float32), self.values),
            attribute_values=np.array(self.values, np.int64),
            missing_attributes=np.array([0, 0, 0, 0, short, 0], np.int64),
        )
        self._node("GatherElements", ["top_places", "best_at"], ["told_places"], axis=1)
        self._node("Unsqueeze", ["told_places", "last_axis"], ["told_place_column"])
        self._node("GatherND", [_SAID, "told_place_column"], ["told_logits"], batch_dims=1)
        self._node("Mul", ["told_logits", _SHARPNESS], ["sharp_logits"])
        parts = [f"attribute_{place}" for place in range(len(self.values))]
        self._node("Split", ["sharp_logits", "attribute_values"], parts, axis=2)
        for part in parts:
            self._node("Softmax", [part], [f"{part}_shares"], axis=2)
        self._node("Concat", [f"{part}_shares" for part in parts], ["told_shares"], axis=2)
        self._node("Pad", ["told_shares", "missing_attributes"], [ATTRIBUTES])

    def _masks(self, short: int) -> tuple[int, int] | None:
        """Masks of the answers; their height and width, or None where there are none."""
        of_masks = [output for output in self.model.graph.output if output.name in (_BASIS, _DRAWN)]
        if not of_masks:
            return None
        _, depth, height, width = (side.dim_value for side in of_masks[0].type.tensor_type.shape.dim)
        self._node("GatherElements", ["top_places", "best_at"], ["best_places"], axis=1)
        self._node("Unsqueeze", ["best_places", "last_axis"], ["best_place_column"])
        if of_masks[0].name == _BASIS:
            self._combined((depth, height * width), short)
        else:
            self._chosen(height * width, short)
        self._constants(
            mask_shape=np.array([0, 0, height, width], np.int64),
            mask_steps=np.float32(STEPS),
            mask_inside=np.float32(INSIDE),
            mask_most=np.float32(255),
        )
        self._node("Mul", ["mask_logits", "mask_steps"], ["mask_scaled"])
        self._node("Add", ["mask_scaled", "mask_inside"], ["mask_values"])
        self._node("Round", ["mask_values"], ["mask_whole"])
        self._node("Clip", ["mask_whole", "nothing", "mask_most"], ["mask_clipped"])
        self._node("Cast", ["mask_clipped"], ["mask_bytes"], to=TensorProto.UINT8)
        self._node("Reshape", ["mask_bytes", "mask_shape"], [MASKS])
        return height, width

    def _combined(self, flat: tuple[int, int], short: int) -> None:
        """Logits of masks, (N, K, h · w), from the kernels of the answers' places and the basis."""
        self._constants(
            flat_basis=np.array([0, *flat], np.int64),
            missing_kernels=np.array([0, 0, 0, 0, short, 0], np.int64),
        )
        self._node("GatherND", [_KERNELS, "best_place_column"], ["best_kernels"], batch_dims=1)
        self._node("Pad", ["best_kernels", "missing_kernels"], ["kernels"])
        self._node("Reshape", [_BASIS, "flat_basis"], ["basis_rows"])
        self._node("MatMul", ["kernels", "basis_rows"], ["mask_logits"])

    def _chosen(self, pixels: int, short: int) -> None:
        """Logits of masks, (N, K, h · w), of those that are drawn for all boxes."""
        self._constants(
            flat_masks=np.array([0, 0, pixels], np.int64),
            missing_masks=np.array([0, 0, 0, 0, short, 0], np.int64),
            outside=np.float32(-INSIDE / STEPS),
        )
        self._node("Reshape", [_DRAWN, "flat_masks"], ["mask_rows"])
        self._node("GatherND", ["mask_rows", "best_place_column"], ["best_masks"], batch_dims=1)
        self._node("Pad", ["best_masks", "missing_masks", "outside"], ["mask_logits"])

    def _outputs(self, objects: int, masks: tuple[int, int] | None) -> None:
        graph = self.model.graph
        batch = graph.output[0].type.tensor_type.shape.dim[0].dim_param
        regions = [output for output in graph.output if output.name == REGIONS]
        outputs: list[tuple[str, int, list[Any]]] = [
            ("boxes", TensorProto.FLOAT, [batch, objects, 4]),
            ("scores", TensorProto.FLOAT, [batch, objects]),
            ("labels", TensorProto.INT64, [batch, objects]),
        ]
        if self.values:
            outputs.append((ATTRIBUTES, TensorProto.FLOAT, [batch, objects, sum(self.values)]))
        if masks is not None:
            outputs.append((MASKS, TensorProto.UINT8, [batch, objects, *masks]))
        kept = [helper.make_tensor_value_info(*output) for output in outputs]
        kept += [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in regions]
        del graph.output[:]
        graph.output.extend(kept)

    def _node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.model.graph.node.append(
            helper.make_node(kind, inputs, outputs, name=f"objects_{outputs[0]}", **attributes)
        )

    def _constants(self, **values: Any) -> None:
        for name, value in values.items():
            self.model.graph.initializer.append(_constant(name, value))


def _constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)
