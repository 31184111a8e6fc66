"""Kinds of behaviour: our words, their order of strength, and which can be predicted."""

from collections.abc import Iterable
from typing import Final

#: Our words, from strongest to weakest wish; a declared kind ranks after these.
TARGETS: Final = ("purchase", "cart", "favourite", "click", "view")
#: Where lists hold people: a link to a friend, and what ties each person to themself, so that no list holds them.
FRIEND: Final = "friend"
SELF: Final = "self"
#: The type of node that the shop's own items are where lists hold people.
PRODUCT: Final = "product"
#: Kinds that are never a target: what was shown, what was taken back, and oneself.
NOT_TARGETS: Final = ("impression", "refund", SELF)
#: Every kind that needs no declaration in `[data.kinds]`.
STANDARD: Final = (*TARGETS, "impression", "refund")

#: The shop's words that are understood without being told; any other word must be mapped or declared.
SYNONYMS: Final[dict[str, str]] = {
    "add_to_cart": "cart", "addtocart": "cart", "basket": "cart", "add": "cart",
    "buy": "purchase", "order": "purchase", "transaction": "purchase", "sale": "purchase",
    "fav": "favourite", "favorite": "favourite", "like": "favourite", "wishlist": "favourite",
    "save": "favourite", "bookmark": "favourite", "pv": "view", "browse": "view", "detail": "view",
    "pageview": "view", "visit": "view", "show": "impression", "expose": "impression", "return": "refund",
}  # fmt: skip


def strongest(kinds: Iterable[str]) -> str | None:
    """Return the kind to predict: purchase > cart > favourite > click > view > a declared kind; None if none can be."""
    present = set(kinds)
    standard = next((kind for kind in TARGETS if kind in present), None)
    return standard or next(iter(sorted(present - set(STANDARD))), None)
