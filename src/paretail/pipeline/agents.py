"""Agents in a bundle: published beside the model, hashed like every file of it, loaded when an answer asks for one.

    arrays   agent-NAME: the agent's own two files (`policy/agents/storage.py`) as bytes
    tables   agent-NAME: the item of each row that the agent knows
    facts    agents.NAME: kind, slots, steps, how many numbers of an item describe users, and how it was judged

An agent knows items by their ids: after an update it goes on showing those that it learned of.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from paretail.core.errors import BundleError, Problem, nearest
from paretail.core.ids import Rows
from paretail.pipeline.bundle import Bundle, Draft, Head, publish
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.sessions import Wares

FACT: Final = "agents"
#: The policy of a service without agents.
GREEDY: Final = "greedy"
_FILES: Final = ("manifest.json", "agent.safetensors")


@dataclass(eq=False)
class ShopAgent:
    """An agent of a bundle: `rows[known]` are its items' rows in the bundle, -1 where they are gone."""

    name: str
    agent: Any
    wares: Wares
    rows: Rows

    @cached_property
    def of_bundle(self) -> dict[int, int]:
        """The agent's row of each row of the bundle that it knows."""
        return {row: mine for mine, row in enumerate(self.rows.tolist()) if row >= 0}


def add_agent(root: Path, name: str, folder: Path, wares: Wares, told: Mapping[str, Any], turn: bool = True) -> str:
    """Publish a new version of a bundle that holds an agent which was saved to `folder`; return its name.

    Its items are those of the bundle's current version, in their order. Raises BundleError.
    """
    kept = Bundle.load(root)
    manifest = json.loads((folder / _FILES[0]).read_text(encoding="utf-8"))
    group = _group(name)
    draft = Draft(
        kept.manifest.config, kept.manifest.data_fingerprint, kept.manifest.metrics, dict(kept.manifest.facts),
        {key: dict(values) for key, values in kept.arrays.items()}, dict(kept.tables),
    )  # fmt: skip
    draft.arrays[group] = {file: np.frombuffer((folder / file).read_bytes(), np.uint8) for file in _FILES}
    draft.tables[group] = kept.tables["items"].select("item_id")
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
    return ShopAgent(name, agent, Wares(agent.vectors, int(agents[name]["leading"])), recommender.items.rows(ids))


def need(bundle: Recommender | Head, policy: str | None) -> None:
    """Raise BundleError (AGENT-13) where a bundle has no agent for a policy."""
    if policy not in (None, GREEDY, *bundle.manifest.facts.get(FACT, {})):
        raise _missing(bundle, str(policy))


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


__all__ = ["ShopAgent", "add_agent", "agent_of", "carry", "names", "need"]
