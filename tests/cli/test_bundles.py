"""`paretail bundles` lists, chooses and goes back, also when something is damaged."""

import json
import shutil
from pathlib import Path

import pytest

from paretail.pipeline.bundle import current, versions

from ..trained import DemoShop, paretail


@pytest.fixture
def bundle(shop: DemoShop, tmp_path: Path) -> Path:
    """A bundle of three versions of a small model, the newest current."""
    config, out = shop.config_with(tmp_path / "shop.toml"), tmp_path / "b"
    assert paretail("train", "--config", config, "--out", out).code == 0
    (first,) = (out / "versions").iterdir()
    # A name vouches for its manifest by the digest at its end, so that a copy with an older stamp is whole too.
    for stamp in ("20200101T000000000", "20210101T000000000"):
        shutil.copytree(first, first.with_name(f"{stamp}-{first.name.split('-')[1]}"))
    return out


def test_versions_are_listed_oldest_first(bundle: Path) -> None:
    done = paretail("bundles", "list", "--bundle", bundle)
    lines = done.out.splitlines()
    assert [line[2:].split()[0] for line in lines] == versions(bundle)
    assert [line[0] for line in lines] == [" ", " ", "*"]
    assert all("popular" in line for line in lines)
    told = json.loads(paretail("bundles", "list", bundle, "--json").out)
    assert told["current"] == current(bundle)
    assert [row["version"] for row in told["versions"]] == versions(bundle)


def test_one_is_chosen_and_taken_back(bundle: Path, tmp_path: Path) -> None:
    old, middle, new = versions(bundle)
    assert paretail("bundles", "rollback", "--bundle", bundle).out == f"{middle} is current\n"
    assert current(bundle) == middle
    assert paretail("bundles", "use", old, "--bundle", bundle).code == 0
    assert current(bundle) == old
    assert old in paretail("recommend", "--bundle", bundle, "--users", "x", "--out", tmp_path / "r.csv").out
    done = paretail("bundles", "rollback", bundle)
    assert (done.code, "(BNDL-05)" in done.err) == (1, True)
    assert current(bundle) == old
    assert paretail("bundles", "use", "--bundle", bundle, new).code == 0
    assert current(bundle) == new


def test_a_version_that_is_not_there(bundle: Path) -> None:
    before = current(bundle)
    done = paretail("bundles", "use", before[:-1], bundle)
    assert done.code == 1
    assert f"did you mean '{before}'?" in done.err
    assert current(bundle) == before


def test_a_damaged_version_is_listed_but_not_used(bundle: Path) -> None:
    old, _, new = versions(bundle)
    manifest = bundle / "versions" / old / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-1])
    listed = paretail("bundles", "list", bundle)
    assert listed.code == 0
    assert "is damaged" in listed.out.splitlines()[0]
    assert listed.out.splitlines()[-1].startswith(f"* {new}")
    assert "(BNDL-02)" in paretail("bundles", "use", old, bundle).err
    assert current(bundle) == new


def test_a_damaged_pointer_is_mended_by_choosing(bundle: Path) -> None:
    (bundle / "current").write_text("{")
    done = paretail("bundles", "list", bundle)
    assert (done.code, "No version is current" in done.out) == (0, True)
    assert "(BNDL-02)" in paretail("bundles", "rollback", bundle).err
    assert paretail("bundles", "use", versions(bundle)[0], bundle).code == 0
    assert current(bundle) == versions(bundle)[0]


@pytest.mark.parametrize("verb", [["list"], ["rollback"], ["use", "2020"]])
def test_what_is_no_bundle(tmp_path: Path, verb: list[str]) -> None:
    done = paretail("bundles", *verb, "--bundle", tmp_path / "none")
    assert (done.code, "(BNDL-01)" in done.err) == (1, True)
