"""A release: what would go live in place of what a log shows, and what its verdict does.

`ship` puts it live: the version of a bundle becomes the current one of the live bundle, which a service follows; a
setting becomes `[serve] goals` of shop.toml, and an agent what fills the lists of a placement, `[[serve.policies]]`.
`experiment` writes an experiment with 5 % of the users into shop.toml. `keep` does nothing. What was done, or why
nothing was, is told in words.
"""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from paretail.core.errors import Problem, UsageError
from paretail.evaluate.release import Verdict
from paretail.pipeline.agents import GREEDY, need
from paretail.pipeline.bundle import Head, adopt, current, point
from paretail.pipeline.config import PlacementConfig, parse_config
from paretail.pipeline.experiments.starting import begin, ended, filled_by, replaced, serving
from paretail.policy.compositions import Composition
from paretail.policy.config import PolicyConfig
from paretail.policy.goals import TODAY


@dataclass(frozen=True)
class Proposal:
    """What would go live: a bundle (None: the live one stays), a setting of goals (None: it stays), an agent.

    Beside an agent, the setting is what it is aimed at. `served` are the goals that lists have now, `[serve] goals`; an
    agent fills the lists of `placement`, with `explore`
    as its share of random slots (None: it stays). `alone`: a setting or bundle was judged by the lists of this
    placement alone, though there are others.
    """

    live: Path
    bundle: Path | None = None
    setting: str | None = None
    policy: str | None = None
    served: str | None = None
    placement: str = PlacementConfig().placement
    explore: float | None = None
    alone: str | None = None

    @property
    def judged(self) -> Path:
        """The bundle that makes the lists."""
        return self.bundle or self.live

    @property
    def goals(self) -> str | None:
        """The goals of its lists, None for `[policy] base`."""
        asked = self.served if self.setting is None else self.setting
        return None if asked == TODAY else asked

    @property
    def name(self) -> str:
        """What its experiment is called where nobody names it."""
        told = " ".join(one for one in (self.policy, self.setting) if one) or self.served or TODAY
        return told if self.bundle is None else f"{self.bundle.name}: {told}"

    def arm(self, shop: Path) -> dict[str, str]:
        """Return the settings of its arm in a shop.toml, to which paths are relative; none where it is what is served.

        Raises UsageError (EXPT-11) for `today` where lists have other goals: an arm without goals gets those.
        """
        if self.policy is None and self.setting == TODAY and self.served not in (None, TODAY):
            found = f"[serve] goals of {shop.name} is {self.served!r}, which an arm without goals of its own has too"
            do = "Leave --setting out, name goals, or take [serve] goals out and serve without it"
            raise UsageError(Problem("EXPT-11", found, "Expected goals of the arm's own, not 'today'", do))
        bundle = None if self.bundle is None else os.path.relpath(self.bundle, shop.parent)
        told = {"goals": None if self.setting is None else self.goals, "policy": self.policy, "bundle": bundle}
        if self.policy is None and self.setting == TODAY and self.served is None:
            told["composition"] = composition_of(self.judged)  # lists without goals are no slates; those of an arm are
        return {name: value for name, value in told.items() if value is not None}


def composition_of(bundle: Path) -> Composition:
    """Return how slates of a bundle are put together where nobody says: `[policy] composition`."""
    return PolicyConfig.parse(Head.read(bundle).manifest.config.get("policy", {}), "the bundle").composition


def carry_out(
    proposal: Proposal, verdict: Verdict, goal: str, margin: float, shop: Path | None = None, name: str | None = None
) -> list[str]:
    """Do what a verdict says, and return what was done, in words, or why nothing was.

    Raises BundleError for a damaged bundle, UsageError for an experiment that cannot be (EXPT-06, EXPT-10, EXPT-11),
    ConfigError.
    """
    if verdict == "ship" and proposal.alone is not None:
        return [_judged_alone(proposal.alone)]
    if verdict == "ship":
        return ship(proposal, shop)
    if verdict == "keep":
        return ["Nothing was changed: what is live stays"]
    if shop is None:
        return ["Nothing was changed: name the shop.toml with --start, and an experiment is written into it"]
    if not (arm := proposal.arm(shop)):
        return ["Nothing was changed: lists have the goals of [policy] base already, and there is nothing to try"]
    where = proposal.alone if proposal.policy is None else proposal.placement
    begun = begin(shop, name or proposal.name, arm, goal, margin, where)
    return [f"Experiment {begun!r} is in {shop}: serve with it, and ask paretail experiment --config {shop}"]


def _judged_alone(placement: str) -> str:
    return (
        f"Nothing was changed: it was judged by lists of {placement!r} alone, and would be what lists of every "
        "placement are made with. Ask without --placement, or put it live by hand"
    )


def ship(proposal: Proposal, shop: Path | None, ends: str | None = None) -> list[str]:
    """Put a proposal live, and set the experiment `ends` of shop.toml inactive: all of it, or nothing.

    Returns what was done, in words. Raises BundleError (AGENT-13 for one without the agents of [[serve.policies]]),
    UsageError (EXPT-09), ConfigError.
    """
    text = "" if shop is None else shop.read_text(encoding="utf-8")
    if proposal.policy is not None:
        aim = None if proposal.setting is None else proposal.goals
        new = filled_by(text, proposal.placement, proposal.policy, proposal.explore, aim)
    else:
        new = text if proposal.setting is None else serving(text, proposal.setting)
    new = new if ends is None else ended(new, ends)
    if shop is not None and (proposal.bundle is not None or proposal.policy is not None):
        _check_agents(proposal.judged, new, shop.name)
    with nullcontext() if shop is None or new == text else replaced(shop, new):
        done = [] if proposal.bundle is None else [_pointed(proposal.live, proposal.bundle)]
    return [*done, *_told(proposal, shop, ends)]


def _check_agents(bundle: Path, text: str, name: str) -> None:
    """Raise BundleError (AGENT-13) where a bundle lacks an agent that fills lists by a shop.toml."""
    known = Head.read(bundle)
    for one in parse_config(text, name).serve.policies:
        need(known, one.policy)


def _pointed(live: Path, bundle: Path) -> str:
    before, version = current(live), adopt(live, bundle)
    point(live, version)
    back = f"paretail bundles use {before} {live}"
    return f"{version} is current in {live}, and a service that serves it picks it up. Back: {back}"


def _told(proposal: Proposal, shop: Path | None, ends: str | None) -> list[str]:
    """Return what is new in shop.toml, or why nothing is."""
    done = []
    if proposal.policy is not None:
        aimed = "" if proposal.setting is None else f" at {proposal.setting!r}"
        fills = f"lists of {proposal.placement!r} are filled by {proposal.policy!r}{aimed}"
        done = [
            f"[[serve.policies]] was not changed: name the shop.toml with --start, and {fills}"
            if shop is None
            else f"[[serve.policies]] in {shop}: {fills}, from the next start of the service. Back: policy = {GREEDY!r}"
        ]
    if proposal.policy is not None:
        return done if ends is None else [*done, f"{ends} is inactive in {shop}, from the next start of the service"]
    if proposal.setting is not None and shop is None:
        done.append("[serve] goals was not changed: name the shop.toml with --start, and they are written into it")
    elif proposal.setting is not None:
        until = "" if proposal.bundle is None else "; until then it serves the new bundle with the old goals"
        done.append(f"[serve] goals in {shop}: {proposal.setting!r}, from the next start of the service{until}")
    return done if ends is None else [*done, f"{ends} is inactive in {shop}, from the next start of the service"]
