"""models.image_text.transformer: order counts, what follows the end does not, a text stands for itself."""

import pytest
import torch

from foveal.data.texts.tokenizer import WordTokenizer, token_table
from foveal.models.image_text.dual_encoder import DualEncoder, PromptedClassifier, image_encoder
from foveal.models.image_text.transformer import PatchTransformer, TextTransformer

WORDS = WordTokenizer.learned(["red left of blue"] * 2, most=9)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return TextTransformer(
        vocabulary=WORDS.size, length=16, width=32, layers=2, heads=2, dimensions=8, end=WORDS.end
    ).eval()


def asked(encoder, *texts):
    with torch.no_grad():
        return encoder(torch.from_numpy(token_table(WORDS, texts, length=16)))


def test_the_same_words_in_another_order_are_another_text(encoder):
    one, other = asked(encoder, "red left of blue", "blue left of red")

    assert (one - other).abs().max() > 1e-3


def test_what_stands_behind_the_end_changes_nothing(encoder):
    tokens = torch.from_numpy(token_table(WORDS, ["red left of blue"], length=16))
    noise = tokens.clone()
    end = int((tokens[0] == WORDS.end).nonzero()[0])
    noise[0, end + 1 :] = torch.randint(3, WORDS.size, (16 - end - 1,))
    noise[0, -1] = WORDS.end  # a second end is no end

    with torch.no_grad():
        torch.testing.assert_close(encoder(noise), encoder(tokens), atol=1e-6, rtol=1e-5)


def test_a_text_does_not_depend_on_those_beside_it(encoder):
    alone = asked(encoder, "red")

    together = asked(encoder, "red", "blue left of red of blue")[:1]

    torch.testing.assert_close(alone, together, atol=1e-6, rtol=1e-5)


def test_a_word_is_seen_only_by_those_after_it(encoder):
    first = encoder.blocks[0]
    places = torch.randn(1, 6, 32)
    changed = places.clone()
    changed[0, 4] += 1

    with torch.no_grad():
        difference = (first(places) - first(changed)).abs().amax(dim=(0, 2))

    assert (difference[:4] == 0).all()
    assert (difference[4:] > 0).all()


def test_patches_see_each_other_in_both_directions():
    torch.manual_seed(0)
    network = PatchTransformer(size=8, patch=4, channels=3, width=16, layers=1, heads=2, dimensions=4).eval()
    images = torch.randn(2, 3, 8, 8)

    assert network(images).shape == (2, 4)
    for row, column in ((0, 0), (7, 7)):
        changed = images.clone()
        changed[:, :, row, column] += 1
        assert (network(images) - network(changed)).abs().max() > 1e-6


def test_the_classifier_of_prompts_gives_the_scaled_cosines():
    torch.manual_seed(0)
    image = image_encoder("nano", {"channels": 3, "classes": 8, "size": 16, "widths": [8, 8, 8]}).eval()
    text = TextTransformer(vocabulary=300, length=4, width=32, layers=1, heads=1, dimensions=8, end=2)
    network = DualEncoder(image, text).eval()
    classes = torch.nn.functional.normalize(torch.randn(5, 8), dim=1)
    images = torch.randn(3, 3, 16, 16)

    with torch.no_grad():
        logits = PromptedClassifier(image, classes, 20.0)(images)

    torch.testing.assert_close(logits, 20 * network.images(images) @ classes.T)
