"""People: what the shop tells of users, as the store has it; of those asked for last in memory."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

import msgspec

from paretail.data.stored import UserDocument
from paretail.data.stores.base import Store


class People:
    """The attributes of users in the store, up to `most` of them in memory; safe to share by threads."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._lock = Lock()
        self.forget_all()

    def attributes(self, user_id: str) -> Mapping[str, Any] | None:
        """Return what is told of a user, None where the store has nothing."""
        with self._lock:
            if user_id in self._known:
                self._known.move_to_end(user_id)
                return self._known[user_id]
            turn = self._turn
        body = self._store.document("users", user_id)
        told = None if body is None else msgspec.json.decode(body, type=UserDocument).attributes
        with self._lock:
            if turn == self._turn:  # else it may have changed while it was read
                self._known[user_id] = told
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        return told

    def changed(self, user_ids: Iterable[str]) -> None:
        """Hear that the store knows something else of these users now."""
        with self._lock:
            self._turn += 1
            for user_id in user_ids:
                self._known.pop(user_id, None)

    def forget_all(self) -> None:
        """Believe nothing that is in memory: another process has written to the store."""
        with self._lock:
            self._known: OrderedDict[str, Mapping[str, Any] | None] = OrderedDict()
            self._turn = getattr(self, "_turn", 0) + 1
