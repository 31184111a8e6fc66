"""The specification of a graph model: one flat list of choices, of which every model named here is a point.

A network has first vectors of nodes (`ids`, `attributes`, `content`), passes messages along the edges of the graph
`depth` times, combines the layers of each node, and scores a user's vector against an item's. Users have no vectors of
their own: a user's first vector is the normalised sum of vectors of the items had, so that all layers of a user follow
from the user's events alone. Architecture search samples this class; networks are in `retrieve.net`, which needs torch.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, ValidationInfo, field_validator

from paretail.retrieve.objective import LossConfig, NegativesConfig, SamplingConfig

MessageName = Literal["none", "lightgcn", "ngcf", "gcn", "sage", "gat", "gatv2", "gin"]
Aggregation = Literal["mean", "max", "attention"]
Combination = Literal["last", "sum", "mean", "concat", "attention", "weighted"]
Normalisation = Literal["none", "layer", "batch"]
Activation = Literal["none", "relu", "leaky_relu", "elu", "gelu", "tanh"]
ScorerName = Literal["dot", "cosine", "hadamard", "mlp"]


class GraphModelSpec(LossConfig, NegativesConfig, SamplingConfig):
    """A point of the space of graph models."""

    model_config = ConfigDict(validate_default=True)

    temperature: float = Field(
        0.15, gt=0, description="What `softmax` divides scores by: about .15 for cosines, 1 for scores without bounds."
    )
    negatives: int = Field(2048, ge=1, description="Negatives of each example; `batch` takes what the batch has.")
    shared: bool = Field(
        True, validate_default=True,
        description="Whether one draw of negatives serves all examples of a batch: thousands of them for the price of "
        "one product of matrices.",
    )  # fmt: skip
    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3."
    )
    half_life_days: float | None = Field(
        None, gt=0, description="Age at which an event counts half; by default age does not matter."
    )
    edges: Literal["events", "all"] = Field(
        "events", description="What messages go along: events, or categories, brands, traits and friends too."
    )
    ids: bool = Field(True, description="Whether each item has a trained vector of its own.")
    attributes: bool = Field(
        False,
        description="Whether vectors of categories, brands and the like enter the first vector of an item, and those "
        "of traits such as the country that of a user.",
    )
    content: bool = Field(
        False, description="Whether titles, other texts and vectors of the catalogue enter the first vector of an item."
    )
    text_encoder: str | None = Field(
        None, min_length=1, validate_default=True,
        description="The folder of a sentence-transformers model on this machine: with `content`, texts have its "
        "vectors beside their words.",
    )  # fmt: skip
    id_dropout: float = Field(
        0.0, ge=0, lt=1,
        description="Share of users and items that a step shows as if they were new, without id and events, so that "
        "attributes and content learn to stand alone.",
    )  # fmt: skip
    profile: Literal["own", "shared"] = Field(
        "own",
        description="Which vectors of the items had make a user's first vector: those of a second table, or the items' "
        "own first vectors.",
    )
    dim: int = Field(64, ge=1, le=1024, description="Length of the vectors.")
    message: MessageName = Field(
        "lightgcn", description="What a node hears from its neighbours; `none` is matrix factorisation."
    )
    aggregation: Aggregation = Field("mean", description="How `sage` adds up what neighbours say.")
    heads: int = Field(1, ge=1, le=8, description="How many attentions `gat` and `gatv2` have side by side.")
    depth: int = Field(2, ge=0, le=4, description="How many times messages are passed.")
    relations: Literal["separate", "shared"] = Field(
        "shared", description="Whether each kind of edge, in each direction, has weights of its own."
    )
    activation: Activation = Field("none", description="The function at the end of each layer.")
    normalisation: Normalisation = Field("none", description="What brings the numbers of a layer to one scale.")
    residual: bool = Field(False, description="Whether a layer adds what it makes to what it was given.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of numbers that each layer forgets in a step.")
    edge_dropout: float = Field(0.0, ge=0, lt=1, description="Share of edges that are left out of each step.")
    combination: Combination = Field("mean", description="How a node's layers become one vector.")
    scorer: ScorerName = Field("cosine", description="How a user's vector and an item's make a score.")
    bias: bool = Field(True, description="Whether each item has a trained bias.")
    bias_start: float = Field(
        0.7, ge=0, le=2, description="What an item's bias starts at, in units of the log of its events."
    )
    bias_lift: float = Field(
        0.0, ge=-2, le=2, validate_default=True,
        description="What lists add to each trained bias, in the same units: above 0 where people will ask for what is "
        "popular more than the events that are trained on tell.",
    )  # fmt: skip
    start: Literal["spectral", "random"] = Field(
        "spectral", description="Where the items' vectors start: at the leading singular vectors of the events, or not."
    )
    start_rounds: int = Field(
        4, ge=0, le=30,
        description="Rounds of subspace iteration of the spectral start; with few, the vectors keep much of what lies "
        "beyond the leading ones.",
    )  # fmt: skip
    lr: float = Field(3e-3, gt=0, description="Learning rate of the first epoch; it falls linearly to 0.")
    weight_decay: float = Field(0.0, ge=0, description="Pull of vectors and weights towards zero; biases are free.")
    epochs: int = Field(8, ge=1, description="Passes over what users had.")
    lr_epochs: int | None = Field(
        None, ge=1,
        description="Passes over which the learning rate falls, where training ends before it is 0; by default, and at "
        "least, `epochs`.",
    )  # fmt: skip
    batch_size: int | None = Field(
        None, ge=1, description="Examples of a step; by default a fortieth of what users had, 256 to 16384."
    )

    @field_validator("depth")
    @classmethod
    def _has_messages(cls, depth: int, info: ValidationInfo) -> int:
        message = info.data.get("message")
        if (depth == 0) != (message == "none"):
            expected = "0 with message = 'none'" if depth else "1 to 4, or message = 'none'"
            raise ValueError(f"{expected} (message is {message!r})")
        return depth

    @field_validator("message")
    @classmethod
    def _goes_along_something(cls, message: str, info: ValidationInfo) -> str:
        if message == "none" and info.data.get("edges") == "all" != cls.usual("edges"):
            raise ValueError("another with edges = 'all': without messages nothing goes along edges")
        return message

    @field_validator("relations")
    @classmethod
    def _have_weights(cls, relations: str, info: ValidationInfo) -> str:
        bare = info.data.get("message") in ("none", "lightgcn")
        if relations == "separate" and bare and relations != cls.usual(info.field_name):
            raise ValueError(f"'shared' with message = {info.data['message']!r}, which has no weights")
        return relations

    @field_validator("activation", "normalisation", "residual", "dropout")
    @classmethod
    def _has_layers(cls, value: Any, info: ValidationInfo) -> Any:
        usual = cls.usual(info.field_name)
        if info.data.get("message") == "none" and value != usual:
            raise ValueError(f"{usual!r} with message = 'none': there are no layers")
        return value

    @field_validator("aggregation")
    @classmethod
    def _belongs_to_sage(cls, aggregation: str, info: ValidationInfo) -> str:
        if aggregation != "mean" and info.data.get("message") != "sage":
            raise ValueError("'mean', or message = 'sage'")
        return aggregation

    @field_validator("heads")
    @classmethod
    def _share_the_vector(cls, heads: int, info: ValidationInfo) -> int:
        if heads > 1 and info.data.get("message") not in ("gat", "gatv2"):
            raise ValueError("1, or message = 'gat' or 'gatv2'")
        if info.data.get("dim", heads) % heads:
            raise ValueError(f"a divisor of dim = {info.data['dim']}")
        return heads

    @field_validator("content")
    @classmethod
    def _items_have_a_vector(cls, content: bool, info: ValidationInfo) -> bool:
        if not (content or info.data.get("attributes") or info.data.get("ids", True)):
            raise ValueError("true, or attributes = true, where ids = false: else nothing tells items apart")
        return content

    @field_validator("text_encoder")
    @classmethod
    def _reads_content(cls, folder: str | None, info: ValidationInfo) -> str | None:
        if folder and not info.data.get("content", True):
            raise ValueError("none, or content = true")
        return folder

    @field_validator("id_dropout")
    @classmethod
    def _leaves_something(cls, share: float, info: ValidationInfo) -> float:
        if share and not (info.data.get("attributes") or info.data.get("content")):
            raise ValueError("0, or attributes or content = true: a new item would have no vector at all")
        return share

    @field_validator("scorer")
    @classmethod
    def _suits_the_loss(cls, scorer: str, info: ValidationInfo) -> str:
        suited = {"margin": ("cosine",), "alignment": ("cosine", "dot")}.get(info.data.get("loss", ""))
        if suited and scorer not in suited:
            raise ValueError(f"{' or '.join(map(repr, suited))} with loss = {info.data['loss']!r}")
        return scorer

    @field_validator("bias")
    @classmethod
    def _is_held(cls, bias: bool, info: ValidationInfo) -> bool:
        if bias and info.data.get("loss") in ("margin", "alignment"):
            raise ValueError(f"false with loss = {info.data['loss']!r}: nothing would hold it, or train it")
        return bias

    @field_validator("bias_start")
    @classmethod
    def _starts_something(cls, start: float, info: ValidationInfo) -> float:
        if start != cls.usual(info.field_name) and not info.data.get("bias", True):
            raise ValueError("none given, or bias = true")
        return start

    @field_validator("bias_lift")
    @classmethod
    def _lifts_something(cls, lift: float, info: ValidationInfo) -> float:
        if lift and not info.data.get("bias", True):
            raise ValueError("0, or bias = true")
        return lift

    @field_validator("start")
    @classmethod
    def _has_a_table(cls, start: str, info: ValidationInfo) -> str:
        if start == "spectral" and not info.data.get("ids", True):
            raise ValueError("'random' where ids = false")
        return start

    @field_validator("edge_dropout")
    @classmethod
    def _views_can_differ(cls, share: float, info: ValidationInfo) -> float:
        if info.data.get("contrast") and not info.data.get("depth") and info.data.get("augmentation") == "noise":
            raise ValueError("contrast = 0 or augmentation = 'edges' at depth = 0: there are no layers to add noise to")
        return share

    @property
    def linear(self) -> bool:
        """Whether a user's vector is a sum over the events: then matrices of items are all that serving needs."""
        plain = self.message in ("none", "lightgcn") and self.combination != "attention" and self.scorer != "mlp"
        return (
            plain
            and self.edges == "events"
            and not self.residual
            and (self.activation, self.normalisation) == ("none",) * 2
        )


#: Settings that mean nothing unless others are so: what these must be, in words, and whether they are.
NEEDS: Final[dict[str, tuple[str, Callable[[GraphModelSpec], bool]]]] = {
    "temperature": ("loss = 'softmax'", lambda spec: spec.loss == "softmax"),
    "correction": ("loss = 'softmax'", lambda spec: spec.loss == "softmax"),
    "uniformity": ("loss = 'alignment'", lambda spec: spec.loss == "alignment"),
    "margin": ("loss = 'margin'", lambda spec: spec.loss == "margin"),
    "negative_weight": ("loss = 'margin'", lambda spec: spec.loss == "margin"),
    "negatives": ("negatives that are drawn", lambda spec: spec.loss != "alignment" and spec.negatives_from != "batch"),
    "negatives_from": ("another loss than 'alignment'", lambda spec: spec.loss != "alignment"),
    "contrast_temperature": ("contrast above 0", lambda spec: spec.contrast > 0),
    "augmentation": ("contrast above 0", lambda spec: spec.contrast > 0),
    "augmentation_size": ("contrast above 0", lambda spec: spec.contrast > 0),
    "popularity_power": ("negatives_from = 'popular'", lambda spec: spec.negatives_from == "popular"),
    "pool": ("negatives_from = 'hard'", lambda spec: spec.negatives_from == "hard"),
    "start_rounds": ("start = 'spectral'", lambda spec: spec.start == "spectral"),
}


def idle(spec: GraphModelSpec) -> dict[str, str]:
    """Return the settings that were given another value than they have by themselves and mean nothing in `spec`.

    With each goes what it would need. Bundles and searches that have such settings work as if they had none.
    """
    given = (name for name in NEEDS if name in spec.model_fields_set and getattr(spec, name) != spec.usual(name))
    return {name: NEEDS[name][0] for name in given if not NEEDS[name][1](spec)}


Point = dict[str, Any]
_DENSE: Final[Point] = {"activation": "leaky_relu", "depth": 1, "combination": "concat"}
#: Named points; what they leave out has the default of the class.
PRESETS: Final[dict[str, Point]] = {
    "mf": {"message": "none", "depth": 0, "combination": "last"},
    "lightgcn": {},
    "ngcf": {"message": "ngcf", **_DENSE},
    "gcn": {"message": "gcn", **_DENSE},
    "sage": {"message": "sage", **_DENSE},
    "gat": {"message": "gat", "residual": True, **_DENSE},
    "hetero": {"message": "sage", "edges": "all", "relations": "separate", "attributes": True, **_DENSE, "depth": 2},
}
