"""The service starts where it can, says where it cannot, and stops when told."""

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paretail.core.errors import BundleError, UsageError
from paretail.pipeline.config import ServeConfig
from paretail.serve.run import run

from ..trained import DemoShop, paretail, start
from .client import Service, free_port, received, serving, until_ready
from .conftest import create_key


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_exits_with_0(shop: DemoShop, tmp_path: Path, stop: signal.Signals) -> None:
    with serving(shop.bundle, tmp_path / "store") as service:
        service.process.send_signal(stop)
        out, err = service.process.communicate(timeout=60)
        assert service.process.returncode == 0
        for told in (service.address, str(shop.bundle), str(tmp_path / "store"), "no API key is needed"):
            assert told in out
        assert err == ""


def test_what_is_in_flight_is_answered_and_what_was_shown_is_kept(shop: DemoShop, tmp_path: Path) -> None:
    with serving(shop.bundle, tmp_path / "store") as service:
        event = {"user_id": "u", "item_id": "i00000001", "kind": "pv", "event_id": "e"}
        assert service.ask("/v1/events", {"events": [event]}).body["accepted"] == 1
        body = json.dumps({"user_id": "u", "request_id": "the last"}).encode()
        head = f"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as link:
            link.sendall(head + body[:5])
            time.sleep(0.3)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            link.sendall(body[5:])
            told = received(link)
        assert told.startswith(b"HTTP/1.1 200 ")
        assert b'"request_id":"the last"' in told
        assert service.process.wait(30) == 0
    out = tmp_path / "events.csv"
    done = paretail("events", "export", out, "--store", tmp_path / "store")
    assert done.code == 0, done.err
    assert "i00000001" in out.read_text()


def test_a_restart_knows_what_was_told(shop: DemoShop, tmp_path: Path) -> None:
    with serving(shop.bundle, tmp_path / "store") as service:
        before = service.recommend(user_id="somebody new", k=5).items
        event = {"user_id": "somebody new", "item_id": before[0], "kind": "buy"}
        assert service.ask("/v1/events", {"events": [event]}).status == 200
        after = service.recommend(user_id="somebody new", k=5, exclude=["all"]).items
        assert before[0] not in after
    with serving(shop.bundle, tmp_path / "store") as service:
        assert service.recommend(user_id="somebody new", k=5, exclude=["all"]).items == after


def test_a_configuration_names_bundle_store_and_port(shop: DemoShop, tmp_path: Path) -> None:
    config, port = shop.config_with(tmp_path / "shop.toml"), free_port()
    config.write_text(config.read_text() + f'[serve]\nbundle = "{shop.bundle}"\nport = {port}\nstore = "of/shop"\n')
    process = start("serve", "--config", config)
    try:
        until_ready(Service(port, process, tmp_path / "of" / "shop"))
        assert any((tmp_path / "of" / "shop").iterdir())
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


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_elsewhere_it_listens_with_a_key_alone(shop: DemoShop, tmp_path: Path, host: str) -> None:
    if host == "::" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    store, settings = tmp_path / "store", ServeConfig(host=host, port=free_port())
    with pytest.raises(UsageError, match=r"paretail keys create.*KEYS-01"):
        run(shop.bundle, store, settings)
    key = create_key(store, "recommend")
    key_id = key.split("_")[1]
    with serving(shop.bundle, store, "--host", host) as service:
        assert service.recommend(k=1).status == 401
        assert service.ask("/v1/recommend", {"k": 1}, key=key).status == 200
        assert paretail("keys", "revoke", key_id, "--store", store).code == 0
        until(lambda: service.ask("/v1/recommend", {"k": 1}, key=key).status == 401)
        assert service.recommend(k=1).status == 401
    with pytest.raises(UsageError, match="KEYS-01"):
        run(shop.bundle, store, settings)


def until(true: object, seconds: float = 5.0) -> None:
    """Wait until something is true."""
    give_up = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_keys_count_while_it_runs(shop: DemoShop, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with serving(shop.bundle, store) as service:
        assert service.recommend(k=1).status == 200
        key = create_key(store, "recommend", "--rate", 2)
        until(lambda: service.recommend(k=1).status == 401)
        replies = [service.ask("/v1/recommend", {"k": 1}, key=key) for _ in range(6)]
        assert {reply.status for reply in replies} == {200, 429}
        late = next(reply for reply in replies if reply.status == 429)
        assert (late.code, late.headers["retry-after"], late.headers["ratelimit-limit"]) == ("KEYS-04", "1", "2")
        assert all("ratelimit-remaining" in reply.headers for reply in replies)
        paretail("keys", "revoke", key.split("_")[1], "--store", store)
        until(lambda: service.ask("/v1/recommend", {"k": 1}, key=key).status == 401)
        assert service.recommend(k=1).status == 401  # the last key revoked opens nothing


def test_a_key_is_in_no_log_no_error_and_no_file(shop: DemoShop, tmp_path: Path) -> None:
    store = tmp_path / "store"
    key, other = create_key(store, "read"), create_key(store, "admin")
    secrets = [text[-43:] for text in (key, other)]
    told = [str(paretail("keys", "list", "--store", store)), str(paretail("keys", "list", "--store", store, "--json"))]
    with serving(shop.bundle, store) as service:
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": other}, {"Authorization": f"Bearer {key}x"},
                        {"Authorization": f"Basic {key}"}, {"X-API-Key": key[:-1]}):  # fmt: skip
            for path in ("/v1/recommend", "/v1/items/none", "/v1/stats?since=x", "/metrics", "/nowhere", "/docs"):
                reply = service.ask(path, headers=headers)
                told.append(str(reply))
        told.append(str(service.ask(f"/v1/items/{key}?x={other}")))  # where it should not stand
        service.process.terminate()
        told += service.process.communicate(timeout=60)
    told += [path.read_bytes().decode("latin-1") for path in store.rglob("*") if path.is_file()]
    assert not [text for text in told for secret in secrets if secret in text]


def test_a_time_out_of_its_own(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    config.write_text(config.read_text() + "[serve]\ntimeout_seconds = 0.5\n")
    with serving(shop.bundle, tmp_path / "store", "--config", config) as service:
        head = b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n"
        told = service.send(head + b'{"events"', seconds=5)
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b"SERV-12" in told
        assert service.recommend(k=1).status == 200


def test_who_holds_many_connections_shuts_nobody_out(service: Service) -> None:
    links = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(300)]
    try:
        for link in links:
            link.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")
        started = time.monotonic()
        assert service.recommend(k=1).status == 200
        assert time.monotonic() - started < 5
    finally:
        for link in links:
            link.close()


def test_many_who_leave_early_harm_nobody(service: Service) -> None:
    body = b'{"k": 100, "explain": true}'
    head = f"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    def leave(_: int) -> None:
        with socket.create_connection(("127.0.0.1", service.port)) as link:
            link.sendall(head + body)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(leave, range(200)))
    assert service.recommend(k=1).status == 200
    until(lambda: "paretail_requests_in_flight 1.0" in service.ask("/metrics").body)


@pytest.mark.parametrize(
    "raw",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
     b"\x16\x03\x01\x02\x00\x01",
     b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
     b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}1",
     b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 500_000 + b"\r\n\r\n",
     b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_refused_by_the_server_below(service: Service, raw: bytes) -> None:
    told = service.send(raw, seconds=3)
    assert told == b"" or 400 <= int(told.split()[1]) < 500
    assert service.recommend(k=1).status == 200


def test_a_port_in_use_is_told(shop: DemoShop, service: Service, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"port {service.port} cannot be used.*SERV-05"):
        run(shop.bundle, tmp_path / "store", ServeConfig(port=service.port))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", ""])
def test_an_address_that_is_not_ours(shop: DemoShop, tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match=r"SERV-05|KEYS-01"):
        run(shop.bundle, tmp_path / "store", ServeConfig(host=host, port=free_port()))


def test_no_bundle_to_serve(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="BNDL-01"):
        run(tmp_path, tmp_path / "store", ServeConfig(port=free_port()))
    assert not (tmp_path / "store").exists()
