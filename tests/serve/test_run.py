"""The service starts where it can, says where it cannot, and stops when told."""

import signal
import socket
from pathlib import Path

import pytest

from paretail.core.errors import BundleError, UsageError
from paretail.serve.run import run

from ..trained import DemoShop, start
from .client import Service, free_port, serving, until_ready


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_exits_with_0(shop: DemoShop, stop: signal.Signals) -> None:
    with serving("--bundle", shop.bundle) as service:
        service.process.send_signal(stop)
        out, err = service.process.communicate(timeout=60)
        assert service.process.returncode == 0
        assert f"http://127.0.0.1:{service.port}" in out
        assert err == ""


def test_a_configuration_names_the_bundle_and_the_port(shop: DemoShop, tmp_path: Path) -> None:
    config, port = shop.config_with(tmp_path / "shop.toml"), free_port()
    config.write_text(config.read_text() + f'[serve]\nbundle = "{shop.bundle}"\nport = {port}\n')
    process = start("serve", "--config", config)
    try:
        until_ready(Service(port, process))
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_it_listens_on_this_machine_alone(service: Service) -> None:
    with socket.socket() as link:
        link.settimeout(2)
        own = socket.gethostbyname(socket.gethostname())
        if own.startswith("127."):
            pytest.skip("this machine has no other address")
        assert link.connect_ex((own, service.port)) != 0


def test_a_port_in_use_is_told(shop: DemoShop, service: Service) -> None:
    with pytest.raises(UsageError, match=rf"port {service.port} cannot be used.*SERV-05"):
        run(shop.bundle, service.port)


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_a_port_that_does_not_exist(shop: DemoShop, port: int) -> None:
    with pytest.raises(UsageError, match=rf"port {port}\. A port from 1 to 65535.*SERV-05"):
        run(shop.bundle, port)


def test_no_bundle_to_serve(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="BNDL-01"):
        run(tmp_path, free_port())
