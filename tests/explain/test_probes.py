"""explain.probes, features and layers: what each depth knows, and no more."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torchvision.models import resnet18

from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.explain.feature_maps import feature_maps
from foveal.explain.features import MOST_FEATURES, features, last_features, pooled
from foveal.explain.layers import depths, last_spatial, layers
from foveal.explain.probes import Labelled, linear_answers, probes
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer


def blobs(n, *, spread=1.0, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(9).normal(scale=4, size=(classes, 10))
    return (centres[labels] + rng.normal(scale=spread, size=(n, 10))).astype(np.float32), labels


def test_separable_features_are_read_off_completely():
    (known, labels), (asked, truth) = blobs(300), blobs(300, seed=1)

    assert (linear_answers(known, labels, asked, classes=3) == truth).mean() > 0.99


def test_shuffled_labels_give_no_more_than_chance():
    (known, labels), (asked, truth) = blobs(1200, classes=20), blobs(1000, seed=1, classes=20)
    assert (linear_answers(known, labels, asked, classes=20) == truth).mean() > 0.99
    labels = np.random.default_rng(2).permutation(labels)

    answers = linear_answers(known, labels, asked, classes=20)

    # Whole blobs are answered alike, so chance is uneven: of 20, one or two may be hit.
    assert (answers == truth).mean() < 0.2


def test_noise_gives_chance():
    rng = np.random.default_rng(0)
    known, asked = (rng.normal(size=(900, 6)).astype(np.float32) for _ in range(2))
    labels, truth = (rng.integers(0, 3, 900) for _ in range(2))

    found = clopper_pearson(int((linear_answers(known, labels, asked, classes=3) == truth).sum()), 900)

    assert found.low < 1 / 3 < found.high


def test_the_classifier_is_that_of_scikit_learn_with_the_same_decay():
    (known, labels), (asked, _) = blobs(200, spread=6), blobs(400, spread=6, seed=1)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    other = LogisticRegression(C=1 / (0.01 * len(known)), tol=1e-8, max_iter=1000)

    expected = other.fit((known - mean) / deviation, labels).predict((asked - mean) / deviation)

    assert (linear_answers(known, labels, asked, classes=3) == expected).mean() > 0.99


def test_a_feature_that_never_changes_does_no_harm_and_order_does_not_matter():
    (known, labels), (asked, truth) = blobs(90), blobs(90, seed=1)
    level = [np.concatenate([part, np.full((90, 1), 3.0, np.float32)], axis=1) for part in (known, asked)]

    answers = linear_answers(level[0], labels, level[1], classes=3)

    assert (answers == truth).mean() > 0.99
    turned = np.random.default_rng(0).permutation(90)
    assert (linear_answers(level[0][turned], labels[turned], level[1], classes=3) == answers).mean() > 0.98


def test_depths_of_nano_are_its_stages_with_their_activation(nano):
    found = depths(nano)

    assert [one.title for one in found] == ["whiten", "stages.0", "stages.1", "stages.2"]
    assert found[0].name == "stem.0"
    assert found[-1].shape == (8, 3, 3)
    assert last_spatial(nano).shape == (8, 3, 3)


def test_depths_of_a_residual_network_are_its_blocks():
    preprocess = Preprocess(size=64, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    recognizer = Recognizer(resnet18(num_classes=4).eval(), "resnet18", {}, preprocess, tuple("abcd"))

    found = depths(recognizer)

    assert [one.title for one in found] == [
        "conv1",
        *(f"layer{k}.{block}" for k in range(1, 5) for block in range(2)),
    ]
    assert found[0].shape == (64, 32, 32)
    assert last_spatial(recognizer).name == "layer4"


def test_a_transformer_has_depths_too(transformer):
    assert {one.title for one in depths(transformer)} >= {"conv_proj", "encoder"}
    assert all(one.name for one in layers(transformer))


def test_all_depths_get_about_as_many_numbers(nano, noise):
    images = np.stack([noise(seed) for seed in range(3)])

    found = features(nano, images, depths(nano))

    assert all(MOST_FEATURES / 20 < rows.shape[1] <= MOST_FEATURES for rows in found.values())
    assert all(rows.shape[0] == 3 and rows.dtype == np.float32 for rows in found.values())
    assert found[""].shape[1] == 3 * 18 * 18


def test_pooling_averages_places_and_tokens():
    maps = torch.arange(2 * 2048 * 2 * 2, dtype=torch.float32).view(2, 2048, 2, 2)

    assert torch.equal(pooled(maps), maps.mean(dim=(2, 3)))
    tokens = torch.rand(2, 5, 7)
    assert torch.equal(pooled(tokens), tokens.mean(dim=1))
    assert pooled(tokens[:, 0]).shape == (2, 7)


def test_the_last_features_are_what_the_head_sees(nano, noise):
    images = np.stack([noise(seed) for seed in range(70)])

    found = last_features(nano, images)

    weight, bias = (value.detach().numpy() for value in (nano.network.head.weight, nano.network.head.bias))
    np.testing.assert_allclose((found @ weight.T + bias) / 8, nano.logits(images), atol=1e-5)


def test_probes_say_where_the_classes_can_be_told_apart(by_hand):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = rng.integers(0, 200, (200, 32, 32, 3), dtype=np.uint8)
    images[np.arange(200), :, :, labels] += 40

    fit, test = (Labelled(images[part], labels[part]) for part in (slice(0, 120), slice(120, 200)))
    found = probes(by_hand, fit=fit, test=test)

    assert [(one.layer, one.depth, one.shape) for one in found] == [
        ("pixels", 0, (3, 32, 32)),
        ("pick", 1, (2, 32, 32)),
    ]
    assert found[1].accuracy == clopper_pearson(80, 80)
    assert found[1].as_json()["accuracy"]["n"] == 80
    wrong = Labelled(test.images, np.concatenate([1 - test.labels[:10], test.labels[10:]]))
    assert probes(by_hand, fit=fit, test=wrong)[1].accuracy == clopper_pearson(70, 80)
    with pytest.raises(UsageError, match="probes need pictures"):
        probes(by_hand, fit=fit, test=Labelled(images[:0], labels[:0]))


def test_feature_maps_are_those_of_the_filters_that_answer_most(by_hand, noise):
    image = noise()
    image[..., 1] //= 4

    [found] = feature_maps(by_hand, image, most=5)

    assert found.filters == (0, 1)
    np.testing.assert_allclose(found.maps[0], image[..., 0] / 255, rtol=1e-5)
    assert found.as_json() == {"layer": "pick", "shape": [2, 32, 32], "filters": [0, 1]}


def test_only_the_strongest_filters_are_kept_and_none_is_negative(nano, noise):
    found = feature_maps(nano, noise(), most=3)

    assert [len(one.filters) for one in found] == [3, 3, 3, 3]
    assert all((one.maps >= 0).all() for one in found)
    means = [one.maps.mean(axis=(1, 2)) for one in found]
    assert all((np.diff(m) <= 1e-6).all() for m in means)
