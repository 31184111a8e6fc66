"""shop.toml: read whole, strictly, with every mistake told."""

from pathlib import Path

import pytest

from paretail.core.errors import ConfigError
from paretail.pipeline.config import ServeConfig, TrainConfig, load_config

LEAST = '[data]\nevents = "events.csv"\n'


def said(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return [str(problem) for problem in error.value.problems]


def test_the_least_that_a_shop_must_say(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(LEAST)
    shop = load_config(path)
    assert [source.path for source in shop.data.events] == ["events.csv"]
    assert (shop.goal.target, shop.goal.repeat, shop.model.name, shop.train.seed) == (None, "auto", "blend", 0)
    assert (shop.serve.bundle, shop.serve.port) == (None, 8000)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(LEAST + '[goal]\nrepeat = "often"\ntraget = "cart"\n[trian]\nseed = 1\n[train]\nseed = -1\n')
    lines = said(path)
    assert sum("CONF-01" in line for line in lines) == 2
    assert any("my.toml: trian is not a setting" in line and "did you mean 'train'?" in line for line in lines)
    assert any("[goal] traget is not a setting" in line and "did you mean 'target'?" in line for line in lines)
    assert any("[train] seed = -1" in line for line in lines)
    assert any("[goal.repeat]" in line and "'often'" in line for line in lines)


@pytest.mark.parametrize(
    ("content", "code"), [(b"[data", "CONF-06"), (b"\xff\xfe", "CONF-06"), (b"", "CONF-02"), (b"data = 3", "CONF-03")]
)
def test_what_is_no_configuration(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes(content)
    assert code in said(path)[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "paretail init" in said(tmp_path / "shop.toml")[0]
    assert "CONF-05" in said(tmp_path)[0]
    (tmp_path / "file").touch()
    assert "CONF-05" in said(tmp_path / "file" / "shop.toml")[0]


@pytest.mark.parametrize(("budget", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5m", 90), ("0s", 0)])
def test_budgets(budget: str, seconds: float) -> None:
    assert TrainConfig.parse({"budget": budget}).budget_seconds == seconds


@pytest.mark.parametrize("budget", ["10", "m", "-1m", "10 m", "1d", "1e3s", "", "٣s", "10m\n"])
def test_what_is_no_budget(budget: str) -> None:
    with pytest.raises(ConfigError, match=r"a number with s, m or h, such as 90s, 10m or 2h"):
        TrainConfig.parse({"budget": budget})


@pytest.mark.parametrize("port", [0, 65536, -1, "8000"])
def test_ports(port: object) -> None:
    with pytest.raises(ConfigError, match="port"):
        ServeConfig.parse({"port": port})


def test_a_service_has_goals_or_an_order() -> None:
    assert ServeConfig.parse({"goals": "revenue=1", "order": "model"}).order == "model"
    with pytest.raises(ConfigError, match="either goals or the order 'value'"):
        ServeConfig.parse({"goals": "revenue=1", "order": "value"})
