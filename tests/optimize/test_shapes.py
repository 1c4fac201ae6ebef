"""optimize.shapes: what a layer says of itself is what torch computes; the network is left as it was."""

import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from foveal.core.errors import DataError, UsageError
from foveal.models.mobilenet_v2 import mobilenet_v2
from foveal.models.nano import nano
from foveal.models.resnet import resnet
from foveal.optimize import shapes as module
from foveal.optimize.shapes import Shape, shapes


@pytest.mark.parametrize("builder", [nano, mobilenet_v2, partial(resnet, depth=18)])
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 64)])
def test_the_multiply_adds_are_those_that_torch_counts(builder, channels, size) -> None:
    network = builder(channels=channels, classes=7, size=size)
    found = shapes(network, channels=channels, size=size)

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, channels, size, size))
    assert 2 * sum(shape.macs for shape in found) == counter.get_total_flops()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(found) == len(layers)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@given(st.data())
def test_the_output_map_is_torchs(data) -> None:
    groups, draw = data.draw(st.integers(1, 3)), data.draw
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = draw(st.one_of(pair, st.sampled_from(["same", "valid"])))
    stride = (1, 1) if padding == "same" else draw(pair)
    layer = nn.Conv2d(
        2 * groups, 3 * groups, draw(pair), stride=stride, padding=padding, dilation=draw(pair), groups=groups
    )

    [shape] = shapes(layer, channels=2 * groups, size=9)
    output = layer(torch.zeros(1, 2 * groups, 9, 9))

    assert (shape.outputs, *shape.map) == output.shape[1:]
    assert module.from_json(json.loads(json.dumps(shape.as_json()))) == shape


def test_layers_come_in_the_order_of_execution_and_as_often_as_they_run() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(4, 2), nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, images):
            return self.last(self.first(self.first(images)).mean(dim=(2, 3)))

    found = shapes(Twice(), channels=4, size=8)

    assert [shape.kind for shape in found] == ["convolution", "convolution", "linear"]
    assert found[0] == found[1]


def test_a_linear_layer_over_tokens_has_a_row_for_each() -> None:
    network = nn.Sequential(nn.Flatten(2), nn.Linear(16, 5))

    [shape] = shapes(network, channels=3, size=4)

    assert (shape.height, shape.macs) == (3, 3 * 16 * 5)


def test_a_layer_that_is_called_as_a_function_is_seen() -> None:
    class Padded(nn.Conv2d):
        def forward(self, images):
            return F.conv2d(F.pad(images, (0, 1, 0, 1)), self.weight, self.bias, stride=2)

    [shape] = shapes(Padded(3, 4, 3), channels=3, size=8)

    assert (shape.height, shape.padding, shape.map) == (9, (0, 0, 0, 0), (4, 4))


@pytest.mark.parametrize("reader", [nn.GRU, nn.LSTM])
def test_a_recurrent_layer_reads_all_steps_at_once_and_remembers_one_by_one(reader) -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reader = reader(7, 5, batch_first=True)

        def forward(self, images):
            return self.reader(images.flatten(0, 1))[0]

    network = Rows()
    gates = len(network.reader.weight_hh_l0)

    reading, *remembering = shapes(network, channels=1, size=7)

    assert reading == Shape("linear", 7, gates, height=7)
    assert remembering == [Shape("linear", 5, gates)] * 7


def test_the_steps_of_one_picture_count_each() -> None:
    class Repeated(nn.Conv2d):
        def forward(self, images):
            return super().forward(images.expand(4, *images.shape[1:]))

    assert len(shapes(Repeated(3, 2, 3), channels=3, size=8)) == 4


def test_the_projections_inside_torchs_attention_are_seen_and_its_products_are_not() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, batch_first=True)

        def forward(self, images):
            return self.layer(images.flatten(2).mT)

    found = shapes(Tokens(), channels=4, size=3)

    assert [(shape.inputs, shape.outputs) for shape in found] == [(4, 12), (4, 4), (4, 6), (6, 4)]
    assert {shape.height for shape in found} == {9}
    assert torch.backends.mha.get_fastpath_enabled()


def test_what_no_table_has_an_entry_for_is_left_out() -> None:
    network = nn.Sequential(nn.ConvTranspose2d(3, 2, 2), nn.Flatten(2), nn.Conv1d(2, 2, 3))

    assert shapes(network, channels=3, size=4) == ()


def test_the_network_is_left_as_it_was() -> None:
    network = nano(channels=3, classes=4, size=32).train()
    network.stem.eval()
    before = {name: values.clone() for name, values in network.state_dict().items()}

    shapes(network, channels=3, size=32)

    assert network.training
    assert not network.stem.training
    assert not any(layer._forward_hooks for layer in network.modules())
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


@pytest.mark.parametrize(
    "change",
    [{"kind": "other"}, {"inputs": "x"}, {"kernel": [3]}, {"groups": 2}, {"stride": [0, 1]}, {"new": 1}],
)
def test_what_is_no_shape_is_refused(change) -> None:
    with pytest.raises(DataError, match="shape of no layer"):
        module.from_json({**Shape("convolution", 3, 8, height=8, width=8).as_json(), **change})


def test_a_kernel_larger_than_the_map_is_refused() -> None:
    with pytest.raises(UsageError, match="larger than the map"):
        Shape("convolution", 3, 8, kernel=(3, 3), height=2, width=8)
