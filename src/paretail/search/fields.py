"""The fields of a graph model that a search may vary: their options, and when a field matters at all.

A rule looks at the fields before it: it leaves the options as they are (ANY), leaves some (`Only`), or says that the
field means nothing there and what stands for it (`Stands`). So two points that make the same network are one point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.spec import GraphModelSpec

Point = Mapping[str, Any]
#: What a field has where nothing else is said.
DEFAULTS: Final[Point] = {name: field.get_default() for name, field in GraphModelSpec.model_fields.items()}
#: Steps of so many examples at most may score all of them against each other: 64 MiB a table of scores.
MOST_SQUARED: Final = 4096
#: A half-life is tried where the log is this many times as long.
LOG_IN_HALF_LIVES: Final = 2.0
HALF_LIVES: Final = (30.0, 180.0)


@dataclass(frozen=True)
class Only:
    """The field matters, with options for which `legal` is true."""

    legal: Callable[[Any], bool]


@dataclass(frozen=True)
class Stands:
    """The field does not matter; the network has this."""

    value: Any


Says = Only | Stands | None
ANY: Final[Says] = None


@dataclass(frozen=True)
class Rule:
    """What the fields `reads`, all of which come before, say of a field."""

    reads: tuple[str, ...]
    says: Callable[[Point], Says]


def _where(reads: str, matters: Callable[[Point], bool], field: str) -> Rule:
    return Rule((reads,), lambda point: ANY if matters(point) else Stands(DEFAULTS[field]))


def _layered(field: str, without: Any) -> Rule:
    return Rule(("depth",), lambda point: ANY if point["depth"] else Stands(without))


def _heads(point: Point) -> Says:
    attentive = point["message"] in ("gat", "gatv2")
    return Only(lambda heads: point["dim"] % heads == 0) if attentive else Stands(1)


def _content(point: Point) -> Says:
    return ANY if point["ids"] or point["attributes"] else Only(bool)


def _negatives(point: Point) -> Says:
    if point["loss"] == "alignment" or point["negatives_from"] == "batch":
        return Stands(DEFAULTS["negatives"])
    return Only(lambda negatives: negatives < point["pool"]) if point["negatives_from"] == "hard" else ANY


def _correction(point: Point) -> Says:
    counts = point["loss"] == "softmax" and point["negatives_from"] in ("popular", "batch")
    return ANY if counts else Stands(True)


def _scorer(point: Point) -> Says:
    suited = {"margin": ("cosine",), "alignment": ("cosine", "dot")}.get(point["loss"])
    return Only(lambda scorer: scorer in suited) if suited else ANY


def _scorer_of_one(point: Point) -> Says:
    """Leave cosines of summed layers out: those of their mean are the same."""
    if point["combination"] != "sum":
        return _scorer(point)
    dots = _scorer(point)
    return Only(lambda scorer: scorer != "cosine" and (not isinstance(dots, Only) or dots.legal(scorer)))


def _augmentation(point: Point) -> Says:
    if not point["contrast"]:
        return Stands("edges")
    return ANY if point["depth"] else Only(lambda way: way == "edges")


#: In the order in which fields are decided; a field without a rule always matters.
RULES: Final[dict[str, Rule]] = {
    "message": Rule((), lambda point: ANY),
    "depth": Rule(("message",), lambda point: Stands(0) if point["message"] == "none" else Only(lambda d: d > 0)),
    "aggregation": _where("message", lambda point: point["message"] == "sage", "aggregation"),
    "relations": _where("message", lambda point: point["message"] not in ("none", "lightgcn"), "relations"),
    "dim": Rule((), lambda point: ANY),
    "heads": Rule(("message", "dim"), _heads),
    "edges": _layered("edges", "events"),
    "combination": _layered("combination", "last"),
    "activation": _layered("activation", "none"),
    "normalisation": _layered("normalisation", "none"),
    "residual": _layered("residual", False),
    "dropout": _layered("dropout", 0.0),
    "contrast": Rule((), lambda point: ANY),
    "augmentation": Rule(("contrast", "depth"), _augmentation),
    "augmentation_size": _where("contrast", lambda point: bool(point["contrast"]), "augmentation_size"),
    "contrast_temperature": _where("contrast", lambda point: bool(point["contrast"]), "contrast_temperature"),
    "edge_dropout": Rule((), lambda point: ANY),
    "ids": Rule((), lambda point: ANY),
    "attributes": Rule((), lambda point: ANY),
    "content": Rule(("ids", "attributes"), _content),
    "text_encoder": _where("content", lambda point: bool(point["content"]), "text_encoder"),
    "id_dropout": Rule(
        ("attributes", "content"),
        lambda point: ANY if point["attributes"] or point["content"] else Stands(0.0),
    ),
    "start": Rule(("ids",), lambda point: ANY if point["ids"] else Stands("random")),
    "start_rounds": _where("start", lambda point: point["start"] == "spectral", "start_rounds"),
    "loss": Rule((), lambda point: ANY),
    "temperature": _where("loss", lambda point: point["loss"] == "softmax", "temperature"),
    "uniformity": _where("loss", lambda point: point["loss"] == "alignment", "uniformity"),
    "margin": _where("loss", lambda point: point["loss"] == "margin", "margin"),
    "negative_weight": _where("loss", lambda point: point["loss"] == "margin", "negative_weight"),
    "negatives_from": _where("loss", lambda point: point["loss"] != "alignment", "negatives_from"),
    "pool": _where("negatives_from", lambda point: point["negatives_from"] == "hard", "pool"),
    "negatives": Rule(("loss", "negatives_from", "pool"), _negatives),
    "popularity_power": _where(
        "negatives_from", lambda point: point["negatives_from"] == "popular", "popularity_power"
    ),
    "correction": Rule(("loss", "negatives_from"), _correction),
    "shared": Rule(
        ("negatives_from",), lambda point: Stands(False) if point["negatives_from"] in ("batch", "hard") else ANY
    ),
    "scorer": Rule(("loss",), _scorer),
    "bias": Rule(("loss",), lambda point: Stands(False) if point["loss"] in ("margin", "alignment") else ANY),
    "bias_start": _where("bias", lambda point: bool(point["bias"]), "bias_start"),
}


def rules_of(options: Mapping[str, Sequence[Any]]) -> dict[str, Rule]:
    """Return RULES, and those that depend on which options there are.

    A sum of layers is their mean times a number, which a cosine does not see: where both can be had, the mean stands
    for both. Neighbours are drawn where `sampling` asks for it; `auto` has the first `fan_out`.
    """
    stands = {"auto": Stands(options["fan_out"][0]), "none": Stands(DEFAULTS["fan_out"])}
    fan_out = Rule(("sampling",), lambda point: stands.get(point["sampling"], ANY))
    lift = _where("bias", lambda point: bool(point["bias"]), "bias_lift")
    found = {**RULES, "fan_out": fan_out, "bias_lift": lift}
    if twins(options):
        found["scorer"] = Rule(("loss", "combination"), _scorer_of_one)
    return found


def twins(options: Mapping[str, Sequence[Any]]) -> bool:
    """Say whether both `mean` and `sum` can be had."""
    return {"mean", "sum"} <= set(options["combination"])


#: What is searched where the shop says nothing; the first option is what most shops should try first.
OPTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "message": ("lightgcn", "none", "gcn", "sage", "gat", "gatv2", "ngcf", "gin"),
    "depth": (2, 1, 3),
    "aggregation": ("mean", "max", "attention"),
    "relations": ("shared", "separate"),
    "dim": (64, 32, 128),
    "heads": (1, 2, 4),
    "combination": ("mean", "last", "sum", "concat", "weighted", "attention"),
    "activation": ("none", "leaky_relu", "gelu", "tanh"),
    "normalisation": ("none", "layer"),
    "residual": (False, True),
    "dropout": (0.0, 0.1, 0.3),
    "contrast": (0.0, 0.1),
    "augmentation": ("edges", "noise"),
    "edge_dropout": (0.0, 0.1, 0.2, 0.4),
    "profile": ("own", "shared"),
    "start": ("spectral", "random"),
    "start_rounds": (4, 1, 12),
    "loss": ("softmax", "bpr", "bce", "margin", "alignment"),
    "temperature": (0.15, 0.07, 0.1, 0.2, 0.3),
    "negatives_from": ("uniform", "popular", "batch", "hard"),
    "negatives": (2048, 512, 64),
    "scorer": ("cosine", "dot", "hadamard"),
    "bias": (True, False),
    "bias_start": (0.7, 0.0, 0.4, 1.0),
    "lr": (3e-3, 1e-3, 1e-2),
    "weight_decay": (0.0, 0.01, 0.1),
    "epochs": (8, 16),
}


def options_of(graph: ShopGraph, question: Question) -> dict[str, tuple[Any, ...]]:
    """Return the options that make sense for a shop: no attributes where it tells none, no squared steps where huge."""
    found = dict(OPTIONS)
    if graph.edges:
        found |= {"edges": ("events", "all"), "attributes": (False, True), "id_dropout": (0.0, 0.1)}
    weights = kind_weights(question.wishes) | dict(question.weights)
    alone = {question.target: 1.0}
    found["weights"] = (weights,) if len(question.wishes) == 1 else (weights, alone)
    if lives := _half_lives(graph):
        found["half_life_days"] = (None, *lives)
    if len(graph.history.item_idx) // 40 > MOST_SQUARED:
        found["loss"] = tuple(loss for loss in found["loss"] if loss != "alignment")
        found["negatives_from"] = ("uniform", "popular")
    return found


def _half_lives(graph: ShopGraph) -> tuple[float, ...]:
    history = graph.history
    if history.time != "clock" or not len(history.ts_ms):
        return ()
    days = float(history.ts_ms.max() - history.ts_ms.min()) / 86_400_000
    return tuple(life for life in HALF_LIVES if days >= LOG_IN_HALF_LIVES * life)
