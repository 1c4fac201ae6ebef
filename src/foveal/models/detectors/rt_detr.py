"""RT-DETR of Hugging Face transformers: the best places of three maps become queries of a transformer.

    (N, C, H, W) → backbone → hybrid encoder → Q best places → decoder
                 → class logits (N, Q, K), boxes (N, Q, 4)

Made of transformers' modules, with the names of their weights; how they follow each other is written here, as
the forward there takes the number of pictures for fixed when it is exported. A test compares the two. Source:
Zhao et al., "DETRs beat YOLOs on real-time object detection", 2023.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from foveal.core.errors import UsageError
from foveal.models import Card, Settings, _transformers

CARD = Card(
    family="rt_detr",
    kind="network",
    source="Zhao et al. 2023, arXiv:2304.08069; Hugging Face transformers",
    summary="the transformer of many published weights: to start from a folder of those",
    idea="The best places of three maps become queries, which look at each other and at the maps until each "
    "object is meant by one of them; its weights come in folders as Hugging Face writes them.",
    smallest_size=32,
    task="detect",
)
LEARNS = "own_queries"
LOOKS = "queries"
# As the weights were learned; what is new among them learns along.
SETTINGS = Settings(optimizer="adam", learning_rate=1e-4, weight_decay=1e-4, batch_size=16, warm_up_share=0.1)
READS = _transformers.read
_QUERIES = 300  # transformers' own number


class _Seen(NamedTuple):
    """What the encoder makes of pictures: tokens of all places (N, P, D), and the sides of each map."""

    tokens: Tensor
    shapes: tuple[tuple[int, int], ...]


class _Asked(NamedTuple):
    """What queries answer: boxes are middle and sides as shares of the picture.

    Attributes:
        boxes, logits: After each of L layers, (N, L, Q, 4) and (N, L, Q, K).
        first_boxes, first_logits: Of the places that queries begin with, (N, Q, 4) and (N, Q, K).
    """

    boxes: Tensor
    logits: Tensor
    first_boxes: Tensor
    first_logits: Tensor


class RtDetr(nn.Module):
    """See the module; built by `rt_detr`.

    Attributes:
        detector: Transformers'.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    @property
    def backbone(self) -> nn.Module:
        """What makes the maps."""
        backbone: nn.Module = self.detector.model.backbone
        return backbone

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The layers that answer, of each layer of the decoder and of the places that queries begin with."""
        model = self.detector.model
        boxes = [*model.decoder.bbox_embed, model.enc_bbox_head]
        return *model.decoder.class_embed, model.enc_score_head, *(one.layers[-1] for one in boxes)

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over weights by the names that transformers gives them.

        What says of which class something is stays new where there were other classes in number.

        Raises:
            ValueError: Any other layer has none, or its shape is another one.
        """
        _transformers.take(self.detector, tensors)

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, Q, 4), and class logits (N, Q, K), of all queries."""
        height, width = images.shape[2:]
        answers = self._asked(self._seen(images))
        boxes = box_convert(answers.boxes[:, -1], "cxcywh", "xyxy")
        return boxes * torch.tensor([width, height] * 2, dtype=boxes.dtype), answers.logits[:, -1]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the same."""
        return self.candidates(images)

    def loss(self, images: Tensor, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """Return the loss of transformers for this network, of all layers and of queries made from the truth.

        Args:
            images: Normalized (N, C, H, W).
            boxes: In pixels, (M, 4) of each picture.
            labels: int64 (M,) of each.
        """
        config, model = self.detector.config, self.detector.model
        theirs = import_module(type(model).__module__)
        height, width = images.shape[2:]
        picture = torch.tensor([width, height] * 2, dtype=torch.float32)
        truth = [
            {"class_labels": names, "boxes": box_convert(some, "xyxy", "cxcywh") / picture}
            for some, names in zip(boxes, labels, strict=True)
        ]
        seen = self._seen(images)
        with torch.autocast("cpu", enabled=False):  # logarithms of distances to the frame need all digits
            *given, meta = (None, None, None, None)
            if config.num_denoising:
                *given, meta = theirs.get_contrastive_denoising_training_group(
                    targets=truth,
                    num_classes=config.num_labels,
                    num_queries=self._queries(seen),
                    class_embed=model.denoising_class_embed,
                    num_denoising_queries=config.num_denoising,
                    label_noise_ratio=config.label_noise_ratio,
                    box_noise_scale=config.box_noise_scale,
                )
            answers = self._asked(_Seen(seen.tokens.float(), seen.shapes), *given)
            if not answers.boxes.isfinite().all():  # transformers raises; here training ends by the loss
                return answers.boxes.sum()
            loss: Tensor
            loss, *_ = self.detector.loss_function(
                answers.logits[:, -1],
                truth,
                images.device,
                answers.boxes[:, -1],
                config,
                answers.logits,
                answers.boxes,
                enc_topk_logits=answers.first_logits,
                enc_topk_bboxes=answers.first_boxes,
                denoising_meta_values=meta,
            )
        return loss

    def _queries(self, seen: _Seen) -> int:
        """Return how many queries there are: of a small picture no more than places."""
        return min(int(self.detector.config.num_queries), seen.tokens.shape[1])

    def _seen(self, images: Tensor) -> _Seen:
        model = self.detector.model
        maps = model.backbone.model(images).feature_maps
        projected = [project(one) for project, one in zip(model.encoder_input_proj, maps, strict=True)]
        encoded = model.encoder(projected).last_hidden_state
        # What has more levels than maps makes the others of the coarsest.
        more = [encoded[-1]] * (len(model.decoder_input_proj) - len(encoded))
        levels = [
            project(one) for project, one in zip(model.decoder_input_proj, [*encoded, *more], strict=True)
        ]
        tokens = torch.cat([one.flatten(2).transpose(1, 2) for one in levels], dim=1)
        return _Seen(tokens, tuple((one.shape[2], one.shape[3]) for one in levels))

    def _asked(
        self,
        seen: _Seen,
        classes: Tensor | None = None,
        boxes: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> _Asked:
        """Return what queries answer.

        Args:
            seen: What they look at.
            classes: Queries made from the truth, (N, T, D), before all others; None: there are none.
            boxes: Theirs, as logits (N, T, 4).
            mask: Which query must not look at which.
        """
        model, tokens = self.detector.model, seen.tokens
        anchors, valid = model.generate_anchors(seen.shapes, device=tokens.device, dtype=tokens.dtype)
        known = model.enc_output(valid.to(tokens.dtype) * tokens)
        logits, places = model.enc_score_head(known), model.enc_bbox_head(known) + anchors
        best = logits.amax(2).topk(self._queries(seen), dim=1).indices[..., None]
        starts = places.gather(1, best.expand(-1, -1, 4))
        queries = known.gather(1, best.expand(-1, -1, known.shape[2])).detach()
        whole = starts if boxes is None else torch.cat([boxes, starts], dim=1)
        decoded = model.decoder(
            inputs_embeds=queries if classes is None else torch.cat([classes, queries], dim=1),
            encoder_hidden_states=tokens,
            encoder_attention_mask=mask,
            reference_points=whole.detach(),
            spatial_shapes=torch.tensor(seen.shapes),
            spatial_shapes_list=list(seen.shapes),
        )
        return _Asked(
            decoded.intermediate_reference_points,
            decoded.intermediate_logits,
            starts.sigmoid(),
            logits.gather(1, best.expand(-1, -1, logits.shape[2])),
        )


def rt_detr(
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    config: Mapping[str, Any] | None = None,
    queries: int | None = None,
) -> RtDetr:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of 32.
        config: What transformers' `RTDetrConfig` takes, as plain JSON, without what the data decide.
        queries: How many places become queries, at least; None: as many as the configuration says. They are
            places and nothing of them is learned, so weights fit any number.

    Raises:
        UsageError: `no_weights`: no configuration is given; it comes with the weights.
        MissingExtraError: transformers is not installed.
        DataError: `bad_weights`: nothing can be built with it.
    """
    if config is None:
        raise UsageError(
            "what rt-detr is made of, its weights say", code="no_weights", hint="give a folder with --weights"
        )
    if queries is not None:
        config = {**config, "num_queries": max(queries, config.get("num_queries", _QUERIES))}
    return RtDetr(_transformers.detector(config, channels=channels, classes=classes))
