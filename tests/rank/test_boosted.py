"""The boosted ranker's parts: trees, questions drawn with known chances, columns as of a moment, money."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.ids import Vocabulary
from paretail.data.types import Events, History
from paretail.rank.boosted import questions
from paretail.rank.boosted.columns import NEVER_DAYS, OF_BOTH, Columns, Retrieved
from paretail.rank.boosted.levels import SHARES, Funnel, Gain, Level, line, ndcg
from paretail.rank.boosted.money import Money
from paretail.rank.boosted.questions import Asked, Moment, blocks, drawn, kinds_of
from paretail.rank.boosted.ranker import lines_of, told
from paretail.rank.boosted.trees import CUTS, Boosting, Trees, binned

KINDS = ("cart", "purchase", "view")


def sigmoid(eta: Any) -> Any:
    return 1 / (1 + np.exp(-eta))


def history(events: list[tuple[int, int, str, int]], users: int) -> History:
    """Build from user, item, kind and day."""
    rows = sorted(events, key=lambda event: (event[0], event[3]))
    user, item, kind, day = (np.array(column) for column in zip(*rows, strict=True))
    counts = np.bincount(user, minlength=users)
    return History(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), item.astype(np.int32),
        np.array([KINDS.index(word) for word in kind], np.uint8), day.astype(np.int64) * DAY_MS,
        np.ones(len(rows), np.float32), KINDS, "clock",
    )  # fmt: skip


def test_trees_learn_a_weighted_interaction() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 4)).astype(np.float32)
    eta = -1 + 2.0 * ((x[:, 0] > 0) & (x[:, 1] > 0.5)) - 1.0 * (x[:, 2] > 1)
    label = (rng.random(len(x)) < sigmoid(eta)).astype(np.float64)
    weight = np.where(rng.random(len(x)) < 0.5, 3.0, 1.0)
    base = np.full(len(x), -1.0)
    trees = Trees.fit(x, label, weight, base, Boosting(trees=100), np.random.default_rng(1))
    told = sigmoid(base + trees.logits(x))
    assert np.corrcoef(told, sigmoid(eta))[0, 1] > 0.95
    assert np.average(told, weights=weight) == pytest.approx(np.average(label, weights=weight), abs=0.005)
    again = Trees.from_arrays(trees.arrays())
    assert np.array_equal(again.logits(x), trees.logits(x))


def test_trees_grow_the_same_from_the_same_stream_and_not_at_all_from_noise_without_a_gain() -> None:
    x = np.zeros((500, 2), np.float32)
    label = np.zeros(500)
    first, second = (
        Trees.fit(x, label, np.ones(500), np.zeros(500), Boosting(trees=3), np.random.default_rng(4)) for _ in range(2)
    )
    assert np.array_equal(first.leaf, second.leaf)
    assert (first.feature == -1).all()
    assert (first.logits(x) < 0).all()  # the leaf of all rows still learns their mean


def test_several_ensembles_tell_their_mean_and_differ_less_from_stream_to_stream() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4)).astype(np.float32)
    label = (rng.random(len(x)) < sigmoid(x[:, 0] - 1)).astype(np.float64)
    given = x, label, np.ones(len(x)), np.full(len(x), -1.0)
    alone = Trees.fit(*given, Boosting(trees=20), np.random.default_rng(1))
    first, second = (Trees.fit(*given, Boosting(trees=20, ensembles=4), np.random.default_rng(k)) for k in (1, 2))
    assert len(first.leaf) == 80
    np.testing.assert_allclose(4 * first.leaf[:20], alone.leaf, rtol=1e-6)  # the first of them is that of the stream
    parts = [Trees(*(4 * part[at : at + 20] if part is first.leaf else part[at : at + 20]
                     for part in (first.feature, first.cut, first.leaf, first.cover)))
             for at in range(0, 80, 20)]  # fmt: skip
    np.testing.assert_allclose(np.mean([part.logits(x) for part in parts], axis=0), first.logits(x), atol=1e-6)
    spread = np.std([part.logits(x) for part in parts], axis=0).mean()
    assert np.abs(first.logits(x) - second.logits(x)).mean() < 0.75 * spread


def test_bins_are_the_number_of_cuts_below() -> None:
    edges = np.full((1, CUTS), np.inf, np.float32)
    edges[0, :2] = 1, 2
    assert binned(np.array([[0], [1], [1.5], [2], [3], [np.nan]], np.float32), edges).tolist() == [[0, 0, 1, 1, 2, 0]]


def test_a_line_is_the_logistic_regression_that_made_the_labels_and_never_falls() -> None:
    rng = np.random.default_rng(0)
    score = 5 + 3 * rng.normal(size=50_000)
    label = (rng.random(len(score)) < sigmoid(0.7 * score - 6)).astype(np.float64)
    a, b = line(score, label, np.ones(len(score)))
    assert a == pytest.approx(0.7, abs=0.03)
    assert b == pytest.approx(-6, abs=0.3)
    assert line(score, 1 - label, np.ones(len(score)))[0] == 0


def test_kinds_of_levels() -> None:
    assert kinds_of("click", KINDS, "purchase") == KINDS
    assert kinds_of("cart", KINDS, "purchase") == ("cart", "purchase")
    assert kinds_of("click", ("listen", "view"), "listen") == ("listen",)
    assert kinds_of("cart", ("purchase", "view"), "purchase") == ()


def everything(log: History, rows: NDArray[np.int64], items: int, seed: int = 0) -> tuple[Moment, Retrieved, Columns]:
    rng = np.random.default_rng(seed)
    scores = rng.random((len(rows), items)).astype(np.float32)
    place = np.minimum(np.argsort(np.argsort(-scores, axis=1), axis=1), questions.REACH).astype(np.int32)
    followed = history([(user, int(rng.integers(items)), "view", 20) for user in range(log.users)], log.users)
    nothing = sparse.csr_array((log.users, items), dtype=np.int8)
    moment = Moment(log, rows, np.full(len(rows), 2.0), followed, nothing)
    frame = pl.DataFrame({"item_id": [f"i{k}" for k in range(items)]})
    return moment, Retrieved(scores, place, {}), Columns.of(frame, log, "purchase")


def test_weights_of_pairs_drawn_sum_to_all_pairs_of_everybody() -> None:
    users, items = 40, 900
    log = history([(user, user, "purchase", 1) for user in range(users)], users)
    moment, retrieved, columns = everything(log, np.arange(users), items)
    asked = drawn(moment, np.arange(users), retrieved, columns, "purchase", np.random.default_rng(3))
    assert len(asked) < users * items / 4
    assert asked.weight.sum() == pytest.approx(2 * users * items, rel=0.05)
    assert asked.reached["click"].sum() == users  # all that followed is drawn, whatever its place
    assert set(asked.weight[asked.reached["click"]]) == {2.0}
    assert not asked.reached["purchase"].any()
    assert (asked.place < questions.NEAR).sum() == users * questions.NEAR


def test_what_lists_leave_out_is_never_drawn() -> None:
    users, items = 5, 50
    log = history([(user, 7, "purchase", 1) for user in range(users)], users)
    moment, retrieved, columns = everything(log, np.arange(users), items)
    without = sparse.csr_array((np.ones(users, np.int8), (np.arange(users), np.full(users, 7))), (users, items))
    moment = Moment(log, moment.rows, moment.stands_for, moment.followed, without)
    asked = drawn(moment, np.arange(users), retrieved, columns, "purchase", np.random.default_rng(0))
    assert len(asked) == users * (items - 1)


def test_columns_tell_what_a_user_did_with_an_item_by_hand() -> None:
    log = history(
        [(0, 3, "view", 1), (0, 3, "purchase", 1), (0, 3, "view", 5), (0, 4, "view", 8), (1, 4, "cart", 9)], 2
    )
    columns = Columns.of(pl.DataFrame({"item_id": list("abcde")}), log, "purchase")
    x = columns.matrix(log, np.array([0, 0, 1], np.int32), np.array([3, 4, 3], np.int32), 10 * DAY_MS)
    at = {name: x[:, place] for place, name in enumerate(columns.names)}
    assert at["times"].tolist() == [2, 1, 0]
    assert at["habit"] == pytest.approx([2 / 3, 1 / 3, 0])
    assert at["since it"].tolist() == [5, 2, NEVER_DAYS]
    assert np.expm1(at["did view"]) == pytest.approx([2, 1, 0])
    assert np.expm1(at["did purchase"]) == pytest.approx([1, 0, 0])
    assert np.expm1(at["moments"]) == pytest.approx([3, 3, 1])
    assert np.expm1(at["item users"]) == pytest.approx([1, 2, 1])
    assert len(columns.names) == x.shape[1]
    assert [name for name in columns.names if name in OF_BOTH] == list(OF_BOTH)


def test_columns_of_some_users_are_those_of_all() -> None:
    rng = np.random.default_rng(0)
    log = history([(int(u), int(i), str(k), int(d)) for u, i, k, d in zip(
        rng.integers(20, size=300), rng.integers(15, size=300), rng.choice(KINDS, 300), rng.integers(90, size=300),
        strict=True)], 20)  # fmt: skip
    columns = Columns.of(pl.DataFrame({"item_id": [str(k) for k in range(15)]}), log, "purchase")
    user, item = (part.ravel().astype(np.int32) for part in np.meshgrid(np.arange(20), np.arange(15)))
    whole, at = columns.matrix(log, user, item, 90 * DAY_MS), user == 7
    alone = columns.matrix(log.of_users(np.array([7])), np.zeros(15, np.int32), item[at], 90 * DAY_MS)
    assert np.array_equal(whole[at], alone)


def toy(questions_: int, items: int, seed: int, noise: float = 0.0) -> Asked:
    """Questions whose answers follow the second column and not the retriever's score, but for `noise` = 1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(questions_ * items, 3)).astype(np.float32)
    question = np.repeat(np.arange(questions_), items)
    signal = x[:, 0] + (1 - noise) * 2 * x[:, 1]
    label = rng.random(len(x)) < sigmoid(signal - 3)
    place = np.concatenate([np.argsort(np.argsort(-x[question == q, 0])) for q in range(questions_)]).astype(np.int32)
    reached = {"click": label, "cart": np.zeros_like(label), "purchase": label}
    return Asked(
        x, reached, np.ones(len(x)), question, place, np.bincount(question, label).astype(np.int64), "purchase"
    )


def test_a_funnel_is_sure_where_there_is_something_to_gain_and_calibrated() -> None:
    found = Funnel.learn([toy(150, 40, 1), toy(150, 40, 2)], "purchase", Boosting(trees=30), np.random.default_rng(0))
    assert found is not None
    assert found.gain.sure
    assert found.gain.gain > 0.1
    assert list(found.levels) == ["purchase"]  # nothing tells clicks from purchases
    fresh = toy(200, 40, 9)
    p = found.levels["purchase"].probabilities(fresh.x)
    assert p.mean() == pytest.approx(fresh.reached["purchase"].mean(), rel=0.1)


def test_a_funnel_is_not_sure_of_noise() -> None:
    found = Funnel.learn([toy(300, 40, 1, noise=1.0)], "purchase", Boosting(trees=30), np.random.default_rng(0))
    assert found is not None
    assert not found.gain.sure


def test_halves_of_one_moment_promise_nothing_for_later_days() -> None:
    """Where there is time, users of the same days say what was true of those days."""
    one = [toy(150, 40, 1)]
    found = [
        Funnel.learn(one, "purchase", Boosting(trees=30), np.random.default_rng(0), timed) for timed in (False, True)
    ]
    assert [funnel.gain.sure for funnel in found if funnel is not None] == [True, False]
    moments = [toy(150, 40, 3), toy(150, 40, 2), *one]
    for those, sure in ((moments[1:], False), (moments, True)):
        more = Funnel.learn(those, "purchase", Boosting(trees=30), np.random.default_rng(0), timed=True)
        assert more is not None
        assert more.gain.sure is sure


def test_lists_take_the_share_of_the_trees_whose_gain_is_surest_where_it_is_less_sure() -> None:
    """Trees that are learned too eagerly are right in part: all of them would do harm."""
    rng = np.random.default_rng(0)
    asked = toy(300, 40, 4)
    eager = Level.fit(asked, "purchase", Boosting(trees=30), rng)
    loud = replace(eager, trees=replace(eager.trees, leaf=eager.trees.leaf * 8))
    right, much = (Gain.surest([(toy(300, 40, 5), level), (toy(300, 40, 6), level)]) for level in (eager, loud))
    assert right.share > much.share == SHARES[0]
    assert right.sureness == min(gain / error for gain, error in zip(right.each, right.errors, strict=True))
    base = Gain.of([(part, eager.logits(part.x, right.share)) for part in (toy(300, 40, 5), toy(300, 40, 6))])
    assert right.gain == base.gain


def test_a_gain_of_the_newest_moment_alone_is_not_acted_on() -> None:
    """The middle moment's answers follow the retriever's score alone: what the oldest taught harms its lists."""
    moments = [toy(150, 40, 3), toy(150, 40, 2, noise=1.0), toy(150, 40, 1)]
    found = Funnel.learn(moments, "purchase", Boosting(trees=30), np.random.default_rng(0), timed=True)
    assert found is not None
    newest, earlier = found.gain.each
    assert newest > 0.05 > 0 > earlier
    assert found.gain.gain > 2 * found.gain.error
    assert not found.gain.sure
    said = lines_of({"report": {"modes": told({"all": found}, {"all": {}})}}, {"all": "Lists"})[0]
    assert "better on one window and worse on another" in said


def test_too_few_answers_teach_nothing() -> None:
    few = toy(2, 10, 0)
    assert Funnel.learn([few], "purchase", Boosting(trees=2), np.random.default_rng(0)) is None


def test_ndcg_of_the_retrievers_own_order_and_of_the_best() -> None:
    asked = toy(30, 40, 3)
    best = ndcg(asked, asked.reached["purchase"].astype(np.float64))
    assert np.allclose(best, 1)
    gain = Gain.of([(asked, -asked.place.astype(np.float64))])
    assert (gain.gain, gain.error, gain.sure) == (0, 0, False)


def test_parts_together_keep_their_questions() -> None:
    a, b = toy(3, 5, 0), toy(2, 5, 1)
    both = Asked.together([a, b])
    assert both.questions == 5
    assert np.array_equal(both.of(np.array([False] * 3 + [True] * 2)).x, b.x)


def test_blocks_cover_everything_once() -> None:
    assert np.concatenate(list(blocks(10, 3, at_once=7))).tolist() == list(range(10))


def test_money_sums_to_what_was_paid_and_follows_item_and_user() -> None:
    rng = np.random.default_rng(0)
    user, item = rng.integers(30, size=5000), rng.integers(20, size=5000)
    paid = np.round(1000 * np.exp(0.1 * item + 0.05 * user + 0.3 * rng.normal(size=5000)))
    frame = pl.DataFrame({
        "user_id": [f"u{k}" for k in user], "item_id": [f"i{k}" for k in item], "kind": "purchase",
        "price_minor": paid.astype(np.int64), "quantity": 1.0,
    })  # fmt: skip
    users, items = (
        Vocabulary(pl.Series([f"u{k}" for k in range(30)])),
        Vocabulary(pl.Series([f"i{k}" for k in range(20)])),
    )
    money = Money.of(Events(frame), users, items)
    assert money is not None
    assert money.values(user, item).sum() == pytest.approx(paid.sum())
    assert money.values(np.array([5]), np.array([10]))[0] == pytest.approx(
        1000 * np.exp(1 + 0.25 + 0.3**2 / 2), rel=0.1
    )
    low, high = money.quantiles(np.array([-1]), np.array([3]), [0.1, 0.9])[0]
    assert low < money.values(np.array([-1]), np.array([3]))[0] < high
    assert Money.of(Events(frame.head(3)), users, items) is None
    half = frame.with_columns(kind=pl.lit("refund"), price_minor=pl.col("price_minor") // 2)
    net = Money.of(Events(pl.concat([frame, half])), users, items)
    assert net is not None
    assert net.values(user, item).sum() == pytest.approx(paid.sum() / 2, rel=1e-3)
    unpriced = frame.head(500).with_columns(kind=pl.lit("refund"), price_minor=pl.lit(None, pl.Int64))
    less = Money.of(Events(pl.concat([frame, unpriced])), users, items)
    assert less is not None
    assert less.values(user, item).sum() == pytest.approx(paid.sum() - money.values(user[:500], item[:500]).sum())
    strangers = unpriced.with_columns(user_id=pl.lit("u?")), half.with_columns(item_id=pl.lit("i?"))
    free = frame.with_columns(user_id=pl.lit("u29"), item_id=pl.lit("i0"), price_minor=pl.lit(None, pl.Int64))
    never_paid = free.with_columns(kind=pl.lit("refund"))
    priced = frame.filter((pl.col("user_id") != "u29") | (pl.col("item_id") != "i0"))
    mine = Money.of(Events(priced), users, items)
    assert mine is not None
    same = Money.of(Events(pl.concat([priced, free, never_paid, *strangers])), users, items)
    assert same is not None
    np.testing.assert_allclose(same.item, mine.item)  # nothing of what was paid came back
    again = Money.from_arrays(money.arrays())
    assert np.array_equal(again.values(user, item), money.values(user, item))


def test_a_level_without_trees_keeps_the_retrievers_order() -> None:
    asked = toy(50, 40, 0)
    level = Level.fit(asked, "purchase", Boosting(trees=1, lr=1e-12), np.random.default_rng(0))
    assert np.array_equal(np.argsort(level.logits(asked.x)), np.argsort(asked.x[:, 0]))
