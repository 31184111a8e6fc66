"""Agents in a bundle: published beside the model, hashed like every file of it, loaded when an answer asks for one.

    arrays   agent-NAME: the agent's own two files (`policy/agents/storage.py`) as bytes
    tables   agent-NAME: the item of each row that the agent knows
    facts    agents.NAME: kind, slots, steps, how many numbers of an item describe users, on which visits it learned and
             how it was judged, and the goals that dials move it by, if it learned for several

A dial moves an agent by what goals count. It learned for all weightings of its goals, each in a unit of which the
average click brings one; with dials d_g its weights are

    w = (1 - Σ d) usual + Σ_g d_g e_g,   divided by their sum where Σ d > 1

where usual is clicks and purchases, e_g all for one goal; `maximise` is a dial at 1. Deviation from dials of composed
slates: d is a share of the weights, not of the goal's reachable range.

An agent knows items by their ids: after an update it goes on showing those that it learned of.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import BundleError, Problem, UsageError, nearest
from paretail.core.ids import Rows
from paretail.pipeline.bundle import Bundle, Draft, Head, publish
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import Wares
from paretail.policy.config import PolicyConfig
from paretail.policy.goals import Goals, resolved

Values = NDArray[np.float64]
FACT: Final = "agents"
#: The policy of a service without agents.
GREEDY: Final = "greedy"
_FILES: Final = ("manifest.json", "agent.safetensors")


@dataclass(frozen=True, eq=False)
class AgentGoals:
    """Goals that an agent learned for: names, units (what a click brings on average) and the usual weights."""

    names: tuple[str, ...]
    units: Values
    usual: Values

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> "AgentGoals | None":
        """Return those of an agent's facts, None where it learned for one reward."""
        told = about.get("goals")
        return None if told is None else cls(tuple(told["names"]), np.array(told["units"]), np.array(told["usual"]))

    def takes(self, setting: Goals) -> bool:
        """Whether a setting, presets resolved, asks for nothing but these goals."""
        return not setting.keep and set(setting.names) <= set(self.names)

    def weights(self, setting: Goals | None) -> Values:
        """Return the weights of a setting that these goals take, together 1; None: the usual ones."""
        dial = {} if setting is None else setting.dial or dict.fromkeys(setting.names, 1.0)
        dials = np.array([dial.get(name, 0.0) for name in self.names])
        found = max(0.0, 1 - dials.sum()) * self.usual + dials
        return np.asarray(found / found.sum())


@dataclass(eq=False)
class ShopAgent:
    """An agent of a bundle: `rows[known]` are its items' rows in the bundle, -1 where they are gone."""

    name: str
    agent: Any
    wares: Wares
    rows: Rows
    goals: AgentGoals | None = None
    presets: Mapping[str, Goals] = field(default_factory=dict)

    def weights(self, setting: Goals | None) -> Values | None:
        """Return the weights that a setting of goals, or None, means for the agent; None of one that has no goals.

        Raises UsageError (AGENT-15) for goals that it has not, PolicyError (POL-04) for a preset that does not exist.
        """
        if setting is not None:
            setting = resolved(setting, self.presets)
            if self.goals is None or not self.goals.takes(setting):
                raise self._without(setting)
        return None if self.goals is None else self.goals.weights(setting)

    def _without(self, setting: Goals) -> UsageError:
        known = "none: it learned one reward" if self.goals is None else f"dials of {', '.join(self.goals.names)} alone"
        found = f"goals of {', '.join(setting.names)} for the agent {self.name!r}"
        do = "Leave the goals out, ask for policy greedy, or learn an agent for goals: paretail learn --dials"
        return UsageError(Problem("AGENT-15", found, f"Expected {known}", do))

    @cached_property
    def of_bundle(self) -> dict[int, int]:
        """The agent's row of each row of the bundle that it knows."""
        return {row: mine for mine, row in enumerate(self.rows.tolist()) if row >= 0}


def add_agent(root: Path, name: str, folder: Path, wares: Wares, told: Mapping[str, Any], turn: bool = True) -> str:
    """Publish a new version of a bundle that holds an agent which was saved to `folder`; return its name.

    Its items are those of `wares`, by whose vectors it must have learned.
    Raises BundleError (AGENT-12 where it did not).
    """
    from paretail.learn import checkpoint

    vectors = checkpoint.load(folder / _FILES[1]).tensors["vectors"].numpy()
    if vectors.shape != wares.vectors.shape or not np.allclose(vectors, wares.vectors, atol=1e-3):
        unlike = "by other vectors of them" if len(vectors) == len(wares.ids) else f"of {len(vectors):,} items"
        found = f"{folder}: the bundle has {len(wares.ids):,} items, the agent learned {unlike}"
        do = "Learn it anew, on the bundle as it is: paretail learn --env logs --publish --out NEW_FOLDER"
        raise BundleError(Problem("AGENT-12", found, "Expected an agent that learned of these items", do))
    kept = Bundle.load(root)
    manifest = json.loads((folder / _FILES[0]).read_text(encoding="utf-8"))
    group = _group(name)
    draft = Draft(
        kept.manifest.config, kept.manifest.data_fingerprint, kept.manifest.metrics, dict(kept.manifest.facts),
        {key: dict(values) for key, values in kept.arrays.items()}, dict(kept.tables),
    )  # fmt: skip
    draft.arrays[group] = {file: np.frombuffer((folder / file).read_bytes(), np.uint8) for file in _FILES}
    draft.tables[group] = wares.ids.rename("item_id").to_frame()
    about = {
        "kind": manifest["agent"],
        "slots": manifest["slots"],
        "steps": manifest["steps"],
        "leading": wares.leading,
    }
    draft.facts[FACT] = {**draft.facts.get(FACT, {}), name: {**about, **told}}
    return publish(draft, root, turn)


def carry(parent: Recommender, draft: Draft) -> None:
    """Put the agents of a bundle into what follows from it."""
    for name in parent.manifest.facts.get(FACT, {}):
        group = _group(name)
        draft.arrays[group] = dict(parent.arrays(group))
        draft.tables[group] = parent.table(group)


def agent_of(recommender: Recommender, name: str) -> ShopAgent:
    """Return an agent of a bundle; raises BundleError (AGENT-13) where it has none of that name."""
    agents = recommender.manifest.facts.get(FACT, {})
    if name not in agents:
        raise _missing(recommender, name)
    from paretail.policy.agents import AGENTS, FROM_LOGS

    kinds: dict[str, Any] = {**AGENTS, **FROM_LOGS}
    group = _group(name)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in recommender.arrays(group).items():
            (Path(folder) / file).write_bytes(np.asarray(content, np.uint8).tobytes())
        agent = kinds[agents[name]["kind"]].load(Path(folder))
    ids: pl.Series = recommender.table(group)["item_id"]
    wares = Wares(agent.vectors, int(agents[name]["leading"]), ids)
    return ShopAgent(
        name, agent, wares, recommender.items.rows(ids), AgentGoals.of(agents[name]), presets_of(recommender)
    )


def goals_of(bundle: Recommender | Head, name: str) -> AgentGoals | None:
    """Return the goals of an agent of a bundle, None where it has none or is not there."""
    return AgentGoals.of(bundle.manifest.facts.get(FACT, {}).get(name, {}))


def need(bundle: Recommender | Head, policy: str | None) -> None:
    """Raise BundleError (AGENT-13) where a bundle has no agent for a policy."""
    if policy not in (None, GREEDY, *bundle.manifest.facts.get(FACT, {})):
        raise _missing(bundle, str(policy))


def presets_of(recommender: Recommender) -> Mapping[str, Goals]:
    """Return the presets of a bundle's goals."""
    return PolicyConfig.parse(recommender.manifest.config.get("policy", {}), "the bundle").presets


def names(recommender: Recommender) -> list[str]:
    """Return the agents of a bundle."""
    return sorted(recommender.manifest.facts.get(FACT, {}))


def _missing(bundle: Recommender | Head, policy: str) -> BundleError:
    found = f"bundle version {bundle.version} has no agent {policy!r}"
    known = [GREEDY, *bundle.manifest.facts.get(FACT, {})]
    do = "Learn one and publish it: paretail learn --env logs --publish"
    return BundleError(Problem("AGENT-13", found, f"Expected {nearest(policy, known)}", do))


def _group(name: str) -> str:
    return f"agent-{name}"


__all__ = ["AgentGoals", "ShopAgent", "add_agent", "agent_of", "carry", "goals_of", "names", "need"]
