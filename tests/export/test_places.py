"""Features of a map inside a network, in a grid: the map that is meant, where things are, and the mirror."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from foveal import models
from foveal.bundle.embedder import Embedder
from foveal.data.preprocess import Preprocess
from foveal.export.embedding import embedder
from foveal.export.places import MOST_DIMENSIONS, on_places
from foveal.models._head import head_of, without_head
from foveal.tasks.classify.learn import normalize

SIZE = 80


def network_of(name: str, *, size: int = SIZE) -> torch.nn.Module:
    torch.manual_seed(0)
    return models.architecture(name).build(channels=3, classes=4, size=size).eval()


def plain(network: torch.nn.Module, name: str) -> Embedder:
    return embedder(without_head(network), PICTURES, dimensions=head_of(network)[1].in_features, source=name)


PICTURES = Preprocess(size=SIZE, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))
IMAGES = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def lite():
    network = network_of("efficientnet_lite0", size=144)  # smaller ones are halved once less
    made = on_places(plain(network, "lite"))
    assert made is not None
    return network, made


def test_it_is_the_last_narrow_map_of_stride_16_averaged_over_cells_and_the_mirror(lite) -> None:
    """The oracle is the torch network, watched where the next stage begins, before that widens the map."""
    network, made = lite
    seen: list[torch.Tensor] = []
    network.blocks[4].register_forward_hook(lambda _, __, out: seen.append(out))

    with torch.no_grad():
        for images in (IMAGES, IMAGES[:, :, ::-1].copy()):
            network(normalize(torch.from_numpy(images), PICTURES))

    cells = [functional.adaptive_avg_pool2d(one, 4).flatten(1).numpy() for one in seen]
    assert seen[0].shape[1:] == (112, 5, 5)
    assert made.dimensions == 112 * 16
    np.testing.assert_allclose(made.features(IMAGES), (cells[0] + cells[1]) / 2, rtol=1e-3, atol=1e-4)


def test_a_quantized_graph_is_seen_where_it_has_real_numbers(lite) -> None:
    """Quantized graphs begin with integers that all depends on; one such node is put in front."""
    network, made = lite
    model = onnx.load_from_string(plain(network, "lite").graph)
    for node in model.graph.node:
        node.input[:] = ["turned" if name == "images" else name for name in node.input]
    model.graph.node.insert(0, onnx.helper.make_node("Identity", ["images"], ["turned"]))
    before = plain(network, "lite")
    other = on_places(replace(before, graph=model.SerializeToString()))
    assert other is not None
    np.testing.assert_array_equal(other.features(IMAGES[:2]), made.features(IMAGES[:2]))


def test_a_picture_and_its_mirror_image_are_the_same_and_one_upside_down_is_not(lite) -> None:
    made = lite[1]
    as_it_is, mirrored, turned = (
        made.features(np.ascontiguousarray(images))
        for images in (IMAGES, IMAGES[:, :, ::-1], IMAGES[:, ::-1])
    )

    np.testing.assert_allclose(mirrored, as_it_is, rtol=1e-5, atol=1e-5)
    assert np.abs(turned - as_it_is).max() > 0.01 * np.abs(as_it_is).max()


def test_pictures_do_not_mix(lite) -> None:
    """Each picture meets its own mirror image again, whatever else is in the batch."""
    made = lite[1]
    together = made.features(IMAGES)

    for row in range(len(IMAGES)):
        np.testing.assert_allclose(
            made.features(IMAGES[row : row + 1])[0], together[row], rtol=1e-4, atol=1e-4
        )


def test_a_part_of_the_picture_changes_its_own_cell_most() -> None:
    """In a shallow network, whose numbers see little around them."""
    made = on_places(plain(network_of("conv4"), "conv4"))
    assert made is not None
    changed = IMAGES.copy()
    changed[:, :20] = 255 - changed[:, :20]  # the top, of both mirror images

    moved = np.abs(made.features(changed) - made.features(IMAGES)).reshape(len(IMAGES), 64, 4, 4)

    rows = moved.mean(axis=(0, 1, 3))
    assert rows[0] > 2 * rows[3]


def test_nothing_of_a_picture_is_cut_off(lite) -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    marked = picture.copy()
    marked[:, :20] = 255  # outside the square in the middle

    assert (lite[1].preprocess(marked) != lite[1].preprocess(picture)).any()
    assert (PICTURES(marked) == PICTURES(picture)).all()


@pytest.mark.parametrize("name", ["nano", "vgg11_bn", "mobilenet_v3_small", "shufflenet_v2"])
def test_wide_maps_get_fewer_cells(name) -> None:
    made = on_places(plain(network_of(name), name))

    assert made is not None
    assert made.dimensions <= MOST_DIMENSIONS
    assert made.features(IMAGES).shape == (len(IMAGES), made.dimensions)
    onnx.checker.check_model(onnx.load_from_string(made.graph), full_check=True)


@pytest.mark.parametrize("name", ["vit_tiny", "row_gru", "resnet20"])
def test_a_network_without_such_a_map_has_none(name) -> None:
    assert on_places(plain(network_of(name), name)) is None
