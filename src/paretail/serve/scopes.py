"""What an API key may ask."""

from typing import Literal, get_args

Scope = Literal["events", "recommend", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
