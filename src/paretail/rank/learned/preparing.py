"""Preparing: from a log to what a ranker's network learns from, and the network over the log's users and items."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.data.features.pairs import PairFeatures
from paretail.data.types import Events
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.checking import check_counted, weights_of
from paretail.rank.config import RankConfig
from paretail.rank.earlier import NAMES, Dense, Earlier, Fit, learned_from
from paretail.rank.examples import Examples, learnable
from paretail.rank.leaks import check_leaks
from paretail.rank.learned.fitting import Frame, network_of
from paretail.rank.learned.network import RankNet
from paretail.rank.learned.recent import Moments, Sequences
from paretail.rank.learned.transfer import Origin, started
from paretail.rank.sides import UserSides, crowded, named_item_sides
from paretail.rank.standings import Standings, cuts_of

#: The share of the impressions that a task knows, the newest, on which the ranker is calibrated and judged.
LATER: Final = 0.1


@dataclass(frozen=True, eq=False)
class Prepared:
    """A log's examples and everything that is known of each as of its moment; `remarks` say what is left out."""

    examples: Examples
    features: PairFeatures
    raw: Dense
    sides: UserSides
    standings: Standings
    moments: Moments | None
    earlier: Earlier | None
    more: list[Dense]
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, graph: ShopGraph, events: Events, config: RankConfig, fit: Fit | None, origin: Origin | None) -> Self:
        """Read the log of a graph, each answer behind its list (`data/attribution.in_order`).

        Features are standardised as those of `origin` are, where there is one.

        Raises RankError: RANK-04 where there are too few clicks, RANK-15 where an attribute tells what happened;
        ConfigError (CONF-03) where no task that the log can teach has a weight.
        """
        hours, seconds = config.attribution_hours, config.long_view_seconds
        found = Examples.of(events, graph.nodes["user"], graph.nodes["item"], hours, seconds)
        examples, remarks = learnable(found.settled(), events.frame)
        check_counted(config, examples.tasks)
        remarks += found.waits.remarks(examples.tasks, found.ts_ms) + weights_of(config, examples.tasks)[1]
        remarks += examples.unweighed + crowded(graph)
        if config.leaks == "refuse":
            check_leaks(graph, examples)
        pairs = examples.user_idx, examples.item_idx, examples.ts_ms
        history = graph.history
        features = PairFeatures.of(graph.tables["item"], history)
        raw = features.raw(history, *pairs)
        features = features.standardised_by(raw)
        if origin is not None:
            features = replace(features, mean=origin.mean, scale=origin.scale)
        sides, (user, _, ts_ms) = UserSides.of(history, features.facts), pairs
        earlier, more = learned_from(history, *pairs, fit if config.retrieved else None)
        moments = Moments.of(history, user, ts_ms) if config.recent else None
        standings = Standings.of(sides, history, user, ts_ms, cuts_of(ts_ms, examples.apart(LATER)["click"]))
        return cls(examples, features, raw, sides, standings, moments, earlier, more, remarks + features.constant)

    @property
    def apart(self) -> dict[str, int]:
        """The place up to which each task is learned before it is calibrated on its newer examples."""
        return self.examples.apart(LATER)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which examples some task is calibrated on."""
        return self.examples.held(LATER)

    @property
    def asks(self) -> tuple[str, ...]:
        """What the retriever's columns are called."""
        return NAMES if self.earlier is None else self.earlier.names

    def frame(self, config: RankConfig) -> Frame:
        """Return the examples as tensors."""
        moment = None if self.moments is None else self.moments.place
        return Frame.of(self.examples, self.features, self.raw, config, self.more, moment, self.standings.of_example)

    def network(self, graph: ShopGraph, config: RankConfig, seed: int,
                origin: Origin | None) -> tuple[RankNet, dict[str, list[str]], tuple[str, ...]]:  # fmt: skip
        """Return a network that has learned nothing yet, or what `origin` did; its columns' names; what is to be said.

        Raises RankError (RANK-16) where `origin` is another network.
        """
        item_columns, item_names = named_item_sides(graph)
        names = {"users": self.sides.names(graph), "items": item_names}
        columns = torch.from_numpy(self.standings.columns), torch.from_numpy(item_columns)
        net = network_of(config, self.examples.tasks, *columns, seed, torch.from_numpy(self.standings.user),
                         graph.history.users, self.asks)  # fmt: skip
        if self.moments is not None:
            net.told = Sequences.of(self.moments, config.recent)
        if origin is None:
            return net, names, ()
        return net, names, (started(net, origin, names, graph.nodes["item"]),)
