"""`paretail serve` finds its bundle and port, or says what is missing (tests/serve asks the service itself)."""

import socket
from pathlib import Path

import pytest

from ..trained import DemoShop, paretail


def test_a_bundle_must_be_named(shop: DemoShop) -> None:
    for arguments in ([], ["--config", shop.config]):
        done = paretail("serve", *arguments)
        assert done.code == 2
        assert "(CLI-07)" in done.err


def test_the_bundle_of_a_configuration_is_relative_to_it(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    config.write_text(config.read_text() + '[serve]\nbundle = "not/there"\n')
    done = paretail("serve", "--config", config)
    assert done.code == 1
    assert f"{tmp_path / 'not' / 'there'} is not a bundle" in done.err


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_does_not_exist(shop: DemoShop, port: str) -> None:
    done = paretail("serve", "--bundle", shop.bundle, "--port", port)
    assert (done.code, "(SERV-05)" in done.err) == (2, True)


def test_a_port_in_use(shop: DemoShop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = paretail("serve", "--bundle", shop.bundle, "--port", taken.getsockname()[1])
    assert (done.code, "(SERV-05)" in done.err) == (2, True)
