"""One bad file per fault: its first line is the message it must be refused with."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.errors import RuleFileError
from seawall.rulefile import load

FILES = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_bad_file_is_refused_with_the_message_of_its_first_line(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# ")

    with pytest.raises(RuleFileError) as refused:
        load(path)

    assert [str(problem) for problem in refused.value.problems] == [f"{path}:{expected}"]


def test_a_refusal_ends_with_its_consequence() -> None:
    with pytest.raises(RuleFileError) as refused:
        load(FILES[0])

    assert str(refused.value).splitlines()[-1] == ("Not loaded.")
    assert refused.value.exit_code == 2


def test_the_suite_is_there() -> None:
    assert len(FILES) > 145
