"""The service answers over HTTP what the command line writes to files."""

import html
import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.serve.endpoints import ENDPOINTS
from paretail.serve.openapi import document

from ..trained import WORDS, DemoShop, paretail
from .client import Service

ROOT = Path(__file__).resolve().parents[2]


#: The live shop leaves out what is not in stock and variants of one product; the command line lists what was learned.
EVERYTHING = {"out_of_stock": True, "variants": True}


def bought(shop: DemoShop, at_least: int = 3) -> str:
    """Return a user with some purchases."""
    counts = shop.events().filter(kind="purchase").group_by("visitor_id").len().filter(pl.col("len") >= at_least)
    return str(counts["visitor_id"].min())


@pytest.mark.parametrize("exclude", [None, "none", "purchase", "buy,addtocart", "all"])
def test_answers_equal_the_files_of_the_command_line(
    shop: DemoShop, service: Service, tmp_path: Path, exclude: str | None
) -> None:
    users = [*shop.users[:12], "nobody"]
    (tmp_path / "users.txt").write_text("\n".join(users))
    more = [] if exclude is None else ["--exclude", exclude]
    out = tmp_path / "r.parquet"
    assert paretail("recommend", "--bundle", shop.bundle, "--users", tmp_path / "users.txt", "--out", out, "-k", 15,
                    *more).code == 0  # fmt: skip
    lists = pl.read_parquet(out)
    question: dict[str, Any] = {"k": 15} if exclude is None else {"k": 15, "exclude": exclude.split(",")}
    for user in users:
        reply = service.recommend(user_id=user, **EVERYTHING, **question)
        mine = lists.filter(user_id=user)
        assert reply.items == mine["item_id"].to_list()
        assert [item["rank"] for item in reply.body["items"]] == mine["rank"].to_list()
        assert [item["score"] for item in reply.body["items"]] == pytest.approx(mine["score"].to_list(), rel=1e-4)


def test_an_unknown_user_and_nobody_get_the_same(service: Service) -> None:
    lists = [service.recommend(**asked).items for asked in ({"user_id": "stranger"}, {}, {"events": []}, {"items": []})]
    assert len(lists[0]) == 20
    assert lists.count(lists[0]) == 4


def test_events_tell_the_same_as_a_stored_history(shop: DemoShop, service: Service) -> None:
    user = bought(shop)
    mine = shop.events().filter(visitor_id=user).with_columns(
        ts=pl.col("timestamp").str.to_datetime(time_zone="UTC").dt.epoch("s")
    )  # fmt: skip
    events = [{"item_id": row["sku"], "kind": row["action"], "ts": row["ts"], "quantity": row["qty"] or 1}
              for row in mine.iter_rows(named=True)]  # fmt: skip
    assert service.recommend(events=events).items == service.recommend(user_id=user).items
    ours = [event | {"kind": WORDS[event["kind"]]} for event in events]
    assert service.recommend(events=ours).items == service.recommend(user_id=user).items


def test_an_event_of_the_request_counts_at_once_and_is_not_stored(shop: DemoShop, service: Service) -> None:
    user = bought(shop)
    before = service.recommend(user_id=user, exclude=["all"])
    event = {"item_id": before.items[0], "kind": "buy"}
    after = service.recommend(user_id=user, exclude=["all"], events=[event])
    assert before.items[0] not in after.items
    assert after.items != before.items[1:]
    assert service.recommend(user_id=user, exclude=["all"]).items == before.items


def test_the_items_of_a_session_count_as_views(service: Service) -> None:
    items = ["i00000003", "i00000007"]
    views = [{"item_id": item, "kind": "pv"} for item in items]
    assert service.recommend(items=items).items == service.recommend(events=views).items
    assert service.recommend(items=items).items != service.recommend().items
    assert service.recommend(items=[*items, "unknown item"]).items == service.recommend(items=items).items


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_lists_are_as_long_as_asked(service: Service, k: int) -> None:
    reply = service.recommend(k=k, **EVERYTHING)
    assert len(reply.items) == len(set(reply.items)) == min(k, 100)
    assert [item["rank"] for item in reply.body["items"]] == list(range(1, min(k, 100) + 1))


def test_reasons_are_told_where_asked(shop: DemoShop, service: Service) -> None:
    reply = service.recommend(user_id=bought(shop), k=8, explain=True, exclude=["all"])
    assert {item["source"] for item in reply.body["items"]} == {"blend"}
    assert any(item["reason"].startswith("because you ") for item in reply.body["items"])
    titles = set(pl.read_csv(shop.folder / "items.csv")["name"])
    named = [re.search(r'"(.+)"', item["reason"]) for item in reply.body["items"] if item["source"] == "because"]
    assert all(name and name[1] in titles for name in named)
    assert reply.items == service.recommend(user_id=bought(shop), k=8, exclude=["all"]).items
    assert "reason" not in service.recommend(k=1, explain=False).body["items"][0]


@pytest.mark.parametrize("relation", ["similar", "also-bought", "together", "alternative"])
def test_related_items_equal_the_file(shop: DemoShop, service: Service, tmp_path: Path, relation: str) -> None:
    out = tmp_path / "s.parquet"
    assert paretail("similar", "--bundle", shop.bundle, "--relation", relation, "-k", 5, "--out", out).code == 0
    table = pl.read_parquet(out)
    items = list(dict.fromkeys([*table["item_id"].unique(maintain_order=True)[:3], "i00000001"]))
    reply = service.ask("/v1/similar", {"items": [*items, items[0]], "relation": relation, "k": 5})
    wanted = pl.concat([table.filter(item_id=item) for item in items])
    assert reply.body["items"] == wanted.to_dicts()


def test_sixteen_at_once_get_right_and_equal_answers(shop: DemoShop, service: Service) -> None:
    users = shop.users[:8]
    alone = {user: service.recommend(user_id=user, explain=True, k=10).body["items"] for user in users}
    with ThreadPoolExecutor(16) as pool:
        asked = [users[n % 8] for n in range(48)]
        replies = list(pool.map(lambda user: service.recommend(user_id=user, explain=True, k=10), asked))
    assert {reply.status for reply in replies} == {200}
    assert all(reply.body["items"] == alone[user] for user, reply in zip(asked, replies, strict=True))
    assert len({reply.body["request_id"] for reply in replies}) == 48


def test_health(service: Service, shop: DemoShop) -> None:
    version = next((shop.bundle / "versions").iterdir()).name
    assert service.ask("/health/live").body == {"status": "live"}
    assert service.ask("/health/ready").body == {"status": "ready", "model_version": version, "problems": []}
    assert service.recommend(k=1).body["model_version"] == version


@pytest.mark.parametrize(
    ("path", "raw", "status", "code"),
    [
        ("/v1/recommend", b"", 400, "SERV-01"), ("/v1/recommend", b"{", 400, "SERV-01"),
        ("/v1/recommend", b"\xff\x00", 400, "SERV-01"), ("/v1/recommend", b"user_id=u1", 400, "SERV-01"),
        ("/v1/recommend", b'{"k": "5"}', 400, "SERV-01"), ("/v1/recommend", b'{"user": "u1"}', 400, "SERV-01"),
        ("/v1/recommend", b"[" * 100_000, 400, "SERV-01"),
        ("/v1/recommend", b'{"k": 5}' + b" " * (1 << 20), 413, "SERV-06"),
        ("/v1/recommend", b'{"exclude": ["byu"]}', 422, "CLI-04"),
        ("/v1/recommend", b'{"events": [{"item_id": "i00000001", "kind": "wow"}]}', 422, "SERV-04"),
        ("/v1/recommend", b'{"events": [{"item_id": "i00000001"}]}', 422, "SERV-04"),
        ("/v1/recommend", b'{"events": [{"item_id": "i00000001", "kind": "pv", "ts": 1e400}]}', 400, "SERV-01"),
        ("/v1/similar", b'{"items": ["what"]}', 404, "SERV-03"), ("/v1/similar", b'{"items": []}', 400, "SERV-01"),
        ("/v1/similar", b'{"items": ["i00000001"], "relation": "near"}', 400, "SERV-01"),
        ("/v1/recomend", b"{}", 404, "SERV-02"), ("/health/live", b"{}", 405, "SERV-07"), ("/x", None, 404, "SERV-02"),
        ("/v1/recommend", None, 405, "SERV-07"), ("/v1/recommend/", b"{}", 404, "SERV-02"),
        ("/v1/recommend%0A", b"{}", 404, "SERV-02"), ("//v1/recommend", b"{}", 404, "SERV-02"),
    ],
)  # fmt: skip
def test_every_error_has_the_one_shape(service: Service, path: str, raw: bytes | None, status: int, code: str) -> None:
    reply = service.ask(path, raw=raw)
    assert (reply.status, reply.kind) == (status, "application/json")
    assert reply.body["error"]["code"] == code
    assert set(reply.body) == {"error", "request_id"}
    assert set(reply.body["error"]) == {"code", "found", "expected", "do"}
    assert all(reply.body["error"].values())
    assert service.recommend(k=1).status == 200


def test_why_all_rows_are_rejected(service: Service) -> None:
    rows: list[dict[str, Any]] = [{"user_id": "u", "item_id": "i", "kind": kind} for kind in ("wow", "wow", "aha")]
    rows += [{"user_id": "u", "item_id": "i", "what": 1}] * 2 + [{"user_id": "u", "item_id": "i", "kind": "oh"}] * 3
    reply = service.ask("/v1/events", {"events": rows})
    assert (reply.status, reply.code) == (422, "SERV-04")
    assert reply.body["error"]["found"] == (
        "8 of 8 rows are rejected (2 × event kind 'wow'; 1 × event kind 'aha'; "
        "2 × Object contains unknown field `what`; 3 × others)"
    )
    assert "pv" in reply.body["error"]["expected"]
    reply = service.ask("/v1/events", {"events": rows[2:3]})
    assert reply.body["error"]["found"] == "1 of 1 rows are rejected (1 × event kind 'aha')"


def test_statistics_from_a_date_on(service: Service) -> None:
    found = service.ask("/v1/stats?since=2026-11-01&until=1793577600").body
    assert (found["since"], found["until"]) == (1793491200.0, 1793577600.0)


def test_metrics_say_what_they_are(service: Service) -> None:
    told = re.findall(r"^# HELP (\w+) (.+)$", service.ask("/metrics").body, flags=re.MULTILINE)
    assert len(told) == len(dict(told)) > 10
    assert not [name for name, words in told if len(words.split()) < 4 or not words.endswith(".")]
    assert "A figure of the live shop." not in dict(told).values(), "serve.metrics.GAUGES lacks it"


def test_the_openapi_document_is_told(service: Service) -> None:
    assert service.ask("/openapi.json").body == document()


def test_the_address_leads_to_the_page_for_people(service: Service) -> None:
    reply = service.ask("/")
    assert (reply.status, reply.headers["location"]) == (307, "/docs")


def test_the_page_for_people_loads_nothing(service: Service) -> None:
    page = service.ask("/docs")
    assert (page.status, page.kind) == (200, "text/html; charset=utf-8")
    assert not re.findall(r"<script|<link|<img|<iframe|@import|url\(", page.body)
    for field in ("user_id", "events[].item_id", "error.code", "items[].similar_item_id", "rows[].error.found",
                  "item.attributes", "/v1/users/{id}/profile", "since"):  # fmt: skip
        assert field in page.body
    curl = re.search(r"<pre>(curl [^<]+)</pre>", page.body)
    assert curl
    assert f"http://127.0.0.1:{service.port}/v1/recommend" in curl[1]


def test_the_page_for_people_can_be_pasted_and_read(service: Service) -> None:
    page = html.unescape(service.ask("/docs").body)
    lines = re.findall(r"<pre>(curl .+?)</pre>", page)
    addresses = [shlex.split(line)[-1] for line in lines]
    assert len(lines) == len(ENDPOINTS)
    assert not [address for address in addresses if "{" in address or "%7B" in address]
    for path in ("/v1/users/u00000007/merge", "/v1/users/u00000007/profile", "/v1/items/i00000012"):
        assert f"{service.address}{path}" in addresses
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert not {"None", "True", "False"} & set(cells)
    assert {"null", "false", "true", "[]"} <= set(cells)
    assert "number 0 to 100,000,000,000 or null" in cells
    assert not [cell for cell in cells if "e+" in cell or "`" in cell]
    assert "<code>request_id</code>" in page


def test_the_lines_of_the_documentation_run(written: Service) -> None:
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (curl (?:[^\n]|\n {20,})+)$", text, flags=re.MULTILINE)
    asked = {_endpoint(line) for line in lines}
    assert asked >= {endpoint.name for endpoint in ENDPOINTS if endpoint.work}
    for line in lines:
        command = shlex.split(line.replace("localhost:8000", f"127.0.0.1:{written.port}"))
        done = subprocess.run([*command, "--fail-with-body"], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, line + done.stdout
        answer = json.loads(done.stdout)
        assert answer.get("rejected", 0) == 0
        assert answer.get("items", True), line
        assert all(made["items"] for made in answer.get("lists", [])), line


def _endpoint(line: str) -> str:
    """Return the name of the endpoint that a line of the page asks."""
    told = re.search(r"-X (\w+)", line)
    method = told[1] if told else "POST" if " -d " in line else "GET"
    path = re.findall(r"localhost:8000([^ '?]+)", line)[0]
    named = re.sub("/(items|users)/[^/]+", r"/\1/{id}", path)
    return f"{method} {named}"
