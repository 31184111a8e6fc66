"""What a model that learns by gradient is trained on: its loss, the negatives, and how much of the graph a step sees.

The losses are in `retrieve.losses`, the batches in `retrieve.batches`; both need torch, these settings do not.
"""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from paretail.core.config import Config

LossName = Literal["bpr", "softmax", "bce", "alignment", "margin"]


class LossConfig(Config):
    """Which loss, and its numbers; a loss reads those that are its own."""

    loss: LossName = Field("softmax", description="What training minimises (docs/losses.md).")
    temperature: float = Field(
        1.0, gt=0, description="What `softmax` divides scores by: about .1 for cosines, 1 for scores without bounds."
    )
    correction: bool = Field(
        True, description="Whether `softmax` takes the log of how often a negative is drawn from its score (logQ)."
    )
    uniformity: float = Field(1.0, ge=0, description="Weight of the uniformity of vectors in `alignment`.")
    margin: float = Field(0.8, description="Cosine from which on `margin` pushes a negative away.")
    negative_weight: float = Field(150.0, gt=0, description="Weight of the mean negative in `margin`.")
    contrast: float = Field(0.0, ge=0, description="Weight of the contrast between two augmented views of the graph.")
    contrast_temperature: float = Field(0.2, gt=0, description="What the contrast divides cosines by.")
    augmentation: Literal["edges", "noise"] = Field(
        "edges", description="How the two views differ: edges left out (SGL), or noise in each layer (SimGCL)."
    )
    augmentation_size: float = Field(
        0.1, gt=0, lt=1, description="The share of edges left out of a view, or the length of the noise."
    )

    @field_validator("margin")
    @classmethod
    def _is_reached(cls, margin: float, info: ValidationInfo) -> float:
        if info.data.get("loss") == "margin" and margin >= 1:
            raise ValueError("under 1 with loss = 'margin': no cosine is greater, so that no negative would count")
        return margin


class NegativesConfig(Config):
    """The negatives of a batch."""

    negatives: int = Field(64, ge=1, description="Negatives of each example; `batch` takes what the batch has.")
    negatives_from: Literal["uniform", "popular", "batch", "hard"] = Field(
        "uniform",
        description="Items that the user does not have: all alike, by popularity, the positives of the batch's other "
        "examples, or those of a uniform `pool` that the model scores highest.",
    )
    popularity_power: float = Field(
        0.75, ge=0, le=1, description="The power of an item's events by which `popular` draws it."
    )
    pool: int = Field(
        256, ge=1, validate_default=True, description="Items from which `hard` chooses the negatives of an example."
    )
    shared: bool = Field(
        False,
        description="Whether one draw of `uniform` or `popular` serves all examples of a batch, each without what its "
        "user has: thousands of negatives for the price of a product of matrices.",
    )

    @field_validator("pool")
    @classmethod
    def _leaves_a_choice(cls, pool: int, info: ValidationInfo) -> int:
        if info.data.get("negatives_from") == "hard" and pool <= info.data.get("negatives", 0):
            raise ValueError(f"more than the {info.data['negatives']} negatives that are chosen of it")
        return pool

    @field_validator("shared")
    @classmethod
    def _can_be_shared(cls, shared: bool, info: ValidationInfo) -> bool:
        if shared and info.data.get("negatives_from") in ("batch", "hard"):
            raise ValueError("false where negatives_from is 'batch' (they are shared as they are) or 'hard'")
        return shared


class SamplingConfig(Config):
    """How much of the graph a step sees."""

    sampling: Literal["auto", "none", "neighbours"] = Field(
        "auto",
        description="`none`: each step sees the whole graph; `neighbours`: a sample around its batch, in memory that "
        "follows the batch; `auto`: the whole graph where a step of it fits in 2 GiB.",
    )
    fan_out: int = Field(
        10, ge=-1, description="Neighbours that a sample draws of each node, along each kind of edge; -1: all of them."
    )

    @field_validator("fan_out")
    @classmethod
    def _draws_some(cls, fan_out: int, info: ValidationInfo) -> int:
        if fan_out == 0:
            raise ValueError("1 or more, or -1 for all neighbours (depth = 0 has none)")
        if info.data.get("sampling") == "none" and fan_out != cls.usual(info.field_name):
            raise ValueError("none given, or sampling = 'auto' or 'neighbours': with 'none' nothing is drawn")
        return fan_out
