"""The journal: what was evaluated is on disk, a torn end harms nothing, what is foreign is refused or not used."""

import json
from pathlib import Path

import pytest

from paretail.core.errors import DataError
from paretail.search.journal import Journal


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "evaluations.jsonl"
    journal = Journal.open(path, "a")
    journal.add("k", {"share": 0.5}, {"ndcg": 0.25})
    journal.note("round 0", 3.5)
    journal.note("round 0", 4.5)
    again = Journal.open(path, "a")
    assert again.get("k") == {"ndcg": 0.25}
    assert again.get("other") is None
    assert again.noted("round 0") == 4.5
    assert (len(again), again.others) == (1, 0)


@pytest.mark.parametrize("torn", range(1, 12, 3))
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "e.jsonl"
    journal = Journal.open(path, "a")
    journal.add("one", {}, {"ndcg": 0.1})
    whole = path.read_bytes()
    journal.add("two", {}, {"ndcg": 0.2})
    path.write_bytes(path.read_bytes()[:-torn])
    again = Journal.open(path, "a")
    assert (again.get("one"), again.get("two")) == ({"ndcg": 0.1}, None)
    assert path.read_bytes() == whole
    again.add("two", {}, {"ndcg": 0.2})
    assert Journal.open(path, "a").get("two") == {"ndcg": 0.2}


def test_evaluations_of_other_data_stay_and_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    Journal.open(path, "a").add("k", {}, {"ndcg": 0.1})
    other = Journal.open(path, "b")
    assert (other.get("k"), other.others) == (None, 1)
    other.add("k", {}, {"ndcg": 0.9})
    assert Journal.open(path, "a").get("k") == {"ndcg": 0.1}


@pytest.mark.parametrize("text", ["hello\n", "{}\n", '{"paretail": "search", "format": 2}\n', '[]\n{"a": 1}\n'])
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"line 1.*SRCH-14"):
        Journal.open(path, "a")
    assert path.read_text() == text


def test_a_foreign_line_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    Journal.open(path, "a").add("k", {}, {})
    with path.open("a") as file:
        file.write(json.dumps({"data": "a", "what": 1}) + "\n")
    with pytest.raises(DataError, match=r"line 3.*SRCH-14"):
        Journal.open(path, "a")


def test_what_time_cut_short_is_no_answer_where_more_is_given(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    journal = Journal.open(path, "a")
    journal.add("cut", {"minutes": 2.0}, {"ndcg": 0.1, "stopped": "minutes"})
    journal.add("whole", {"minutes": 2.0}, {"ndcg": 0.2, "stopped": "epochs"})
    for one in (journal, Journal.open(path, "a")):
        assert one.get("cut", 2.0) == one.get("cut", 1.0) == {"ndcg": 0.1, "stopped": "minutes"}
        assert one.get("cut", 3.0) is one.get("cut") is None
        assert one.get("whole") == one.get("whole", 9.0) == {"ndcg": 0.2, "stopped": "epochs"}
