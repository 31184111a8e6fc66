"""`paretail serve` finds its bundle, store, address and port, or says what is missing (tests/serve asks it)."""

import socket
from pathlib import Path

import pytest

from paretail.cli.serve import beside

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


def test_without_a_name_the_store_stands_beside_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert beside(Path("of/bundle")) == Path("of/bundle-store")
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    assert beside(Path()) == beside(Path("../shop")).resolve() == tmp_path / "shop-store"
    assert beside(Path("..")) == tmp_path.with_name(f"{tmp_path.name}-store")


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_does_not_exist(shop: DemoShop, tmp_path: Path, port: str) -> None:
    done = paretail("serve", "--bundle", shop.bundle, "--store", tmp_path / "store", "--port", port)
    assert (done.code, "(SERV-05)" in done.err) == (2, True)
    assert not (tmp_path / "store").exists()


def test_a_port_in_use(shop: DemoShop, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = paretail(
            "serve", "--bundle", shop.bundle, "--store", tmp_path / "store", "--port", taken.getsockname()[1]
        )
    assert (done.code, "(SERV-05)" in done.err) == (2, True)


def test_an_address_for_others_needs_a_key(shop: DemoShop, tmp_path: Path) -> None:
    done = paretail(
        "serve", "--bundle", shop.bundle, "--store", tmp_path / "store", "--host", "0.0.0.0", "--port", 18990
    )
    assert (done.code, "(KEYS-01)" in done.err) == (2, True)
    assert f"paretail keys create --store {tmp_path / 'store'}" in done.err
