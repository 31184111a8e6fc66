"""The ranker: trained on what was shown and what followed, it predicts click, cart, purchase and value of any pair.

Three steps: the network learns from all but the newest tenth of the impressions, is calibrated on that tenth and judged
on it, and goes on to learn from all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, NamedTuple, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from paretail.core.ids import Rows, Vocabulary
from paretail.core.progress import Progress, silent
from paretail.data.features import past
from paretail.data.features.pairs import PairFeatures, says, wished
from paretail.data.types import RARER, Events, Explanations, History, Predictions
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.calibration import Calibration, calibrations
from paretail.rank.config import RankConfig
from paretail.rank.control import revenue_found
from paretail.rank.earlier import Earlier, Fit, Score
from paretail.rank.examples import TASKS, Examples
from paretail.rank.judging import Later, judged
from paretail.rank.learned.explain import Explainer, Halves
from paretail.rank.learned.fitting import Frame, learn, log_prices, weighed
from paretail.rank.learned.foldin import Usual, folded
from paretail.rank.learned.inputs import width
from paretail.rank.learned.network import SIGMA, RankNet, Sizes, readers, state_of
from paretail.rank.learned.preparing import LATER, Prepared
from paretail.rank.learned.transfer import Origin
from paretail.rank.segments import divided, item_segments
from paretail.rank.sides import UserSides
from paretail.rank.tables import Ends, Floats, Tables, probabilities, sigmoid

#: The share of its epochs for which it goes on to learn from all.
AGAIN: Final = 0.25
#: The share of the learning rate with which it does: with half of it what was learned is forgotten first.
AGAIN_LR: Final = 0.1
#: Pairs that are predicted at once.
BLOCK: Final = 1 << 16
#: Pairs that are explained at once.
EXPLAINED: Final = 1 << 9
#: Prefixes of what a bundle keeps.
NET, FEATURES, SIDES, NAMED, ITEM_SIDES = "net/", "features/", "sides/", "names/", "item_columns"
EARLIER: Final = "earlier/"
#: Click and purchase, beside the tasks.
BOTH: Final = "both"
#: Tasks that are told of those clicked, too.
GIVEN: Final = tuple(task for task in TASKS if task not in ("click", "value"))


class Told(NamedTuple):
    """What is told of pairs by task, and, of what follows a click, of those of them that are clicked."""

    of_pairs: Mapping[str, Floats]
    of_clicked: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Ranker:
    """See the module. `report` has what training told: remarks, reliability by task, relations, the curves."""

    config: RankConfig
    tasks: tuple[str, ...]
    net: RankNet
    features: PairFeatures
    sides: UserSides
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    value_ratio: float = 1.0
    report: Mapping[str, Any] = field(default_factory=dict)
    shown: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))  # how often each item was, in its log
    end_ms: int = 0  # of its log
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of the columns of users and items
    earlier: Earlier | None = None  # the retriever's scores, where they are features

    @classmethod
    def train(cls, graph: ShopGraph, events: Events, config: RankConfig, seed: int = 0,
              progress: Progress = silent, origin: Origin | None = None,
              fit: Fit | None = None) -> Self:  # fmt: skip
        """Learn from the impressions in `events` and what followed them, starting from nothing or from another ranker.

        `fit` fits the model whose scores are features; without it `[rank] retrieved` is off, whatever it says.
        Cost: 1 million impressions, of which 786,500 are learned from, 4 tasks: 130 to 164 seconds on a core, under
        2 GiB. Raises RankError (RANK-04) where there are too few clicks.
        """
        seed = seed if config.seed is None else config.seed
        config = config if fit is not None else config.model_copy(update={"retrieved": False})
        prepared = Prepared.of(graph, events, config, fit, origin)
        net, names, started = prepared.network(graph, config, seed, origin)
        frame = prepared.frame(config)
        fresh = cls(config, prepared.examples.tasks, net, prepared.features, prepared.sides)
        curves = learn(
            net, frame.taught(prepared.apart, prepared.held), config, config.epochs, config.lr, seed, progress
        )
        calibrated = fresh._judged(frame, prepared.examples, graph.tables["item"])
        learn(net, frame, config, max(1, round(AGAIN * config.epochs)), AGAIN_LR * config.lr, seed + 1, progress)
        net.settle()
        net.eval()
        net.told = None
        report = _report(prepared, net, curves, (*prepared.remarks, *started)) | calibrated
        return replace(
            fresh, calibration=calibrations(report["calibration"]), value_ratio=report["value_ratio"], report=report,
            shown=_shown(graph.history, graph.items), end_ms=_end(graph.history), names=names, earlier=prepared.earlier,
        )  # fmt: skip

    def origin(self, items: Vocabulary | None) -> Origin:
        """Return what another ranker may start from; `items` are those of this one, where they are the same there."""
        return Origin(self.net, self.names, self.features.mean, self.features.scale, items)

    def predict(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows,
                ts_ms: NDArray[np.int64]) -> Predictions:  # fmt: skip
        """Predict pairs of users of `history` and items as of `ts_ms[pairs]`.

        `known[users]` are the rows that the users have in the ranker's own log, -1 for somebody new. Cost: 500 pairs of
        one user take about 1 ms on one thread.
        """
        out = {task: np.full(len(user_idx), np.nan) for task in (*TASKS, BOTH)}
        people = self._people(history, known)
        for start in range(0, len(user_idx), BLOCK):
            at = slice(start, start + BLOCK)
            features = self._matrix(history, user_idx[at], item_idx[at], ts_ms[at])
            told = self._told(self._tables, people, user_idx[at], item_idx[at], features, ("purchase",))
            if "purchase" in told.of_clicked:
                out[BOTH][at] = told.of_pairs["click"] * told.of_clicked["purchase"]
            for task, values in told.of_pairs.items():
                out[task][at] = values
        more = {task: out[task] for task in RARER}
        return Predictions(out["click"], out["cart"], out["purchase"], out[BOTH], out["value"], more)

    def clicks_at(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows, ts_ms: NDArray[np.int64],
                  deviates: NDArray[np.float64]) -> NDArray[np.float64]:  # fmt: skip
        """Return P(click) of pairs, the logit taken `deviates[pairs]` deviations above its mean."""
        people, price = self._people(history, known), self.features.facts.price_ratio[item_idx]
        features = self._matrix(history, user_idx, item_idx, ts_ms)
        means, variances, _ = self._tables.beliefs(people, user_idx, item_idx, features, price)
        click = self.tasks.index("click")
        p = sigmoid(means[click] + deviates * np.sqrt(variances[click]))
        return np.asarray(self._calibrate("click", p, item_idx))

    def order_quantiles(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows, ts_ms: NDArray[np.int64],
                        levels: Sequence[float]) -> NDArray[np.float64]:  # fmt: skip
        """Return quantiles `[pairs, levels]` of an order's value in minor units, given a purchase; NaN without `value`.

        Of a lognormal: exp(μ + z s), where s² is what is not known of μ and the spread of orders.
        """
        found = np.full((len(user_idx), len(levels)), np.nan)
        if "value" not in self.tasks:
            return found
        people, z, at_value = self._people(history, known), ndtri(np.asarray(levels)), self.tasks.index("value")
        sigma = np.exp(self._tables.log_sigma).clip(*SIGMA)
        for start in range(0, len(user_idx), BLOCK):
            at = slice(start, start + BLOCK)
            features = self._matrix(history, user_idx[at], item_idx[at], ts_ms[at])
            price = self.features.facts.price_ratio[item_idx[at]]
            told = self._tables.beliefs(people, user_idx[at], item_idx[at], features, price)
            mean, variance = (part[at_value][:, None] for part in told[:2])
            factor = self._prices[item_idx[at], None] * self.value_ratio
            found[at] = np.exp(mean + z * np.sqrt(variance + sigma**2)) * factor
        return found

    def attention(self, slots: int) -> NDArray[np.float64]:
        """Return P(seen at a position) of the first `slots` positions, 1 at the first."""
        with torch.inference_mode():
            return np.asarray(self.net.seen(torch.arange(1, slots + 1)).exp().double().numpy())

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """What is believed of items, `[items, columns]`: means without the bias."""
        return np.asarray(self._tables.items[0][:, : self.net.columns])

    def explain(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows,
                ts_ms: NDArray[np.int64]) -> Explanations:  # fmt: skip
        """Explain what `predict` tells of the same pairs. Cost: 500 of one user take about 100 ms on one thread."""
        with torch.no_grad():
            traits = torch.from_numpy(self.sides.matrix(history)) @ self.net.user_side.mean
        mean, variance = (torch.from_numpy(part.copy()) for part in self._people(history, known))
        users = Halves(mean - traits, traits, variance)
        none = np.zeros((0, len(self.tasks)))
        parts = [(none, np.zeros((*none.shape, len(self._explainer.groups))))]
        for start in range(0, len(user_idx), EXPLAINED):
            at = slice(start, start + EXPLAINED)
            features = torch.from_numpy(self._matrix(history, user_idx[at], item_idx[at], ts_ms[at]))
            price = torch.from_numpy(self.features.facts.price_ratio[item_idx[at]])
            those = users.at(torch.from_numpy(user_idx[at].astype(np.int64)))
            parts.append(self._explainer.split(those, item_idx[at], features, price))
        predicted, contributions = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Explanations(self.tasks, self._explainer.groups, contributions, predicted, self._explainer.usual)

    @cached_property
    def _explainer(self) -> Explainer:
        sides = torch.from_numpy(self.sides.usual)
        with torch.no_grad():
            things = self.net.items()
        return Explainer.of(self.net, things, log_prices(self.features), self.shown, sides, self._calibrate,
                            float(np.log(self.value_ratio)))  # fmt: skip

    @cached_property
    def _tables(self) -> Tables:
        return self.net.tables()

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        return np.exp(log_prices(self.features))

    @cached_property
    def _usual(self) -> Usual:
        report = self.report
        with torch.inference_mode():
            seen = float(self.net.seen(torch.zeros(1, dtype=torch.int64)).exp())
        return Usual.of(self.shown, report["positives"]["click"] / report["examples"], seen)

    def _matrix(
        self, history: History, user_idx: Rows, item_idx: Rows, ts_ms: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return what the network of the features reads of pairs."""
        asked = history, user_idx, item_idx, ts_ms
        parts = [self.features.matrix(*asked)]
        if self.earlier is not None:
            parts.append(self.earlier.matrix(*asked))
        if self.net.recent is not None:
            parts.append(self.net.recent.matrix(*asked, self.item_vectors))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def _people(self, history: History, known: Rows) -> Ends:
        """Return what is believed of users, with the events that the ranker did not learn from."""
        mean, variance = self._tables.users.ends(known, self.sides.matrix(history))
        told = says(history)
        is_new = (told != past.NOTHING) & ((known < 0)[history.user_idx] | (history.ts_ms > self.end_ms))
        if not is_new.any():
            return mean, variance
        news, told = history.where(is_new), told[is_new]
        columns = slice(self.net.columns + 1)  # those of vectors, and the bias of clicks
        for user in np.flatnonzero(np.diff(news.indptr)).tolist():
            its = slice(news.indptr[user], news.indptr[user + 1])
            evidence = self._usual.evidence(news.item_idx[its], news.kind[its], told[its])
            before = mean[user, columns].astype(np.float64), variance[user, columns].astype(np.float64)
            after = folded(*before, *self._clicks(evidence.item_idx), evidence)
            mean[user, columns], variance[user, columns] = after
        return mean, variance

    def _clicks(self, items: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and c of items, with which the logit of a click is c + x θ."""
        tables, k = self._tables, self.net.columns
        q = tables.items[0][items].astype(np.float64)
        return np.column_stack([q[:, :k] * tables.mix[0], np.ones(len(q))]), q[:, k] + tables.fixed[0, 0]

    def _told(self, tables: Tables, people: Ends, user_idx: NDArray[Any], item_idx: NDArray[Any],
              features: NDArray[np.float32], given: Sequence[str] = GIVEN) -> Told:  # fmt: skip
        """Tell of pairs, and of those clicked the tasks `given`, as far as they were learned."""
        price = self.features.facts.price_ratio[item_idx]
        beliefs = tables.beliefs(people, user_idx, item_idx, features, price)
        kept, asked = tables.fixed[1][:, None] * price, np.array([task in given for task in self.tasks])
        told = probabilities(beliefs, kept, self._lines, asked)
        pairs, clicked = (
            {task: self._rest(task, p, kept_of, item_idx)
             for task, p, kept_of, there in zip(self.tasks, part, kept, these, strict=True) if there}
            for part, these in zip(told, (np.array(self.tasks) != "value", asked), strict=True)
        )  # fmt: skip
        if "value" in self.tasks:
            mean, variance = (part[self.tasks.index("value")] for part in beliefs[:2])
            sigma = np.exp(tables.log_sigma).clip(*SIGMA)
            pairs["value"] = np.exp(mean + 0.5 * (variance + sigma**2)) * self._prices[item_idx] * self.value_ratio
        return Told(pairs, clicked)

    @cached_property
    def _lines(self) -> Floats:
        """Slope and level of each task's log-odds, NaN where they are not moved by a line."""
        lines = [self.calibration[task].line if task in self.calibration else (np.nan, np.nan) for task in self.tasks]
        return np.array(lines, np.float64)

    def _rest(self, task: str, p: Floats, kept: NDArray[Any], item_idx: NDArray[Any]) -> Floats:
        """Calibrate what `_lines` have moved by what there is beside lines."""
        told = self.calibration.get(task)
        if told is None:
            return p
        return told.rest(p, None if self._segments is None else self._segments[item_idx], kept)

    def _judged(self, frame: Frame, examples: Examples, items: pl.DataFrame) -> dict[str, Any]:
        """Calibrate on the newest impressions; return the numbers, and how reliable the predictions are.

        Clicks count by one over the examples' propensity: what is told shall hold of pairs, not of those shown.
        """
        self.net.eval()
        apart, propensity = examples.apart(LATER), examples.propensity
        first = min(apart.values())
        rows, settled = np.arange(first, len(examples)), examples.paid_until
        earlier, later = frame.where(slice(0, first)), frame.where(slice(first, None))
        user, item = later.user.numpy(), later.item.numpy()
        with torch.inference_mode():
            mean, variance = self.net.users(self.net.get_buffer("user_of"), self.net.get_buffer("user_columns"))
            features = self.net.inputs(later.batch(slice(None))).numpy()
            seen = self.net.seen(later.position).exp().double().numpy()
        told = self._told(self._tables, (mean.numpy(), variance.numpy()), later.standing.numpy(), item, features)
        labels = {task: np.where(rows < apart[task], np.nan, label.double().numpy())
                  for task, label in later.labels.items()}  # fmt: skip
        paid = np.where(rows < apart.get("value", first), np.nan, examples.paid[first:])
        segment = None if self._segments is None else self._segments[item]
        fair = weighed(propensity[len(propensity) - len(user) :], 1.0)
        even, kept = later.weight.double().numpy(), {task: self._kept(task, item) for task in self.tasks}
        known = (rows >= apart.get("value", first)) & (rows < settled)
        asked = Later({**told.of_pairs, **told.of_clicked}, labels, paid, seen, fair, user, segment, even, kept, known)
        before = [np.bincount(rows.numpy(), minlength=int(all_rows.max()) + 1)[those] for rows, all_rows, those in
                  ((earlier.user, frame.user, user), (earlier.item, frame.item, item))]  # fmt: skip
        return judged(asked, self.config, divided(items, self.features.facts, item, *before))

    @cached_property
    def _segments(self) -> NDArray[np.int64] | None:
        return item_segments(self.features.facts, self.config.calibration_by)

    def _calibrate(self, task: str, p: NDArray[np.float64], item_idx: NDArray[Any]) -> NDArray[np.float64]:
        told = self.calibration.get(task)
        if told is None:
            return p
        return told(p, None if self._segments is None else self._segments[item_idx], self._kept(task, item_idx))

    def _kept(self, task: str, item_idx: NDArray[Any]) -> NDArray[np.float64]:
        """Return the part of logits that all examples tell, what the price does, which calibrating leaves as it is."""
        slope = self._tables.fixed[1, self.tasks.index(task)]
        return np.asarray(slope * self.features.facts.price_ratio[item_idx], np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps; `from_arrays` needs the catalogue, the log and the facts beside."""
        found = {f"{NET}{name}": array for name, array in state_of(self.net).items()}
        found |= {f"{FEATURES}{name}": array for name, array in self.features.arrays().items()}
        found |= {f"{SIDES}{name}": array for name, array in self.sides.arrays().items()}
        named = {f"{NAMED}{end}": _packed(names) for end, names in self.names.items()}
        if self.earlier is not None:
            found |= {f"{EARLIER}{name}": array for name, array in self.earlier.arrays().items()}
        return found | named | {ITEM_SIDES: self.net.get_buffer("item_columns").numpy()}

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest tells of the ranker, as plain values."""
        told = {"config": self.config.model_dump(mode="json"), "tasks": list(self.tasks), "report": dict(self.report)}
        return told | {"readers": list(readers(self.tasks))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], items: pl.DataFrame,
                    history: History, score: Score | None = None) -> Self:  # fmt: skip
        """Rebuild from `arrays()` and `facts`, the bundle's catalogue, its log, and what asks its model."""

        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

        config = RankConfig.parse(dict(facts["config"]), "the bundle")
        features = PairFeatures.from_arrays(items, history, part(FEATURES))  # a KeyError tells of another version
        asks = tuple(facts["report"]["retrieved"])
        _ = config.shared_vectors or facts["readers"]  # so does this: among whom columns are divided
        state = part(NET)
        sizes = Sizes(len(state["user_own.mean"]), 0, len(state["item_own.mean"]), len(state["user_side.mean"]),
                      len(state["item_side.mean"]), width(config, asks))  # fmt: skip
        net = RankNet(config, facts["tasks"], sizes)
        net.retrieved = asks
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        net.get_buffer("item_columns").copy_(torch.from_numpy(np.array(arrays[ITEM_SIDES])))
        net.eval()
        sides = UserSides.from_arrays(items, part(SIDES))
        earlier = Earlier.from_arrays(score, part(EARLIER), asks) if score is not None and part(EARLIER) else None
        report = facts["report"]
        return cls(config, tuple(facts["tasks"]), net, features, sides, calibrations(report["calibration"]),
                   report["value_ratio"], report, _shown(history, items.height), _end(history),
                   {end: _unpacked(packed) for end, packed in part(NAMED).items()}, earlier)  # fmt: skip


def _report(prepared: Prepared, net: RankNet, curves: Mapping[str, Any], remarks: Sequence[str]) -> dict[str, Any]:
    """Return what is told of a training beside its calibration."""
    examples = prepared.examples
    return {
        "remarks": list(remarks), "examples": len(examples),
        "positives": {task: int(np.nansum(label > 0)) for task, label in examples.labels.items()},
        "control": revenue_found(examples, int(examples.ts_ms[min(prepared.apart.values())])),
        "waits": examples.waits.to_json(),
        "relations": net.relations().tolist(), "covariance": net.covariance().tolist(), "curves": curves,
        "retrieved": list(prepared.asks),
    }  # fmt: skip


def _shown(history: History, items: int) -> NDArray[np.float64]:
    """Return how often each item of a log was shown, of one without that 1."""
    counts = np.bincount(history.item_idx[~wished(history)], minlength=items).astype(np.float64)
    return counts if counts.any() else np.ones(items)


def _end(history: History) -> int:
    return int(history.ts_ms.max(initial=0))


def _packed(names: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(names).encode(), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> list[str]:
    return list(json.loads(packed.tobytes()))
