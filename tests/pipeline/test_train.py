"""Training decides what is asked, is reproducible, and publishes all or nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import BundleError, ConfigError, DataError
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, History, Shop, Users
from paretail.pipeline import bundle, train
from paretail.pipeline.bundle import Bundle, current, versions
from paretail.pipeline.config import ShopConfig, load_config
from paretail.pipeline.drafting import fingerprint
from paretail.pipeline.train import question_of, repeats, train_shop, words
from paretail.policy import PolicyError
from paretail.policy.config import PolicyConfig
from paretail.policy.goals import Goals

from ..trained import DemoShop, parts


def shop_of(*events: tuple[str, str, str, int], time: str = "clock") -> Shop:
    """Build from (user, item, kind, time)."""
    frame = pl.DataFrame(events, {"user_id": pl.String, "item_id": pl.String, "kind": pl.String, "ts_ms": pl.Int64},
                         orient="row")  # fmt: skip
    rest = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in frame.columns}
    return Shop(Events(frame.with_columns(**rest).select(*EVENT_COLUMNS), time))  # type: ignore[arg-type]


def history_of(*events: tuple[str, str, str, int], time: str = "clock") -> History:
    shop = shop_of(*events, time=time)
    return History.of(shop.events, shop.user_vocabulary(), shop.item_vocabulary())


def config(model: str = "popular", settings: dict[str, Any] | None = None, **tables: Any) -> ShopConfig:
    data = {"events": "x.csv", "kinds": {"buy": "purchase", "listen": {"weight": 0.5}, "junk": "ignore"}}
    return ShopConfig.parse({"data": data, "model": {"name": model, "settings": settings or {}}, **tables})


EVERY = [("a", "x", kind, 1) for kind in ("view", "cart", "purchase", "impression", "refund", "listen")]


@pytest.mark.parametrize(
    ("kinds", "target"),
    [("impression view cart purchase refund", "purchase"), ("impression view cart", "cart"), ("view listen", "view"),
     ("impression listen refund", "listen")],
)  # fmt: skip
def test_the_strongest_kind_present_is_the_target(kinds: str, target: str) -> None:
    question = question_of(history_of(*[event for event in EVERY if event[2] in kinds.split()]), config())
    assert question.target == target
    assert set(question.wishes) == set(kinds.split()) - {"impression", "refund"}
    assert question.weights == {"listen": 0.5}


@pytest.mark.parametrize(("word", "target"), [("view", "view"), ("buy", "purchase"), ("listen", "listen")])
def test_the_goal_may_be_told_in_any_words(word: str, target: str) -> None:
    assert question_of(history_of(*EVERY), config(goal={"target": word})).target == target


@pytest.mark.parametrize(
    ("word", "guess"), [("purchse", "purchase"), ("impression", "one of"), ("favourite", "one of")]
)
def test_a_target_that_does_not_occur(word: str, guess: str) -> None:
    with pytest.raises(DataError, match=rf"no event of the target kind '{word}'.*{guess}.*DATA-40"):
        question_of(history_of(*EVERY), config(goal={"target": word}))


def test_nothing_to_predict() -> None:
    with pytest.raises(DataError, match="DATA-40"):
        question_of(history_of(("a", "x", "impression", 1)), config())


#: Ten distinct (user, item, time) of the target; the newest fifth are the two at 9 and 10.
TEN = [("a", f"i{n}", "purchase", n) for n in range(1, 10)]


@pytest.mark.parametrize(("newest", "share"), [(("a", "i9", 10), 0.5), (("a", "new", 10), 0.0), (("b", "i9", 10), 0.0)])
def test_repeats_are_counted_among_the_newest_fifth(newest: tuple[str, str, int], share: float) -> None:
    user, item, ts = newest
    history = history_of(*TEN, (user, item, "purchase", ts), ("a", "i8", "view", 11), ("a", "i9", "view", 12))
    assert repeats(history, "purchase") == share


def test_lines_of_one_order_are_no_repeats() -> None:
    assert repeats(history_of(("a", "x", "purchase", 5), ("a", "x", "purchase", 5)), "purchase") == 0
    assert repeats(history_of(("a", "x", "purchase", 5), ("a", "x", "purchase", 6)), "purchase") == 1


def test_without_time_no_pair_comes_back() -> None:
    assert repeats(history_of(*[("a", "x", "purchase", 0)] * 3, time="none"), "purchase") == 0


@pytest.mark.parametrize(("repeat", "wanted"), [("auto", True), (True, True), (False, False)])
def test_repeat_purchase_is_a_choice(repeat: Any, wanted: bool) -> None:
    history = history_of(*TEN, ("a", "i9", "purchase", 10))
    assert question_of(history, config(goal={"repeat": repeat})).repeat is wanted
    assert question_of(history_of(*TEN), config(goal={"repeat": repeat})).repeat is (repeat is True)


def test_words_that_the_shop_explained() -> None:
    assert words(config()) == {"buy": "purchase", "listen": "listen"}


def test_equal_data_have_equal_fingerprints_and_others_others() -> None:
    def of(*events: tuple[str, str, str, int]) -> str:
        shop = shop_of(*events)
        users, items = shop.user_vocabulary(), shop.item_vocabulary()
        return fingerprint(History.of(shop.events, users, items), users.ids, items.ids)

    base = [("a", "x", "view", 1), ("b", "y", "view", 2)]
    assert of(*base) == of(*base) == of(*reversed(base))
    changed = [("a", "x", "view", 3), ("b", "y", "view", 2)], [("a", "z", "view", 1), ("b", "y", "view", 2)], base[:1]
    assert len({of(*base), *(of(*events) for events in changed)}) == 4


def test_a_bundle_holds_all_that_the_shop_knows(tmp_path: Path) -> None:
    shop = shop_of(*[("b", "y", "buy", 1)])
    shop = Shop(
        Events(shop.events.frame.with_columns(kind=pl.lit("purchase")), "clock"),
        Catalogue(pl.DataFrame({"item_id": ["z", "y"], "title": ["Zed", "Why"]})),
        Users(pl.DataFrame({"user_id": ["c"], "country": ["FR"]})),
    )
    done = train_shop(shop, config(), tmp_path / "b", seed=5)
    found = Bundle.load(tmp_path / "b")
    assert found.version == done.version == current(tmp_path / "b")
    assert found.tables["items"].rows() == [("y", "Why"), ("z", "Zed")]
    assert found.tables["users"].rows() == [("b", None), ("c", "FR")]
    facts = found.manifest.facts
    assert (facts["users"], facts["items"], facts["events"], facts["seed"]) == (2, 2, 1, 5)
    assert (facts["target"], facts["kinds"], facts["time"]) == ("purchase", ["purchase"], "clock")
    assert found.manifest.config["model"]["name"] == "popular"


@pytest.mark.parametrize("model", ["popular", "blend"])
def test_same_seed_same_bytes(shop: DemoShop, tmp_path: Path, model: str) -> None:
    settings = load_config(shop.config_with(tmp_path / "shop.toml", model))
    first, second = (train.train(settings, tmp_path, tmp_path / name) for name in ("a", "b"))
    one, other = Bundle.load(tmp_path / "a"), Bundle.load(tmp_path / "b")
    assert first.facts == second.facts
    assert one.manifest.files == other.manifest.files
    assert one.manifest.data_fingerprint == other.manifest.data_fingerprint
    assert all(np.array_equal(one.arrays["model"][key], other.arrays["model"][key]) for key in one.arrays["model"])


def test_what_can_be_refused_is_refused_before_the_data_are_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'poplar' is unknown.*'popular'.*RETR-01"):
        train.train(config("poplar"), tmp_path, tmp_path / "b")
    with pytest.raises(ConfigError, match=r"neigbours is not a setting.*'neighbours'.*CONF-01"):
        train.train(config("knn", settings={"neigbours": 3}), tmp_path, tmp_path / "b")
    policy = PolicyConfig(base={"clicsk": 1.0}, settings={"diversity": {"bye": "brand"}},
                          presets={"spring": Goals(dial={"reveneu": 0.5}), "fall": Goals(preset="autumn")})  # fmt: skip
    with pytest.raises(PolicyError) as told:
        train.train(config().model_copy(update={"policy": policy}), tmp_path, tmp_path / "b")
    assert [problem.code for problem in told.value.problems] == ["POL-04", "CONF-01", "POL-01", "POL-01"]
    assert "[policy] presets.spring: the goal 'reveneu' is unknown" in str(told.value)
    assert "'clicks'" in str(told.value)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(BundleError, match="BNDL-06"):
        train.train(config(), tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("where", ["choose", "publish"])
def test_an_interruption_leaves_the_old_bundle_as_it_was(
    shop: DemoShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    settings = load_config(shop.config_with(tmp_path / "shop.toml"))
    before = train.train(settings, tmp_path, tmp_path / "b").version

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*{"choose": (train, "choose"), "publish": (bundle, "settle")}[where], interrupt)
    with pytest.raises(KeyboardInterrupt):
        train.train(settings, tmp_path, tmp_path / "b")
    assert versions(tmp_path / "b") == [before] == [current(tmp_path / "b")]
    assert not parts(tmp_path)


def test_every_row_is_accounted_for_and_each_run_has_a_quarantine_of_its_own(shop: DemoShop, tmp_path: Path) -> None:
    log = pl.read_csv(shop.folder / "events.csv.gz", infer_schema=False)
    log.with_columns(sku=pl.when(pl.int_range(pl.len()) > 3).then("sku")).write_csv(tmp_path / "log.csv")
    settings = load_config(shop.config_with(tmp_path / "shop.toml", events=f'"{tmp_path / "log.csv"}"'))
    account = [train.train(settings, tmp_path, tmp_path / "b").account for _ in range(2)][1]
    rows = f"events: {log.height:,} rows read, {log.height - 4:,} used, 0 excluded by rules, 4 in quarantine"
    assert account[0] == rows
    folders = sorted((tmp_path / "quarantine").iterdir())
    assert len(folders) == 2
    assert str(folders[1]) in "\n".join(account)
    assert [pl.read_csv(folder / "events.csv")["line"].to_list() for folder in folders] == [[1, 2, 3, 4]] * 2


def test_progress_tells_each_step(shop: DemoShop, tmp_path: Path) -> None:
    steps: list[str] = []
    settings = load_config(shop.config_with(tmp_path / "shop.toml"))
    train.train(settings, tmp_path, tmp_path / "b", progress=lambda step, done=0.0: steps.append(step))
    wanted = ["Importing", "Building the graph", "Choosing settings", "Fitting", "Counting associations", "Publishing"]
    assert [step for step in steps if step in wanted] == wanted
