"""Why an item is in a list: found in the data, counted exactly, told in plain words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.kinds import FRIEND, NOT_TARGETS, PRODUCT, TARGETS
from paretail.data.types import History, Reason
from paretail.pipeline.akin import Labels
from paretail.pipeline.evidence import Evidence
from paretail.pipeline.likeness import Likeness
from paretail.retrieve.base import Retriever, reads_traits
from paretail.retrieve.falls import falls

#: What a person did, by kind; a kind that the shop declared is told by its own word (`did`).
DID = {
    "purchase": "bought {}", "cart": "put {} in the cart", "favourite": "saved {}", "click": "looked at {}",
    "view": "looked at {}", FRIEND: "know {}",
}  # fmt: skip

#: How much of what a cause does for the whole list is taken off: an item has its place by what speaks more for it than
#: for the others. The cause told is then the one without which the item falls furthest down the list for .83 to .99 of
#: items (gowalla .91, beauty .93, tmall .96, simulated shop .88); with nothing taken off .77 to .98 (docs/lab/LOG.md).
COMMON: Final = 0.5
#: What a new item shares with them or resembles is looked for among so many of the newest items had.
MOST_COMPARED: Final = 200
#: Of each item that a user had: the number of the kind that says most, and how often that was done.
Done = dict[int, tuple[int, int]]
#: node type, row of the node -> what the column that told it is called, and its value.
Trait = Callable[[str, int], tuple[str, str]]


def explain(
    model: Retriever, history: History, listed: Rows, evidence: Evidence, target: str, mode: Mode,
    labels: Labels | None = None, likeness: Likeness | None = None,
) -> list[Reason]:  # fmt: skip
    """Return one reason for each item of one user's list.

    An item that the user had before is told as such; another by the item had without which its score falls most, less
    half of what the list falls by on average: by how many did both, else by the label that the two share. One that
    nobody did anything with is told by a label of any item had, or by one that it resembles (`likeness`), else as new.
    One that nothing in the history speaks for is told by friends or by the trait whose people want it most above
    chance, where the model reads what is known of users; else as popular. What was shown or taken back counts as
    nothing had. Of equal causes the newest is told. No count has the user in it, as somebody who did both had the
    listed item before; that needs a history with all that `evidence` knows of the user.
    """
    past = history.where(np.array([kind not in NOT_TARGETS for kind in history.kinds], bool)[history.kind])
    done = _strongest(past, target)
    causes, new = list(done), [item for item in dict.fromkeys(listed.tolist()) if item not in done]
    best: dict[int, tuple[int, float]] = dict.fromkeys(new, (-1, 0.0))
    if causes and new:
        fallen = falls(model, history, np.array(causes, np.int32), np.array(new, np.int32), mode=mode)
        best = dict(zip(new, _best(causes, fallen), strict=True))
    found = _counted(best, past, done, evidence, target)
    if labels is not None:
        found |= _by_label(found, done, labels)
    found |= _told_new(found, done, past, evidence, labels, likeness)
    if reads_traits(model):
        found |= _by_people([item for item in found if found[item].code == "popular"], past, evidence, target)
    return [
        found[item] if item in found else Reason("again", item, past.kinds[done[item][0]], done[item][1])
        for item in listed.tolist()
    ]


def in_words(reason: Reason, target: str, names: Sequence[str] | pl.Series, trait: Trait | None = None) -> str:
    """Return the reason as one sentence.

    `names[item_idx]` is what a person calls an item, `trait(node_type, node_idx)` the column and the value of a trait
    or of a label.
    """
    if reason.code == "again":
        return f"you {did(str(reason.kind))} before"
    if reason.code == "friends":
        return of_friends(reason.count or 0, reason.out_of or 0, target)
    if reason.code == "among":
        column, value = trait(str(reason.node_type), int(reason.node_idx or 0)) if trait else ("kind", "")
        return (
            f"popular with people of your {column} ({value}): {reason.count:,} of {reason.out_of:,} {_did(2, target)}"
        )
    if reason.node_type is not None and reason.item_idx is not None:
        return _akin(
            reason, names[reason.item_idx], *(trait(reason.node_type, reason.node_idx or 0) if trait else ("kind", ""))
        )
    if reason.code == "new" and reason.item_idx is not None:
        return f'new; resembles "{names[reason.item_idx]}": you {_did_that(str(reason.kind))}'
    if reason.code == "new":
        return f"new in {trait(reason.node_type, reason.node_idx or 0)[1]}" if trait and reason.node_type else "new"
    if reason.code == "because":
        name = "" if reason.item_idx is None else f'"{names[reason.item_idx]}"'
        like = "somebody alike" if target == FRIEND else "a similar item"
        others = others_too(reason.count, str(reason.kind), name, target) if reason.count else like
        return f"because you {did(str(reason.kind), name)}: {others}"
    if not reason.count:
        return f"to round off the list: nobody {_did(1, target)} yet"
    return f"popular: {_count(reason.count, 'person', 'people')} {_did(reason.count, target)}"


def others_too(count: int, kind: str, name: str, target: str) -> str:
    """Say how many others who did `kind` with the item called `name` had the listed one."""
    if target == FRIEND == kind:
        know = "knows" if count == 1 else "know"
        return f"{_count(count, 'other', 'others')} who {know} {name} also {know} them"
    return f"{_count(count, 'other', 'others')} who did also {_did(count, target)}"


def of_friends(count: int, out_of: int, target: str) -> str:
    """Say how many of a user's friends had the listed item, and not who."""
    return f"{count:,} of your {_count(out_of, 'friend', 'friends')} {_did(count, target)}"


def _akin(reason: Reason, name: str, column: str, value: str) -> str:
    new = "new; " if reason.code == "new" else ""
    many = f"; {of_all(reason.count or 0, reason.out_of or 0, str(reason.kind))}" if (reason.out_of or 0) > 1 else ""
    return f'{new}same {column} ({value}) as "{name}": you {_did_that(str(reason.kind))}{many}'


def of_all(count: int, out_of: int, kind: str) -> str:
    """Say how many of all that somebody had carry a label; `kind` tells whether that are items or people."""
    one, many = (
        ("person you know is", "people you know are") if kind == FRIEND else ("item you had is", "items you had are")
    )
    return f"{count:,} of {_count(out_of, one, many)}"


def did(kind: str, name: str = "this") -> str:
    """Return in words what a person did with the item called `name`."""
    if kind in DID:
        return DID[kind].format(name)
    return f"gave {name} {'an' if kind[:1].lower() in set('aeiou') else 'a'} {kind!r}"


def _did(people: int, target: str) -> str:
    """Return what so many people did with what is listed, which is somebody where lists hold people."""
    return ("knows them" if people == 1 else "know them") if target == FRIEND else did(target)


def _did_that(kind: str) -> str:
    return did(kind, "them" if kind == FRIEND else "that")


def _best(causes: Sequence[int], fallen: NDArray[np.float32]) -> list[tuple[int, float]]:
    """Return the cause of each listed item, and its part in all that falls of the item's score (0: no cause)."""
    fallen = np.maximum(fallen, 0)
    own = np.where(fallen > 0, fallen - COMMON * fallen.mean(axis=1, keepdims=True), -np.inf)
    best, columns = own.argmax(axis=0), np.arange(fallen.shape[1])
    share = fallen[best, columns] / np.maximum(fallen.sum(axis=0), np.finfo(np.float32).tiny)
    return list(zip([causes[place] for place in best], share.tolist(), strict=True))


def _counted(
    best: dict[int, tuple[int, float]], past: History, done: Done, evidence: Evidence, target: str
) -> dict[int, Reason]:
    """Return the reason of each item from its cause and share; without a share it is popular."""
    wanted = past.kinds.index(target)
    caused = {item: cause for item, (cause, share) in best.items() if share}
    counts = evidence.both([(cause, done[cause][0], item, wanted) for item, cause in caused.items()])
    reasons = {
        item: Reason(
            "because" if count or evidence.anything(item) else "new",
            cause, past.kinds[done[cause][0]], count, best[item][1],
        )
        for (item, cause), count in zip(caused.items(), counts, strict=True)
    }  # fmt: skip
    popular = (item for item in best if item not in caused)
    return reasons | {item: Reason("popular", None, target, evidence.count(item, wanted)) for item in popular}


def _by_label(found: dict[int, Reason], done: Done, labels: Labels) -> dict[int, Reason]:
    """Return the reasons of items that nobody had beside their cause, by the label that the two share."""
    lonely = {
        item: (reason, int(reason.item_idx)) for item, reason in found.items()
        if reason.item_idx is not None and not reason.count
    }  # fmt: skip
    shared = labels.shared(done, [(item, cause) for item, (_, cause) in lonely.items()])
    return {
        item: replace(
            reason, code="new" if reason.code == "new" else "akin", count=label.count, out_of=label.out_of,
            node_type=label.node_type, node_idx=label.node_idx,
        )
        for (item, (reason, _)), label in zip(lonely.items(), shared, strict=True) if label is not None
    }  # fmt: skip


def _told_new(
    found: dict[int, Reason], done: Done, past: History, evidence: Evidence, labels: Labels | None,
    likeness: Likeness | None,
) -> dict[int, Reason]:  # fmt: skip
    """Return the reasons of items that nobody did anything with, by what the catalogue says of them and of items had.

    The model's cause says that without it the score falls, not that two items have anything in common; where the model
    knows of none, and nothing is alike either, it stays with what it says.
    """
    unsaid = {item: reason.code for item, reason in found.items() if reason.node_type is None and not reason.count}
    strange = [item for item, code in unsaid.items()
               if code == "new" or (code == "popular" and not evidence.anything(item))]  # fmt: skip
    had, nothing, told = list(done), [None] * len(strange), dict[int, Reason]()
    shared = nothing if labels is None or not had else labels.newest(had, strange)
    alike = nothing if likeness is None else likeness.nearest(strange, had[:MOST_COMPARED])
    for item, both, like in zip(strange, shared, alike, strict=True):
        if both is not None:
            cause, label = both
            kind = past.kinds[done[cause][0]]
            told[item] = Reason("new", cause, kind, label.count, None, label.out_of, label.node_type, label.node_idx)
        elif like is not None:
            told[item] = Reason("new", like, past.kinds[done[like][0]], 0)
        elif found[item].code == "new":
            category = None if labels is None else labels.narrowest(item)
            told[item] = Reason("new", None, None, 0, None, None, *(category or (None, None)))
    return told


def _by_people(items: list[int], past: History, evidence: Evidence, target: str) -> dict[int, Reason]:
    """Return reasons by friends, else by the user's trait with the largest z = (count - e) / sqrt(e + 1) above 0.

    e is what the trait's people would have by everybody's share. An item that neither speaks for is left out.
    """
    wanted, found = past.kinds.index(target), dict[int, tuple[float, Reason]]()
    alone = [evidence.count(item, wanted) for item in items]
    for name, known in past.about.items():
        for node in known.indices.tolist() if name not in ("user", PRODUCT) else []:
            people = evidence.with_trait(name, node)
            size = int(people.sum())
            for item, everyone, count in zip(items, alone, evidence.among(people, items, wanted), strict=True):
                expected = size * everyone / max(evidence.users, 1)
                z = (count - expected) / np.sqrt(expected + 1)
                if z > found.get(item, (0.0,))[0]:
                    found[item] = z, Reason("among", None, target, count, None, size, name, node)
    if "user" in past.about:
        friends = np.zeros(evidence.users, bool)
        friends[past.about["user"].indices] = True
        size = int(friends.sum())
        for item, count in zip(items, evidence.among(friends, items, wanted), strict=True):
            if count:
                found[item] = np.inf, Reason("friends", None, target, count, None, size)
    return {item: reason for item, (_, reason) in found.items()}


def _strongest(past: History, target: str) -> Done:
    """Return what the user did with each item, newest item first: of several kinds the one that says most."""
    order = [target, *TARGETS, *sorted(past.kinds)]
    rank = [order.index(kind) for kind in past.kinds]
    done: dict[int, tuple[int, int]] = {}
    for item, kind in zip(past.item_idx[::-1].tolist(), past.kind[::-1].tolist(), strict=True):
        strongest, times = done.get(item, (kind, 0))
        if rank[kind] < rank[strongest]:
            strongest, times = kind, 0
        done[item] = strongest, times + (kind == strongest)
    return done


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
