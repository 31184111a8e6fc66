"""A bundle is whole or refused, and a refusal leaves the running version in place."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import BundleError
from paretail.pipeline.bundle import Bundle, Draft, current, describe, point, publish, rollback, versions


def draft(value: float = 1.0) -> Draft:
    return Draft(
        config={"goal": {"target": "purchase"}},
        data_fingerprint="f",
        metrics={"ndcg@10": value},
        facts={"model": "popular", "figure": f"NDCG@10 {value}"},
        arrays={"model": {"weights": np.full((2, 3), value, np.float32)}},
        tables={"items": pl.DataFrame({"item_id": ["a", "b"]})},
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def test_a_published_draft_reads_back_equal(root: Path) -> None:
    version = publish(draft(), root)
    bundle = Bundle.load(root)
    assert bundle.version == version == current(root)
    assert np.array_equal(bundle.arrays["model"]["weights"], np.ones((2, 3), np.float32))
    assert bundle.tables["items"]["item_id"].to_list() == ["a", "b"]
    assert bundle.manifest.metrics == {"ndcg@10": 1.0}


def test_versions_are_listed_chosen_and_rolled_back(root: Path) -> None:
    first, second = publish(draft(1.0), root), publish(draft(2.0), root)
    assert versions(root) == [first, second]
    assert current(root) == second
    assert rollback(root) == first == current(root)
    with pytest.raises(BundleError, match="BNDL-05"):
        rollback(root)
    point(root, second)
    assert [row["figure"] for row in describe(root)] == ["NDCG@10 1.0", "NDCG@10 2.0"]
    with pytest.raises(BundleError, match="BNDL-04"):
        point(root, "2020")


@pytest.mark.parametrize("file", ["model.safetensors", "items.arrow", "manifest.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_damage_to_any_file_is_refused(root: Path, file: str, harm: str) -> None:
    path = root / "versions" / publish(draft(), root) / file
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(BundleError, match="BNDL-02"):
        Bundle.load(root)


@pytest.mark.parametrize("content", ["", "{}", '{"version": "none"}', '{"version": 3}', "\x00"])
def test_a_damaged_pointer_is_refused(root: Path, content: str) -> None:
    publish(draft(), root)
    (root / "current").write_text(content)
    with pytest.raises(BundleError, match="BNDL-02"):
        Bundle.load(root)


def test_a_newer_format_is_refused_with_both_numbers(root: Path) -> None:
    folder = root / "versions" / publish(draft(), root)
    text = json.dumps(json.loads((folder / "manifest.json").read_text()) | {"format": 99, "new": 1}).encode()
    (folder / "manifest.json").write_bytes(text)
    newer = folder.rename(folder.with_name("20990101T000000000-" + sha256(text).hexdigest()[:16]))
    with pytest.raises(BundleError, match=r"format 99 .* reads format 1"):
        Bundle.load(root, newer.name)


def test_the_pointer_stays_when_the_wanted_version_is_damaged(root: Path) -> None:
    first, second = publish(draft(1.0), root), publish(draft(2.0), root)
    (root / "versions" / first / "items.arrow").write_bytes(b"")
    with pytest.raises(BundleError, match="BNDL-02"):
        point(root, first)
    assert current(root) == second


def test_a_failed_publish_leaves_nothing(root: Path) -> None:
    version = publish(draft(), root)
    broken = draft()
    broken.metrics = {"ndcg@10": float("nan")}
    with pytest.raises(ValueError, match="Out of range float"):
        publish(broken, root)
    assert [path.name for path in (root / "versions").iterdir()] == [version]


def test_a_foreign_folder_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BundleError, match="BNDL-06"):
        publish(draft(), tmp_path)
    with pytest.raises(BundleError, match="BNDL-01"):
        Bundle.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_equal_tables_give_equal_bytes_however_their_ids_were_found(tmp_path: Path) -> None:
    ids = [f"a category with a long name {number % 500}" for number in range(5000)]

    def found(copies: int) -> pl.DataFrame:
        series = pl.concat([pl.Series("id", ids[copies:] + ids[:copies])] * copies)
        return pl.DataFrame({"id": series.unique().sort()})

    digests = []
    for copies in (1, 2, 3, 4):
        draft = Draft({}, "told", tables={"nodes": found(copies)})
        publish(draft, tmp_path / str(copies))
        digests.append(Bundle.load(tmp_path / str(copies)).manifest.files["nodes.arrow"])
    assert len(set(digests)) == 1
