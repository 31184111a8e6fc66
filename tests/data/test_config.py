"""`[data]`: what may stand there, and what is said of what may not."""

from typing import Any

import pytest

from paretail.core.errors import ConfigError
from paretail.data.config import DataConfig


def test_one_path_a_list_and_tables_all_name_sources() -> None:
    config = DataConfig.parse({"events": ["a.csv", {"path": "b", "precedence": 2}], "items": "c.parquet"})
    assert [source.path for source in config.events] == ["a.csv", "b"]
    assert config.sources("items")[0].label == "c.parquet"
    assert config.sources("links") == ()


def test_declared_kinds_carry_their_weight() -> None:
    config = DataConfig.parse(
        {"events": "a", "kinds": {"buy": "purchase", "listen": {"weight": 0.5}, "song": "listen"}}
    )
    assert config.weights == {"listen": 0.5}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tme": "seconds"}, "did you mean 'time'"),
        ({"columns": {"events": {"userid": "x"}}}, "did you mean 'user_id'"),
        ({"events": [{"pth": "a"}]}, "did you mean 'path'"),
        ({"events": [{"path": "a", "url": "b"}]}, "either `path`, or `url` and `query`"),
        ({"events": [{"url": "b"}]}, "either `path`, or `url` and `query`"),
        ({"kinds": {"buy": "purchse"}}, "did you mean 'purchase'"),
        ({"kinds": {"view": {"weight": 2}}}, "cannot be declared"),
        ({"kinds": {"listen": {"weight": 0}}}, "greater than 0"),
        ({"rates": {"USD": -1.0}}, "above 0"),
        ({"currency": "euro"}, "currency"),
        ({"exclude": [{"name": "x", "column": "y"}]}, "exactly one of"),
        ({"exclude": [{"name": "x", "column": "y", "below": 1, "missing": True}]}, "exactly one of"),
        ({"quarantine_limit": 1.5}, "less than or equal to 1"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DataConfig.parse({"events": "a", **values})
    assert says in str(caught.value)
