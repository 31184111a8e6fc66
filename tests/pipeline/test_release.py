"""`paretail release`: a log lets a bundle or setting go live, or it starts as a small experiment."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from paretail.core.errors import BundleError, ConfigError, UsageError
from paretail.evaluate.release import Verdict
from paretail.pipeline.agents import FACT
from paretail.pipeline.bundle import Draft, adopt, current, publish, versions
from paretail.pipeline.config import ServeConfig, load_config
from paretail.pipeline.experiments import ending
from paretail.pipeline.experiments.looking import Effect, Status
from paretail.pipeline.experiments.starting import begin, replaced, serving
from paretail.pipeline.release import Proposal, carry_out

from ..trained import DemoShop, paretail

SHOP = '# our shop\n[data]\nevents = "e.csv"\n[serve]  # here\nport = 8001\n[store]\n'
SETTING = "clicks=1"


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Return a bundle that is live."""
    publish(Draft({}, "live"), tmp_path / "live")
    return tmp_path / "live"


def _serve_goals(file: Path, goals: str | None) -> None:
    with replaced(file, serving(file.read_text(encoding="utf-8"), goals)):
        pass


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    (tmp_path / "shop.toml").write_text(SHOP, encoding="utf-8")
    return tmp_path / "shop.toml"


@pytest.fixture(scope="module")
def shown(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return a log of days after the training: what the bundle itself shows under SETTING, every fourth one clicked."""
    pytest.importorskip("torch")
    out = tmp_path_factory.mktemp("shown") / "slates.parquet"
    done = paretail(
        "recommend", "--bundle", shop.bundle, "-k", 5, "--goals", SETTING, "--exclude", "none", "--out", out
    )
    assert done.code == 0, done.err
    lists = pl.read_parquet(out).select(
        visitor_id="user_id", sku="item_id", action=pl.lit("show"), timestamp=pl.lit("2026-01-01T06:00:00Z"),
        request_id="r" + pl.col("user_id"), slot="rank", propensity=pl.lit(1.0),
    )  # fmt: skip
    clicks = lists.gather_every(4).with_columns(
        action=pl.lit("click"), timestamp=pl.lit("2026-01-01T06:01:00Z"), slot=pl.lit(None, pl.Int32),
        propensity=pl.lit(None, pl.Float64),
    )  # fmt: skip
    return pl.concat([lists, clicks])


@pytest.fixture
def log(shown: pl.DataFrame, tmp_path: Path) -> Path:
    shown.write_csv(tmp_path / "shown.csv")
    return tmp_path / "shown.csv"


def _release(live: Path, shop: DemoShop, log: Path, *more: object) -> tuple[int, str]:
    asked = ("--bundle", live, "--candidate", shop.bundle, "--log", log, "-k", 5, "--goal", "clicks", "--margin", 5)
    done = paretail("release", *asked, *more)
    assert done.err == ""
    return done.code, done.out


def test_a_bundle_that_is_not_worse_goes_live(live: Path, shop: DemoShop, log: Path) -> None:
    before = current(live)
    code, out = _release(live, shop, log, "--setting", SETTING, "--json")
    told = json.loads(out)
    assert (code, told["verdict"], told["refused"]) == (0, "ship", [])
    assert told["candidate"] == pytest.approx(told["incumbent"])
    assert current(live) == current(shop.bundle)
    assert f"bundles use {before} {live}" in told["done"][0]


def test_what_the_log_cannot_judge_starts_as_an_experiment(
    live: Path, shop: DemoShop, shown: pl.DataFrame, toml: Path
) -> None:
    unlogged = toml.with_name("unlogged.csv")
    shown.drop("propensity").write_csv(unlogged)
    code, out = _release(live, shop, unlogged, "--start", toml, "--name", "anew")
    assert code == 3
    assert "OFFP-02" in out
    assert "[policy] explore" in out
    assert versions(live) == [current(live)]
    (found,) = load_config(toml).experiments
    assert [(arm.name, arm.share, arm.goals) for arm in found.arms] == [("live", 0.95, None), ("candidate", 0.05, None)]
    assert Path(str(found.beside(toml.parent).arms[1].bundle)).resolve() == shop.bundle.resolve()


def test_a_bundle_is_not_judged_by_what_it_has_learned_and_a_dry_run_does_nothing(
    live: Path, shop: DemoShop, toml: Path
) -> None:
    code, out = _release(live, shop, shop.folder / "events.csv.gz", "--start", toml, "--dry-run")
    assert code == 3
    assert "OFFP-11" in out
    assert toml.read_text(encoding="utf-8") == SHOP


def test_a_setting_that_is_not_worse_is_what_lists_serve(shop: DemoShop, log: Path, toml: Path) -> None:
    asked = ("--bundle", shop.bundle, "--log", log, "-k", 5, "--goal", "clicks", "--margin", 5, "--setting", SETTING)
    done = paretail("release", *asked, "--start", toml)
    assert done.code == 0, done.out
    assert load_config(toml).serve == ServeConfig(port=8001, goals=SETTING)
    assert "[serve] goals" in done.out


def test_what_would_go_live_must_be_said(shop: DemoShop, log: Path) -> None:
    assert "CLI-29" in paretail("release", "--bundle", shop.bundle, "--log", log).err


def test_what_is_served_is_changed_and_comments_stay(toml: Path) -> None:
    for goals in ("revenue=0.5", "diversity=1.0", None):
        _serve_goals(toml, goals)
        assert load_config(toml).serve.goals == goals
    assert toml.read_text(encoding="utf-8") == SHOP
    toml.write_text('[data]\nevents = "e.csv"\n', encoding="utf-8")
    _serve_goals(toml, "revenue=0.5")
    assert load_config(toml).serve.goals == "revenue=0.5"


def test_a_bundle_alone_is_judged_with_the_goals_that_are_served(tmp_path: Path, toml: Path) -> None:
    alone = Proposal(tmp_path / "live", tmp_path / "next", served="revenue=0.5")
    assert (alone.goals, alone.arm(toml)) == ("revenue=0.5", {"bundle": "next"})
    today = Proposal(tmp_path / "live", tmp_path / "next", "today", served="revenue=0.5")
    assert today.goals is None
    with pytest.raises(UsageError, match="EXPT-11"):
        carry_out(today, "experiment", "clicks", 0.0, toml)
    _serve_goals(toml, "revenue=0.5")
    assert carry_out(Proposal(tmp_path / "live", setting="today"), "ship", "clicks", 0.0, toml) != []
    assert load_config(toml).serve.goals == "today"  # slates of [policy] base, as they were judged


@pytest.mark.parametrize("wrong", ['serve = {bundle = "live"}', "experiments = []\nserve = {}"])
def test_nothing_goes_live_by_half(live: Path, tmp_path: Path, wrong: str) -> None:
    file, before = tmp_path / "shop.toml", current(live)
    file.write_text(f'{wrong}\n[data]\nevents = "e.csv"\n', encoding="utf-8")
    publish(Draft({}, "next"), tmp_path / "next")
    proposal = Proposal(live, tmp_path / "next", "revenue=0.5")
    with pytest.raises(ConfigError, match=r"shop\.toml is not valid"):
        carry_out(proposal, "ship", "clicks", 0.0, file)
    assert (versions(live), current(live)) == ([before], before)
    file.write_text('[data]\nevents = "e.csv"\n[serve]\n  goals = "clicks=1"\n', encoding="utf-8")
    told = carry_out(proposal, "ship", "clicks", 0.0, file)
    assert "the new bundle with the old goals" in told[1]
    assert load_config(file).serve.goals == "revenue=0.5"
    assert current(live) == current(tmp_path / "next")


def test_it_says_why_nothing_was_changed(tmp_path: Path, toml: Path) -> None:
    def told(verdict: Verdict, shop: Path | None, **what: str) -> str:
        (line,) = carry_out(Proposal(tmp_path / "live", **what), verdict, "clicks", 0.0, shop)  # type: ignore[arg-type]
        return line

    assert "nothing to try" in told("experiment", toml, setting="today", served="today")
    assert "--start" in told("experiment", None, setting="clicks=1")
    assert "--start" in told("ship", None, setting="clicks=1")
    assert "--start" in told("ship", None, policy="iql")
    assert "stays" in told("keep", toml, setting="clicks=1")
    assert toml.read_text(encoding="utf-8") == SHOP


def test_slates_of_the_base_are_tried_where_lists_are_none_yet(live: Path, toml: Path) -> None:
    (told,) = carry_out(Proposal(live, setting="today"), "experiment", "clicks", 0.0, toml)
    assert "Experiment 'today'" in told
    assert [arm.composition for arm in load_config(toml).experiments[0].arms] == [None, "greedy"]


def test_what_is_tried_is_composed_as_it_was_judged(tmp_path: Path, toml: Path) -> None:
    publish(Draft({"policy": {"composition": "mmr"}}, "live"), tmp_path / "live")
    carry_out(Proposal(tmp_path / "live", setting="today"), "experiment", "clicks", 0.0, toml)
    (experiment,) = load_config(toml).experiments
    today = experiment.arms[1]
    assert today.composition == "mmr"
    better = Effect("clicks", "share", "more", 1.0, 2.0, 1.0, 0.5, 1.5)
    ships = [Status(today.name, 120, 120, (better,), "ship", ())]
    (told,) = ending.finish(toml, experiment, ships, None)
    assert "composition = 'mmr' must be put live by hand" in told
    assert "[serve] goals" in ending.finish(toml, experiment, ships, tmp_path / "live")[0]
    assert load_config(toml).serve.goals == "today"
    assert not load_config(toml).experiments[0].active


def test_what_was_judged_on_one_placement_goes_live_on_no_other(live: Path, toml: Path) -> None:
    what = Proposal(live, setting="revenue=0.5", alone="home")
    (told,) = carry_out(what, "ship", "clicks", 0.0, toml)
    assert "'home' alone" in told
    assert toml.read_text(encoding="utf-8") == SHOP
    carry_out(what, "experiment", "clicks", 0.0, toml)
    assert load_config(toml).experiments[0].placement == "home"


def test_a_bundle_that_cannot_go_live_leaves_shop_toml(live: Path, toml: Path) -> None:
    with pytest.raises(BundleError):
        carry_out(Proposal(live, toml.with_name("none"), "revenue=0.5"), "ship", "clicks", 0.0, toml)
    assert toml.read_text(encoding="utf-8") == SHOP


def test_a_link_to_shop_toml_and_its_mode_stay(toml: Path) -> None:
    toml.chmod(0o640)
    link = toml.with_name("linked.toml")
    link.symlink_to(toml)
    _serve_goals(link, "revenue=0.5")
    assert link.is_symlink()
    assert load_config(toml).serve.goals == "revenue=0.5"
    assert toml.stat().st_mode & 0o777 == 0o640
    assert {file.name for file in toml.parent.iterdir()} == {"shop.toml", "linked.toml"}
    with pytest.raises(ConfigError, match=r"shop\.toml: "), replaced(toml, SHOP + "keep = 1\n"):
        pytest.fail("nothing is done for a text that is not right")


def test_an_agent_starts_as_an_arm_on_its_placement(live: Path, toml: Path) -> None:
    told = carry_out(Proposal(live, policy="iql", placement="home"), "experiment", "clicks", 0.0, toml)
    assert "Experiment 'iql'" in told[0]
    (found,) = load_config(toml).experiments
    assert ([arm.policy for arm in found.arms], found.placement) == ([None, "iql"], "home")
    assert found.guardrails == ["purchases"]
    begin(toml, "elsewhere", {"policy": "iql"}, "clicks", 0.0, "basket")
    with pytest.raises(UsageError, match="EXPT-10"):
        begin(toml, "again", {"policy": "iql"}, "clicks", 0.0, "home")
    begin(toml, "all", {"goals": "clicks=1"}, "clicks", 0.0)
    with pytest.raises(UsageError, match="EXPT-10"):
        begin(toml, "later", {"policy": "iql"}, "clicks", 0.0, "page")


def test_an_agent_goes_live_on_its_placement_with_its_bundle_or_in_that_of_now(live: Path, toml: Path) -> None:
    other = publish(Draft({}, "next", facts={FACT: {"iql": {}, "ppo": {}}}), toml.with_name("next"))
    with pytest.raises(BundleError, match="AGENT-13"):
        carry_out(Proposal(live, policy="iql"), "ship", "clicks", 0.0, toml)
    assert toml.read_text(encoding="utf-8") == SHOP
    told = carry_out(Proposal(live, toml.with_name("next"), policy="iql"), "ship", "clicks", 0.0, toml)
    assert current(live) == other
    assert "lists of 'for-you' are filled by 'iql'" in told[1]
    (fills,) = load_config(toml).serve.policies
    assert (fills.placement, fills.policy, fills.explore) == ("for-you", "iql", 0.0)
    with toml.open("a", encoding="utf-8") as more:
        more.write('timeout_ms = 70  # slow\nexplore = 0.1\n\n[[serve.policies]]\nplacement = "home"\n[search]\n')
    carry_out(Proposal(live, policy="ppo"), "ship", "clicks", 0.0, toml)
    carry_out(Proposal(live, policy="iql", placement="home", explore=0.2), "ship", "clicks", 0.0, toml)
    found = {one.placement: (one.policy, one.explore, one.timeout_ms) for one in load_config(toml).serve.policies}
    assert found == {"for-you": ("ppo", 0.1, 70.0), "home": ("iql", 0.2, 50.0)}
    assert "# slow" in toml.read_text(encoding="utf-8")
    before = load_config(toml).serve.goals
    carry_out(Proposal(live, setting="revenue=0.5", policy="ppo"), "ship", "clicks", 0.0, toml)
    config = load_config(toml).serve
    assert [one.goals for one in config.policies if one.policy == "ppo"] == ["revenue=0.5"]
    assert config.goals == before  # the setting is what the agent is aimed at
    carry_out(Proposal(live, policy="ppo"), "ship", "clicks", 0.0, toml)
    assert {one.goals for one in load_config(toml).serve.policies} == {None}
    publish(Draft({}, "after"), toml.with_name("after"))
    with pytest.raises(BundleError, match="AGENT-13"):  # it lacks the agents that fill lists
        carry_out(Proposal(live, toml.with_name("after")), "ship", "clicks", 0.0, toml)
    assert current(live) == other


def test_a_bundle_takes_in_that_of_another_and_nothing_damaged(live: Path, shop: DemoShop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(shop.bundle, other)
    assert paretail("bundles", "adopt", other, live).code == 0
    assert adopt(live, other) == current(live) == current(shop.bundle)
    next((other / "versions" / current(other)).glob("*.arrow")).write_bytes(b"")
    with pytest.raises(BundleError, match="BNDL-02"):
        adopt(live, other)
    with pytest.raises(BundleError, match="BNDL-01"):
        adopt(tmp_path / "none", shop.bundle)
