"""The benchmarks' meter, record and tables: what a run costs is seen, and what is recorded is what is shown."""

import importlib
import json
import sys
from pathlib import Path

import harness
import pytest
import result_tables

from paretail.core.memory import peak_mib
from paretail.retrieve.auto import check_settings

HELD = "x = bytearray(80 * 2**20)"
ABOUT = {
    "commit": "abc", "date": "2026-11-22T10:00:00+00:00", "python": "3.11.7", "load_at_start": [0.5, 0.4, 0.3],
    "machine": {"cpu": "A", "cores": 2, "memory_gib": 24.0},
}  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory of descendants is read from /proc")
def test_memory_of_a_process_and_its_child_counts_together(tmp_path: Path) -> None:
    child = f"import time; {HELD}; time.sleep(0.4)"
    used = harness.meter([sys.executable, "-c", f"import subprocess, sys; {HELD}; "
                          f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"], tmp_path)  # fmt: skip
    assert used.peak_rss_mib > 160
    assert used.wall_s > 0.4
    assert used.cpu_s > 0


def test_the_peak_of_a_process_too_short_to_sample_is_exact_where_it_is_above_ours(tmp_path: Path) -> None:
    more = round(peak_mib()) + 80
    held = f"x = bytearray(b'x') * ({more} << 20)"
    used = harness.meter([sys.executable, "-c", f"{held}; print('done')"], tmp_path, every_s=0.5)
    assert more < used.peak_rss_mib < more + 60
    assert used.printed == "done\n"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory of others is read from /proc")
def test_what_we_held_ourselves_is_no_memory_of_a_command(tmp_path: Path) -> None:
    ours = bytearray(b"x") * (150 << 20)
    used = harness.meter([sys.executable, "-c", "import time; time.sleep(0.2)"], tmp_path)
    assert 1 < used.peak_rss_mib < len(ours) / harness.MIB


def test_a_command_that_fails_stops_the_benchmark_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"exit code 3\n.*no such shop"):
        harness.meter(
            [sys.executable, "-c", "import sys; print('no such shop', file=sys.stderr); sys.exit(3)"], tmp_path
        )


def test_a_part_replaces_its_older_results_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    for part, value in (("one", 1), ("two", 2), ("one", 3)):
        harness.record(tmp_path, part, ABOUT, [{"value": value}])
    results = json.loads((tmp_path / "results.json").read_text())
    assert {part: run["rows"] for part, run in results.items()} == {"one": [{"value": 3}], "two": [{"value": 2}]}
    assert results["one"]["commit"] == "abc"


def test_a_marked_table_is_written_anew_and_the_text_around_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_tables, "HERE", tmp_path)
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    (tmp_path / "speed").mkdir()
    harness.record(
        tmp_path / "speed", "csv", ABOUT, [{"events": 1000, "wall_s": 1.25}, {"events": 2000, "wall_s": 2.0}]
    )
    page = (
        "Before.\n<!-- results: speed -->\nold\n<!-- /results -->\nAfter.\n<!-- results: none -->\n<!-- /results -->\n"
    )
    filled = result_tables.filled(page)
    assert "| part | events | wall (s) |\n| --- | --- | --- |\n| csv | 1,000 | 1.25 |\n| csv | 2,000 | 2 |" in filled
    assert "2026-11-22, commit abc, 2 cores of A" in filled
    assert "old" not in filled
    assert filled.startswith("Before.\n")
    assert filled.endswith("After.\n<!-- results: none -->\n<!-- /results -->\n")
    assert result_tables.filled(filled) == filled


METRICS = {"recall@20": {"mean": 0.1933, "se": 0.0011}, "ndcg@20": {"mean": 0.1609, "se": 0.0009}}
COST = {"wall_s": 41.3, "cpu_s": 60.0, "peak_rss_mib": 2048}
OURS = {
    "model": "blend", "protocol": "", "ours": True, "metrics": METRICS, "train": COST, "recommend": COST,
    "train_settings_given": COST | {"wall_s": 11.2},
}  # fmt: skip
RIVAL = {"model": "popular", "protocol": "", "metrics": {"recall@20": {"mean": 0.04}, "ndcg@20": {"mean": 0.03}}}
TOLD = {"model": "LightGCN", "protocol": "published", "metrics": {"recall@20": {"mean": 0.183}}}
RESULTS = {"gowalla": {**ABOUT, "rows": [OURS, RIVAL, TOLD]}}


def test_a_summary_puts_the_others_beside_us() -> None:
    table = result_tables.SHAPES["summary"][1](RESULTS)
    assert "| set | figures | paretail | popular | published | train | memory |" in table
    values = "| **.1933 / .1609** | .0400 / .0300 | LightGCN .1830 |"
    assert f"| gowalla | Recall@20 / NDCG@20 {values} 41 s (settings given: 11 s) | 2.0 GiB |" in table


def test_accuracy_shows_each_model_with_its_errors_and_costs() -> None:
    table = result_tables.SHAPES["real_sets"][1](RESULTS)
    ours = "| **blend** | Recall@20 / NDCG@20 | .1933 ± .0011 / .1609 ± .0009 | 41 s (settings given: 11 s) |"
    assert f"{ours} 2.0 GiB | 41 s |" in table
    assert "| published | LightGCN | Recall@20 | .1830 |  |  |  |" in table


def test_rows_of_earlier_runs_say_of_when_they_are() -> None:
    run = {"date": "2026-11-01T00:00", "commit": "def"}
    told = result_tables._circumstances({"gowalla": {**ABOUT, "rows": [OURS, RIVAL | {"earlier": run}]}})
    assert "2026-11-22, commit abc" in told
    assert told.endswith("; popular: 2026-11-01, commit def</sub>")


def test_the_table_of_architectures_goes_on_where_it_stopped_and_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(harness.__file__).parent / "shop_search"))
    import replay
    import table

    def evaluated(ground: str, job: table.Job) -> dict[str, object]:
        worth = 0.2 if job.settings.get("message") == "gat" else 0.1
        return {"ndcg": worth, "apart": [worth, worth], "error": 0.01}

    monkeypatch.setattr(table, "FILE", tmp_path / "table.csv")
    monkeypatch.setattr(table, "ground", str)
    monkeypatch.setattr(table, "evaluate", evaluated)
    monkeypatch.setattr(replay, "SEARCHES", 2)
    assert [table.measure(["planted"], (0,), most) for most in (3, 60, 0)] == [3, 60, 0]
    assert len(table.known_rows()) == 63
    told = {row["model"]: row for row in replay.compared("planted")}
    assert told["hybrid, best of 40"]["test"] == "0.2000"  # one table has no interval, however many searches
    assert told["mf, tuned"]["validation"] == "0.1000"
    assert replay.half_width({"0": [1.0, 3.0], "1": [4.0], "2": [6.0]}) == pytest.approx(4.3027 * 2 / 3**0.5, rel=1e-4)
    assert table.measure(["planted"], (0,)) == len(table.RIVALS) + 444 - 63


def test_settings_that_are_fixed_in_advance_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(harness.__file__).parent / "real_sets"))
    fixed = importlib.import_module("sets").FIXED
    assert "lightgcn, fixed" in fixed
    for name, settings in fixed.values():
        check_settings(name, settings)
        assert {"epochs", "bias_lift"} <= set(settings)  # else the search chooses them
