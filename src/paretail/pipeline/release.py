"""A release: what would go live in place of what a log shows, and what its verdict does.

`ship` puts it live: the version of a bundle becomes the current one of the live bundle, which a service follows; a
setting becomes `[serve] goals` of shop.toml. `experiment` writes an experiment with 5 % of the users into shop.toml.
`keep` does nothing.
"""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from paretail.evaluate.release import Verdict
from paretail.pipeline.bundle import adopt, current, point
from paretail.pipeline.experiments.starting import begin, ended, replaced, serving
from paretail.pipeline.forecast import TODAY


@dataclass(frozen=True)
class Proposal:
    """What would go live: a bundle (None: the live one stays), a setting of goals (None: it stays), an agent.

    `served` are the goals that lists have now, `[serve] goals`.
    """

    live: Path
    bundle: Path | None = None
    setting: str | None = None
    policy: str | None = None
    served: str | None = None

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
        told = self.setting or self.policy or self.served or TODAY
        return told if self.bundle is None else f"{self.bundle.name}: {told}"

    def arm(self, shop: Path) -> dict[str, str]:
        """Return the settings of its arm in a shop.toml, to which paths are relative."""
        bundle = None if self.bundle is None else os.path.relpath(self.bundle, shop.parent)
        told = {"goals": None if self.setting is None else self.goals, "policy": self.policy, "bundle": bundle}
        return {name: value for name, value in told.items() if value is not None}


def carry_out(
    proposal: Proposal, verdict: Verdict, goal: str, margin: float, shop: Path | None = None, name: str | None = None
) -> list[str]:
    """Do what a verdict says, and return what was done, in words.

    Raises BundleError for a damaged bundle, UsageError (EXPT-06) for a name that is taken, ConfigError.
    """
    if verdict == "experiment" and shop is not None and proposal.arm(shop):
        begun = begin(shop, name or proposal.name, proposal.arm(shop), goal, margin)
        return [f"Experiment {begun!r} is in {shop}: serve with it, and ask paretail experiment --config {shop}"]
    return ship(proposal, shop) if verdict == "ship" else []


def ship(proposal: Proposal, shop: Path | None, ends: str | None = None) -> list[str]:
    """Put a proposal live, and set the experiment `ends` of shop.toml inactive: all of it, or nothing.

    Returns what was done, in words. Raises BundleError, UsageError (EXPT-09), ConfigError.
    """
    text = "" if shop is None else shop.read_text(encoding="utf-8")
    new = text if proposal.setting is None else serving(text, proposal.goals)
    new = new if ends is None else ended(new, ends)
    with nullcontext() if shop is None or new == text else replaced(shop, new):
        done = [] if proposal.bundle is None else [_pointed(proposal.live, proposal.bundle)]
    return done if shop is None else [*done, *_told(proposal, shop, ends)]


def _pointed(live: Path, bundle: Path) -> str:
    before, version = current(live), adopt(live, bundle)
    point(live, version)
    back = f"paretail bundles use {before} {live}"
    return f"{version} is current in {live}, and a service that serves it picks it up. Back: {back}"


def _told(proposal: Proposal, shop: Path, ends: str | None) -> list[str]:
    """Return what is new in shop.toml."""
    done = []
    if proposal.setting is not None:
        goals = "none" if proposal.goals is None else repr(proposal.goals)
        until = "" if proposal.bundle is None else "; until then it serves the new bundle with the old goals"
        done.append(f"[serve] goals in {shop}: {goals}, from the next start of the service{until}")
    return done if ends is None else [*done, f"{ends} is inactive in {shop}, from the next start of the service"]
