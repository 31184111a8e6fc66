"""Blend: training-free signals on the user-item graph, mixed by weights that are learned on held-out events.

    score(u, i) = sum_s theta_s log(1 + kappa x_s(u, i)),   x_s = profile_s(u) M_s / mean of its 50 best,  theta >= 0

Each signal is a profile of the history times a matrix fitted in closed form (`retrieve/signals`): co-occurrence,
transitions in order and time, low-pass spectral filters, a ridge, attributes, the user's own items, popularity. Only
theta and kappa are learned, for each mode apart (`retrieve/mixing.py`), on a split that copies the question: for
`all` every event of a held-out pair leaves the history first, so that the mix learns to discover and not to remind.

Sources: those of the signals; the mix follows L. Rokach et al., stacking of recommenders, as in J. Sill et al.,
"Feature-weighted linear stacking", 2009, arXiv:0911.0460. Deviations: constant weights, a listwise loss.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, field_validator
from scipy import sparse

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode, had
from paretail.data.kinds import FRIEND
from paretail.data.splits import Split, random_pairs
from paretail.data.types import History
from paretail.graph.interactions import STRENGTH
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve import befriended, borrowed, mixing
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.content import content_in, labels_of
from paretail.retrieve.normalise import add_shaped, fill, unit_of
from paretail.retrieve.question import ASKS, WINDOW_DAYS, held_out, modes_to_learn, newcomers
from paretail.retrieve.signals import OF_FRIENDS, Setting, build, check_signal, of_nobody, signals_of
from paretail.retrieve.signals.freshness import created_of, window_days
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix, Sum, matrix_from
from paretail.retrieve.signals.profiles import Profiles, Scene, profile, wished
from paretail.retrieve.tune import judged

#: How strong a wish each kind shows in the union of kinds; a declared kind has its own weight.
KIND_WEIGHTS: Final = {kind: weight for kind, weight in STRENGTH.items() if weight > 0}
#: Lists are judged at this length while weights are learned.
JUDGED_AT: Final = 20
#: Users asked while weights are learned.
MOST_ASKED: Final = 2000
FEWEST_ASKED: Final = 200
ASKED_A_SECOND: Final = 30
#: The popularity that fills lists where the mix has nothing to say: with time, and without.
FLOORS: Final = ("pop 30d", "pop target")
#: With so many items scored nothing needs to be filled: no list is longer.
ENOUGH: Final = 1000


class Mix(Config):
    """The weights of one mode."""

    theta: dict[str, NonNegativeFloat] = Field(description="Weight of each signal, `matrix|profile`.")
    kappa: float = Field(1.0, ge=0, description="Shape log(1 + kappa x) of each signal; 0 leaves it as it is.")

    @field_validator("theta")
    @classmethod
    def _of_signals(cls, theta: dict[str, float]) -> dict[str, float]:
        for signal in theta:
            check_signal(signal)
        return theta


#: Where there are too few events to learn from. Of seven fixed mixes the ridge alone was the best or near it on planted
#: worlds of 20 to 1,000 users and on simulated shops of 50 to 300 (docs/lab/LOG.md).
PRIOR: Final = Mix(theta={"ridge|all": 1.0})

#: Where nothing tells a good split from a misleading one: one kind of event without time. A random split of `gowalla`
#: prefers settings that lose on its official test (docs/lab/LOG.md), so the published filter is used as it is.
UNTIMED: Final = Mix(theta={"plateau|all": 1.0}, kappa=0.0)

#: Where lists hold people and there are too few links to learn from.
AMONG_PEOPLE: Final = Mix(theta={"walk|all": 1.0})


class BlendConfig(Config):
    """Settings of the blend; `choose` finds those that are not given."""

    target: str = Field("purchase", description="The kind to predict.")
    kind_weights: dict[str, NonNegativeFloat] = Field(
        default_factory=lambda: dict(KIND_WEIGHTS), description="How strong a wish each kind shows.",
    )  # fmt: skip
    modes: dict[Mode, Mix] = Field(
        default={"target": PRIOR}, min_length=1, description="The weights of each mode that is answered apart.",
    )  # fmt: skip
    nobody: Mix | None = Field(
        None, description="The weights for users without events, in every mode; by default those of the mode.",
    )  # fmt: skip

    borrowed: float = Field(
        0.0, ge=0, le=1, description="How much of the scores of items alike an item takes that nobody had.",
    )  # fmt: skip

    @property
    def mixes(self) -> tuple[Mix, ...]:
        """All mixes that there are."""
        return (*self.modes.values(), *(() if self.nobody is None else (self.nobody,)))

    def mix(self, mode: Mode) -> Mix:
        """Return the weights of a mode; where it has none of its own those of `target`, else of the first there is."""
        return self.modes.get(mode) or self.modes.get("target") or next(iter(self.modes.values()))


class Blend:
    """The fitted matrices and how to mix them; see the module."""

    name: ClassVar[str] = "blend"
    config_type: ClassVar[type[Config]] = BlendConfig

    @property
    def reads_traits(self) -> bool:
        """Whether any signal follows from what is known of users apart from events."""
        return any("|about " in signal for mix in self.config.mixes for signal in mix.theta)

    def __init__(self, config: BlendConfig, scene: Scene, matrices: Mapping[str, Matrix]) -> None:
        self.config, self.scene, self.matrices = config, scene, matrices

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Fit the matrices that any mode uses."""
        ground = ground_of(graph, config, graph.history, seed)
        names = {signal.split("|")[0] for mix in config.mixes for signal in mix.theta}
        names.add(FLOORS[0] if ground.timed else FLOORS[1])
        alike = borrowed.alike(graph, ground)
        return cls(config, ground.scene, {**build(ground, dict.fromkeys(sorted(names))), **alike})

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Mix the signals; a user without history gets popularity, and so do items for which nothing speaks, last."""
        return self.mixed(history, now_ms, mode, None)

    def score_best(
        self, history: History, best: NDArray[np.integer], now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Mix the signals, those that are a sum of a near and a smooth part exactly for their best items alone."""
        return self.mixed(history, now_ms, mode, None if self.config.borrowed else best)

    def mixed(self, history: History, now_ms: int | None, mode: Mode, best: NDArray[np.integer] | None,
              told: dict[str, Scores] | None = None) -> Scores:  # fmt: skip
        """Mix the signals; where one mix is for all users, what each says in units comes into `told`, too."""
        scene = self._at(now_ms)
        left_out = items_had(history, self.config.target, mode, scene.items)
        history = wished(history, scene.weights)
        new = np.diff(history.indptr) == 0
        if self.config.nobody is None or not new.any():
            return self._by(self.config.mix(mode), history, left_out, scene, best, told)
        if new.all():
            return self._by(self.config.nobody, history, left_out, scene, best)
        total = np.empty((history.users, scene.items), np.float32)
        for mix, rows in ((self.config.nobody, np.flatnonzero(new)), (self.config.mix(mode), np.flatnonzero(~new))):
            theirs = None if best is None else best[rows]
            total[rows] = self._by(mix, history.of_users(rows), sparse.csr_array(left_out[rows]), scene, theirs)
        return total

    def _by(self, mix: Mix, history: History, left_out: sparse.csr_array, scene: Scene,
            best: NDArray[np.integer] | None, told: dict[str, Scores] | None = None) -> Scores:  # fmt: skip
        total, wishes = np.zeros((history.users, scene.items), np.float32), Profiles(history, scene)
        for signal, theta in mix.theta.items():
            says = self.signal(signal, wishes, best)
            add_shaped(total, says, left_out, theta, mix.kappa)
            if told is not None:
                told[signal] = says
        if self._borrowing is not None:
            self._borrowing.lend(total, left_out, self.config.borrowed)
        fill(total, self._floor, ENOUGH)
        return total if self._borrowing is None else self._borrowing.ordered(total, wishes.of("all"), ENOUGH)

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return each signal's fall without one row of its profile, at the user's units, summed.

        Signals of popularity fall with no item. Popularity that fills lists is left aside.
        """
        mix, scene = self.config.mix(mode), self._at(now_ms)
        left_out = history.item_idx[had(history, self.config.target, mode)]
        history = wished(history, scene.weights)
        place = np.full(scene.items, len(causes), np.int32)  # the last row gathers what is not asked
        place[causes] = np.arange(len(causes))
        total = np.zeros((len(causes) + 1, len(listed)), np.float32)
        for name, matrices in _by_profile(mix).items():
            row = profile(name)(history, scene)
            for matrix, theta in matrices.items():
                fall = self._fall(self.matrices[matrix], row, listed, left_out, mix)
                total[place[row.indices]] += np.float32(theta) * fall
        return total[:-1]

    def arrays(self) -> Arrays:
        """Return the matrices' arrays and the scene."""
        scene = self.scene
        numbers = np.array([scene.items, scene.now_ms, scene.first_day, scene.days], np.int64)
        of_matrices = {f"{name}/{key}": value for name, matrix in self.matrices.items()
                       for key, value in matrix.arrays().items()}  # fmt: skip
        return {"scene": numbers, **of_matrices}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        items, now_ms, first_day, days = (int(number) for number in arrays["scene"])
        parts: dict[str, Arrays] = {}
        for key, value in arrays.items():
            name, slash, part = key.rpartition("/")
            if slash:
                parts.setdefault(name, {})[part] = value
        matrices = {name: matrix_from(part) for name, part in parts.items()}
        return cls(config, Scene(items, config.kind_weights, now_ms, first_day, days), matrices)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Learn the weights of each mode that can be asked on a split of the graph's events.

        A mode that `given` sets is left as it is. `seconds` bounds how many users are asked (ASKED_A_SECOND), so
        that equal budgets give equal weights on a slow machine and on a fast one.
        """
        weights = {**KIND_WEIGHTS, **question.weights}
        config = BlendConfig.parse({"target": question.target, "kind_weights": weights} | given, "[model.settings]")
        modes = dict(config.modes) if "modes" in given else {}
        wanted = [mode for mode in modes_to_learn(graph.history, question) if mode not in modes]
        asked = max(FEWEST_ASKED, min(MOST_ASKED, round(seconds * ASKED_A_SECOND)))
        if graph.history.time == "none" and len(question.wishes) == 1 and question.target != FRIEND:
            linked = wanted and "user" in graph.history.about
            mix, told = _with_friends(graph, config, asked, seed) if linked else (UNTIMED, ())
            config = config.model_copy(update={"modes": modes | dict.fromkeys(wanted, mix)})
            remark = "One kind of event without time: nothing to choose by; a filter with published settings"
            return Choice(config, remarks=(remark, *told))
        prior = AMONG_PEOPLE if question.target == FRIEND else PRIOR
        remarks, metrics = list[str](), dict[str, Any]()
        figure, first = "", None
        window = window_days(ground_of(graph, config, graph.history, seed)) or WINDOW_DAYS
        for mode in wanted:
            progress(f"Learning weights ({mode})", len(remarks) / len(wanted))
            rng = rng_for(f"retrieve/choose/{mode}", seed)
            split = held_out(graph.history, question.target, mode, asked, rng, window)
            learned = learn(graph, config, split, mode, seed)
            modes[mode] = prior if learned is None else Mix(theta=learned.theta, kappa=learned.kappa)
            remarks.append(f"{ASKS[mode]}: {mixing.told(learned, split.held, next(iter(prior.theta)), JUDGED_AT)}")
            if learned is not None:
                metrics[str(mode)] = {"k": JUDGED_AT, **asdict(learned)}
                if mode == wanted[0]:  # the others ask other questions: their figures are not comparable
                    first = split
                    figure = f"NDCG@{JUDGED_AT} {learned.ndcg:.4f} ± {learned.standard_error:.4f}"
        if first is not None and first.cut_ms is not None and "borrowed" not in given:
            config = _lent(graph, config.model_copy(update={"modes": modes}), first, wanted[0], seed, remarks)
        if "user" in graph.history.about and question.target != FRIEND:
            remarks.append(befriended.told({mode: modes[mode].theta for mode in wanted}))
        nobody = config.nobody
        if "nobody" not in given and question.target != FRIEND:
            nobody, found = _of_newcomers(graph, config, asked, seed)
            remarks.extend(found)
        return Choice(config.model_copy(update={"modes": modes, "nobody": nobody}), metrics, tuple(remarks), figure)

    def _at(self, now_ms: int | None) -> Scene:
        if now_ms is None:
            return self.scene
        return Scene(self.scene.items, self.scene.weights, now_ms, self.scene.first_day, self.scene.days)

    def _fall(self, matrix: Matrix, row: sparse.csr_array, listed: Rows, left_out: Rows, mix: Mix) -> Scores:
        parts = matrix.parts(row.indices, row.data, listed)
        unit = 1.0  # one signal that is not shaped has the same proportions in any unit
        if mix.kappa or len(mix.theta) > 1:
            unit = unit_of(*matrix.sampled(row.indices, row.data), left_out) if parts.any() else 0.0
        if unit <= 0:
            return np.zeros_like(parts)
        whole = parts.sum(axis=0)
        rest, whole = (np.maximum(x, 0) / np.float32(unit) for x in (whole - parts, whole))
        fall: Scores = np.log1p(mix.kappa * whole) - np.log1p(mix.kappa * rest) if mix.kappa else whole - rest
        return fall

    @cached_property
    def _borrowing(self) -> borrowed.Borrowing | None:
        return borrowed.Borrowing.of(self.matrices)

    @cached_property
    def _floor(self) -> NDArray[np.float32]:
        """Return the popularity of each item, 1 for the most popular."""
        matrix = self.matrices[next(name for name in FLOORS if name in self.matrices)]
        popularity = matrix.apply(sparse.csr_array(np.ones((1, 1), np.float32)))[0]
        return np.asarray(popularity / max(float(popularity.max()), 1e-30), np.float32)

    def signal(self, signal: str, wishes: Profiles, best: NDArray[np.integer] | None = None) -> Scores:
        """Return what one signal says of wishes, in its own unit."""
        name, _, of = signal.partition("|")
        matrix, row = self.matrices[name], wishes.of(of)
        if not row.nnz:
            return np.zeros((wishes.history.users, wishes.scene.items), np.float32)
        return matrix.apply(row) if best is None or not isinstance(matrix, Sum) else matrix.apply_best(row, best)


def learn(
    graph: ShopGraph, config: BlendConfig, split: Split, mode: Mode, seed: int, without_events: bool = False
) -> mixing.Learned | None:
    """Fit every signal of the setting on the split's training part, and learn weights on its held-out pairs.

    With `without_events` those signals alone that say something of a user without events.
    """
    ground = ground_of(graph, config, split.train, seed)
    setting = Setting.of(ground, mode)
    signals = [f"{name}|{profile}" for name, profiles in signals_of(setting).items() for profile in profiles]
    signals = of_nobody(signals) if without_events else signals
    matrices = build(ground, dict.fromkeys(signal.split("|")[0] for signal in signals))
    fitted = Blend(config, ground.scene, matrices)
    asked = np.flatnonzero(split.held.counts)
    lists = []
    for rows in mixing.blocks(len(asked), ground.items, len(signals)):
        history = split.train.of_users(asked[rows])
        left_out = items_had(history, config.target, mode, ground.items)
        wishes = Profiles(wished(history, config.kind_weights), ground.scene)
        scores = {signal: fitted.signal(signal, wishes) for signal in signals}
        lists.append(mixing.propose(scores, left_out, split.held.of_users(asked[rows])))
    return mixing.learn(mixing.together(lists), signals, JUDGED_AT, seed) if lists else None


def _of_newcomers(graph: ShopGraph, config: BlendConfig, asked: int, seed: int) -> tuple[Mix | None, list[str]]:
    """Return the weights for users without events, None where too few people were new of late, and what was found."""
    history = wished(graph.history, config.kind_weights)
    split = newcomers(history, config.target, asked, rng_for("retrieve/newcomers", seed))
    learned = None if split is None else learn(graph, config, split, "target", seed, without_events=True)
    if split is None or learned is None:
        return None, []
    told = mixing.told(learned, split.held, "", JUDGED_AT)
    return Mix(theta=learned.theta, kappa=learned.kappa), [f"Lists of users without any event: {told}"]


def _with_friends(graph: ShopGraph, config: BlendConfig, asked: int, seed: int) -> tuple[Mix, tuple[str, ...]]:
    """Return UNTIMED, with what friends had where a random split is sure that it helps, and what was found."""
    rng = rng_for("retrieve/friends", seed)
    split = random_pairs(graph.history, config.target, rng, share=0.2, most_users=asked)
    if not split.held.counts.any():
        return UNTIMED, ()

    def mix(weight: float) -> Mix:
        theta = UNTIMED.theta | ({f"friends had|{OF_FRIENDS}": weight} if weight else {})
        return Mix(theta=theta, kappa=UNTIMED.kappa)

    def blended(weight: float) -> BlendConfig:
        return config.model_copy(update={"modes": {"target": mix(weight)}})

    fitted = Blend.fit(graph.with_history(split.train), blended(1.0), seed)
    weight, found = befriended.weigh(lambda weight: judged(
        Blend(blended(weight), fitted.scene, fitted.matrices), split, config.target, "target", graph.items
    ))  # fmt: skip
    return mix(weight), (found,)


def _lent(
    graph: ShopGraph, config: BlendConfig, split: Split, mode: Mode, seed: int, remarks: list[str]
) -> BlendConfig:
    """Return the settings with what new items borrow, and remark what was found."""
    before = graph.with_history(split.train)
    new = borrowed.new_items(ground_of(before, config, split.train, seed))
    fitted = Blend.fit(before, config, seed) if np.isin(split.held.item_idx, new).any() else None
    if fitted is None or borrowed.NAME not in fitted.matrices:
        return config

    def judge(factor: float) -> NDArray[np.float64]:
        lent = config.model_copy(update={"borrowed": factor})
        return judged(Blend(lent, fitted.scene, fitted.matrices), split, config.target, mode, graph.items)

    factor, found = borrowed.weigh(split, new, judge)
    remarks.append(found)
    return config.model_copy(update={"borrowed": factor})


def ground_of(graph: ShopGraph, config: BlendConfig, history: History, seed: int) -> Ground:
    """Return what signals are fitted on."""
    history = wished(history, config.kind_weights)
    content = {} if config.target == FRIEND else content_in(graph)
    labels, created = labels_of(graph), created_of(graph)
    return Ground(history, graph.items, config.target, config.kind_weights, labels, seed, content, created)


def _by_profile(mix: Mix) -> dict[str, dict[str, float]]:
    """Return the weights of the signals by which an item can speak for another: profile, then matrix."""
    found: dict[str, dict[str, float]] = {}
    for signal, theta in mix.theta.items():
        matrix, _, name = signal.partition("|")
        if not name.startswith(("anyone", "then", "about ")) and not matrix.startswith("own"):
            found.setdefault(name, {})[matrix] = theta
    return found


def items_had(history: History, target: str, mode: Mode, items: int) -> sparse.csr_array:
    """Return the items that a list leaves out under `mode`."""
    events = history.where(had(history, target, mode))
    cells = (np.ones(len(events.item_idx), np.int8), events.item_idx, events.indptr)
    matrix = sparse.csr_array(cells, (history.users, items), copy=True)  # summing sorts in place
    matrix.sum_duplicates()
    return matrix
