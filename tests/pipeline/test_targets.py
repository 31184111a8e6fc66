"""People in lists, from links to a file, with the commands that users call."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ..trained import paretail

PEOPLE, CIRCLES = 120, 6


def circle(person: int) -> int:
    return person % CIRCLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of six circles: people know members of their own, and turn to the products of their own."""
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    pairs = [(a, b) for a in range(PEOPLE) for b in range(a) if circle(a) == circle(b)]
    drawn = rng.random(len(pairs)) < 0.4
    linked = [(f"u{a}", f"u{b}") for (a, b), known in zip(pairs, drawn, strict=True) if known]
    later = rng.random(len(linked)) < 0.2
    columns = {"user_id": pl.String, "friend_id": pl.String}
    for name, wanted in (("links", ~later), ("later", later)):
        rows = [pair for pair, here in zip(linked, wanted, strict=True) if here]
        pl.DataFrame(rows, columns, orient="row").write_csv(folder / f"{name}.csv")
    had = [(f"u{person}", f"i{circle(person) * 10 + int(product)}", "listen")
           for person in range(PEOPLE) for product in rng.choice(10, 4, replace=False)]  # fmt: skip
    pl.DataFrame(had, ["user_id", "item_id", "event"], orient="row").write_csv(folder / "events.csv")
    (folder / "shop.toml").write_text(
        '[data]\nevents = "events.csv"\nlinks = "links.csv"\n[data.kinds]\nlisten = { weight = 1.0 }\n'
    )
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    done = paretail("train", "--config", folder / "shop.toml", "--out", folder / "friends", "--target", "user")
    assert done.code == 0, done.err
    assert "120 people" in done.out
    return folder / "friends"


def test_lists_hold_people_of_the_circle_who_are_not_known_yet(folder: Path, bundle: Path) -> None:
    out = folder / "lists.parquet"
    assert paretail("recommend", "--bundle", bundle, "--users", "all", "--out", out, "-k", 5).code == 0
    lists = pl.read_parquet(out)
    assert lists.height == PEOPLE * 5
    user, other = (lists[name].str.slice(1).cast(pl.Int64) for name in ("user_id", "item_id"))
    assert ((user % CIRCLES) == (other % CIRCLES)).mean() > 0.95  # type: ignore[operator]  # polars types a mean widely
    links = pl.read_csv(folder / "links.csv")
    known = {*links.rows(), *((b, a) for a, b in links.rows())}
    listed = set(lists.select("user_id", "item_id").rows())
    assert not listed & known
    assert not [pair for pair in listed if pair[0] == pair[1]]


def test_links_that_are_made_later_are_foretold(folder: Path, bundle: Path) -> None:
    done = paretail("evaluate", "--bundle", bundle, "--holdout", folder / "later.csv", "-k", "10")
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip().startswith(("this", "pop"))}
    assert float(rows["this"][3]) > 2 * float(rows["popular"][2])


def test_somebody_without_a_friend_is_told_people_of_like_taste(folder: Path, bundle: Path) -> None:
    events = [("new", f"i{product}", "listen") for product in range(20, 24)]
    history, out = folder / "new.csv", folder / "new.parquet"
    pl.DataFrame([*events, ("new", "unheard of", "listen")], ["user_id", "item_id", "event"], orient="row").write_csv(
        history
    )
    done = paretail("recommend", "--bundle", bundle, "--users", "new", "--history", history, "--out", out, "-k", 10)
    assert (done.code, "1 event of --history not used" in done.out) == (0, True)
    lists = pl.read_parquet(out)["item_id"].str.slice(1).cast(pl.Int64)
    assert ((lists % CIRCLES) == 2).mean() > 0.7  # type: ignore[operator]  # as above


def test_without_links_nobody_can_be_listed(folder: Path, tmp_path: Path) -> None:
    text = (folder / "shop.toml").read_text().replace('links = "links.csv"\n', "")
    (tmp_path / "shop.toml").write_text(text.replace("events.csv", str(folder / "events.csv")))
    done = paretail("train", "--config", tmp_path / "shop.toml", "--out", tmp_path / "b", "--target", "user")
    assert (done.code, "TRGT-03" in done.err) == (1, True)


def test_a_target_that_the_shop_does_not_have_is_told_with_those_it_has(folder: Path) -> None:
    done = paretail("train", "--config", folder / "shop.toml", "--out", folder / "none", "--target", "brand")
    assert done.code == 1
    assert "no target 'brand'. Expected one of item, user" in " ".join(done.err.split())
    assert "TRGT-01" in done.err
    assert not (folder / "none").exists()


def test_links_to_people_of_whom_nothing_else_is_known_are_told(folder: Path, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["x1"], "friend_id": ["x2"]}).write_csv(tmp_path / "links.csv")
    (tmp_path / "events.csv").write_bytes((folder / "events.csv").read_bytes())
    (tmp_path / "shop.toml").write_text((folder / "shop.toml").read_text())
    done = paretail("train", "--config", tmp_path / "shop.toml", "--out", tmp_path / "b", "--target", "user")
    assert done.code == 1
    assert "links: 2 of 2 (100.0 %) users have no event and no row, as ['x1', 'x2']" in done.err
    assert "Correct the ids" in done.err
    assert "CHECK-27" in done.err


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """The shop with a catalogue, and one bundle of it: items first, then the other targets beside them."""
    frame = pl.DataFrame({"item_id": [f"i{item}" for item in range(60)]}).with_columns(
        category=pl.format("c{}", pl.int_range(60) // 10), brand=pl.format("b{}", pl.int_range(60) % 4)
    )
    frame.write_csv(folder / "items.csv")
    text = (folder / "shop.toml").read_text().replace('links = "links.csv"', 'links = "links.csv"\nitems = "items.csv"')
    (folder / "whole.toml").write_text(f'{text}[model]\nname = "knn"\n[rank]\nenabled = false\n')
    for target in ("item", "category", "brand", "user"):
        done = paretail("train", "--config", folder / "whole.toml", "--out", folder / "whole", "--target", target)
        assert done.code == 0, done.err
    return folder / "whole"


@pytest.mark.parametrize(("target", "ids"), [("item", "i"), ("category", "c"), ("brand", "b"), ("user", "u")])
def test_a_shop_has_lists_of_each_target(whole: Path, tmp_path: Path, target: str, ids: str) -> None:
    out = tmp_path / "lists.parquet"
    asked = ("--target", target, "--users", "all", "--exclude", "none", "--out", out, "-k", 3)
    assert paretail("recommend", "--bundle", whole, *asked).code == 0
    lists = pl.read_parquet(out)
    assert lists.columns == ["user_id", "rank", "item_id", "score"]
    assert lists["user_id"].n_unique() == PEOPLE
    assert set(lists["item_id"].str.head(1)) == {ids}
    beside = whole if target == "item" else whole / "targets" / target
    again = tmp_path / "again.parquet"
    assert paretail("recommend", "--bundle", beside, *asked[2:-3], again, *asked[-2:]).code == 0
    assert pl.read_parquet(again).equals(lists)


def test_without_a_target_lists_stay_those_of_the_bundle(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.parquet"
    assert paretail("recommend", "--bundle", whole, "--users", "u1", "--out", out).code == 0
    assert set(pl.read_parquet(out)["item_id"].str.head(1)) == {"i"}
    assert len(list((whole / "versions").iterdir())) == 1, "another target is no version of this one"


def test_each_target_is_measured_by_what_it_lists(folder: Path, whole: Path) -> None:
    people = ("evaluate", "--bundle", whole, "--target", "user", "--holdout", folder / "later.csv", "--against", "none")
    assert "friend" in paretail(*people).out
    labels = ("evaluate", "--bundle", whole, "--target", "category", "--holdout", folder / "events.csv")
    assert paretail(*labels, "--exclude", "none", "--against", "none").code == 0


def test_lists_that_were_not_trained_are_told_with_those_that_were(whole: Path, tmp_path: Path) -> None:
    for verb in (("recommend", "--out", tmp_path / "l.csv"), ("evaluate", "--holdout", tmp_path / "h.csv")):
        done = paretail(verb[0], "--bundle", whole, "--target", "colour", *verb[1:])
        assert done.code == 1
        assert "no lists of 'colour'. It has lists of item, brand, category, user" in " ".join(done.err.split())
        assert "BNDL-08" in done.err
