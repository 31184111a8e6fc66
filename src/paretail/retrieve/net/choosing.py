"""Choosing the settings of a graph model: points tried one after the other, each trained while validation gains.

A setting is kept where the users' NDCG@20 grows by more than one standard error, as in `retrieve/tune.py`; the epochs
of the fit are those after which the validation of the best point was best. Of each point biases are lifted while that
gains: lists change, and nothing has to be trained.
"""

from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from paretail.core.errors import ConfigError
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode
from paretail.data.splits import Split
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.fitting import PATIENCE, FitContext, as_validated
from paretail.retrieve.models.graph import GraphModel
from paretail.retrieve.net import serving, training
from paretail.retrieve.net.network import Network
from paretail.retrieve.question import held_out
from paretail.retrieve.spec import GraphModelSpec
from paretail.retrieve.tune import MOST_ASKED, Trial, judged, out_of_time

Settings = dict[str, Any]
#: What is tried, one after the other; what cannot go together with the point so far is left out.
STEPS: Final[tuple[Settings, ...]] = (
    {"epochs": 16}, {"temperature": 0.1}, {"start_rounds": 1}, {"bias_start": 0.4}, {"dim": 128}, {"attributes": True},
    {"edge_dropout": 0.2}, {"temperature": 0.2}, {"depth": 3},
)  # fmt: skip
#: What biases are lifted to, one after the other.
LIFTS: Final = (0.2, 0.4, 0.6)
#: What is said where a graph is too large for steps that see all of it.
SAMPLED: Final = (
    f"A step of the whole graph would take over {training.MOST_BYTES >> 30} GiB: with sampling = 'auto' each sees a "
    "sample around its batch, without the edges that it predicts"
)


def choose(
    model: type[GraphModel], graph: ShopGraph, question: Question, given: Settings, seed: int, seconds: float,
    progress: Progress,
) -> Choice:  # fmt: skip
    """Return the best point found within `seconds`, near the defaults of `model`; what is `given` stays."""
    mode = question.mode
    split = held_out(graph.history, question.target, mode, MOST_ASKED, rng_for(f"retrieve/tune/{mode}", seed))
    first = {"weights": kind_weights(question.wishes) | dict(question.weights)} | given
    if not split.held.counts.any():
        return Choice(model.config_type.parse(first, "[model.settings]"), remarks=("too few events to tune on",))
    search = _Search(model, graph.with_history(split.train), split, question.target, mode, given, seed)
    until, best = monotonic() + seconds, search.trial(first, seconds)
    steps = [{"weights": {question.target: 1.0}}, *STEPS] if len(question.wishes) > 1 else STEPS
    untried = 0
    for number, step in enumerate(steps):
        settings = best.settings | {key: value for key, value in step.items() if key not in given}
        if not search.possible(settings) or search.spec(settings) == search.spec(best.settings):
            continue
        left = until - monotonic()
        if 1.5 * search.longest > left:
            untried = len(steps) - number
            break
        progress(f"Tuning {model.name}", number / len(steps))
        trial = search.trial(settings, left)
        best = trial if trial.beats(best) else best
    return search.told(best, out_of_time(untried, seconds))


@dataclass
class _Search:
    """What stays the same from trial to trial, and what they cost."""

    model: type[GraphModel]
    graph: ShopGraph
    split: Split
    target: str
    mode: Mode
    given: Settings
    seed: int
    tried: int = 0
    longest: float = 0.0
    sampled: bool = False

    def trial(self, settings: Settings, seconds: float) -> Trial:
        """Train under `settings`, for half of `seconds` at most, and find the epochs that suit.

        The learning rate falls in the fit as it did here, where training may have ended before it was 0.
        """
        began, spec = monotonic(), self.spec(settings)
        pairs = training.pairs_of(self.graph, spec)
        network = training.network_of(self.graph, spec, pairs, self.seed)
        self.sampled |= spec.sampling == "auto" and training.samples(network)
        context = FitContext(minutes=max(seconds, 1.0) / 120)
        run = training.train(network, pairs, self.seed, context, self._judge, PATIENCE)
        found = {} if "epochs" in self.given else as_validated(spec, run.to_json())
        self.tried, self.longest = self.tried + 1, max(self.longest, monotonic() - began)
        return self._lifted(network, Trial(settings | found, self._ndcg(network), run.to_json()))

    def _lifted(self, network: Network, trial: Trial) -> Trial:
        """Return the trial with its biases lifted as far as that gains; leaves the network's settings changed."""
        spec = network.spec
        if "bias_lift" in self.given or not spec.bias:
            return trial
        for lift in LIFTS:
            if lift > spec.bias_lift:
                network.spec = spec.model_copy(update={"bias_lift": lift})
                lifted = replace(trial, settings=trial.settings | {"bias_lift": lift}, ndcg=self._ndcg(network))
                if not lifted.beats(trial):
                    break
                trial = lifted
        return trial

    def possible(self, settings: Settings) -> bool:
        """Say whether settings can go together, and say something of this shop."""
        try:
            spec = self.spec(settings)
        except ConfigError:
            return False
        return not spec.attributes or len(self.graph.edges) > 0

    def told(self, best: Trial, cut: str) -> Choice:
        """Return the choice."""
        config = self.spec(best.settings)
        short = ", cut by the time" if best.run and best.run["stopped"] == "minutes" else ""
        choice = best.chosen(config, self.mode, self.tried, f"; {config.epochs} epochs{short}", cut)
        return replace(choice, remarks=(*choice.remarks, SAMPLED)) if self.sampled else choice

    def spec(self, settings: Settings) -> GraphModelSpec:
        """Return the point that settings stand for."""
        spec = self.model.config_type.parse(settings, "[model.settings]")
        assert isinstance(spec, GraphModelSpec)
        return spec

    def _judge(self, network: Network) -> float:
        return float(self._ndcg(network).mean())

    def _ndcg(self, network: Network) -> Any:
        fitted = self.model.from_arrays(serving.arrays_of(network), network.spec)
        return judged(fitted, self.split, self.target, self.mode, self.graph.items)
