"""`seawall audit` shows every row in one line, and says which one was changed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.account import Observation, Side
from seawall.action import Ending, Outcome, Reduce
from seawall.agent import ReplyRow, StartRow, TickRow
from seawall.cli import main
from seawall.cli.facts import words_of
from seawall.decide.holds import Holds
from seawall.decide.memory import (
    Decision,
    Ended,
    Memory,
    Message,
    Numbered,
    Rearm,
    Started,
    Transition,
    Urgency,
)
from seawall.intervention import End
from seawall.journal.chain import Head, follow
from seawall.journal.codec import to_json
from seawall.policy import Mode, Policy
from seawall.units import BaseQuantums, Millis, Ppm, QuoteQuantums, Subticks
from seawall.venue import Reply
from tests.journal.journals import change, closed_journal_of, journal_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return closed_journal_of(tmp_path / "journal.db", '{"height":7}', '{"height":8}', "[1]")


def run(*words: str | Path) -> int:
    """The exit code of `seawall audit …`."""
    with pytest.raises(SystemExit) as ended:
        main(["audit", *map(str, words)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


REDUCE = Reduce(
    subaccount=0,
    ticker="BTC-USD",
    clob_pair_id=0,
    side=Side.SELL,
    quantums=BaseQuantums(2_000_000),
    subticks=Subticks(9_700_000_000),
    window=3,
    good_til_block=23,
    client_id=5,
)
SEEN = Observation(
    chain_id="c",
    owner="o",
    height=9,
    at=Millis(1),
    seen_at=Millis(1),
    markets={},
    subaccounts=(),
    taker_fee_ppm=Ppm(500),
)
DECISION = Decision(
    tick=4,
    height=9,
    at=Millis(1),
    seen_at=Millis(1),
    transitions=(
        Transition(key="drawdown", level="act", before="clear", after="firing", value=Decimal(1)),
    ),
    started=(Started(name="drawdown/act#1", why="", mode=Mode.LIVE),),
    ended=(Ended(name="leverage/act#0", end=End.REACHED, value=Decimal(1)),),
    actions=(Numbered(id="4.0", action=REDUCE, asked_by=(), what="sell 2 0/BTC-USD"),),
)
ROWS = {
    "start": (
        StartRow(
            version="0.1.0", digest="ab" * 32, mode=Mode.DRY_RUN, owner="dydx1x", policy=Policy()
        ),
        "seawall 0.1.0, dry-run, dydx1x, rules abababababab",
    ),
    "tick": (
        TickRow(
            digest="ab",
            mode=Mode.LIVE,
            seen=SEEN,
            commands_through=0,
            before=Memory(),
            decision=DECISION,
            after=Memory(),
        ),
        (
            "tick 4 at height 9, drawdown/act clear -> firing, started drawdown/act#1, "
            "leverage/act#0 reached, 1 to send"
        ),
    ),
    "sending": (
        Numbered(id="4.0", action=REDUCE, asked_by=("drawdown/act#1",), what="sell 2 0/BTC-USD"),
        "4.0 sell 2 0/BTC-USD for drawdown/act#1",
    ),
    "reply": (
        ReplyRow(action_id="4.0", reply=Reply(code=2001, codespace="clob", log="no")),
        "4.0 refused: clob 2001 no",
    ),
    "outcome": (
        Outcome(
            action_id="4.0",
            ending=Ending.FILLED,
            height=11,
            at=Millis(2),
            quote=QuoteQuantums(1_234_567_890),
            fee=QuoteQuantums(617_284),
            cost_vs_oracle=QuoteQuantums(2_000_000),
        ),
        "4.0 filled at height 11: $1,234.57 exchanged, cost $2 with fee $0.62",
    ),
    "message": (
        Message(urgency=Urgency.PAGE, key="drawdown/act", text="down\n 12%"),
        "page: down 12%",
    ),
    "command": (Rearm(key="drawdown"), "rearm drawdown"),
    "holds": (
        Holds(
            at=Millis(1),
            seen_at=Millis(1),
            held={"liq-move/0/BTC-USD": {"watch": Millis(7_000), "act": Millis(65_000)}},
        ),
        "held so far: liq-move/0/BTC-USD/watch 7s, liq-move/0/BTC-USD/act 1m5s",
    ),
}


@pytest.mark.parametrize("kind", ROWS)
def test_each_kind_of_row_is_told_in_words(kind: str) -> None:
    value, words = ROWS[kind]

    assert words_of(follow(Head(), kind, Millis(0), to_json(value))) == words


@pytest.mark.parametrize(
    ("reply", "words"),
    [(Reply(), "4.0 accepted"), (Reply(is_unknown=True), "4.0 answer lost")],
)
def test_each_answer_is_told_in_words(reply: Reply, words: str) -> None:
    body = to_json(ReplyRow(action_id="4.0", reply=reply))

    assert words_of(follow(Head(), "reply", Millis(0), body)) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"rule":"liq-move","at":5,"ok":true,"none":null,"no":[]}', "rule=liq-move at=5 ok=yes"),
        ('{"deep":{"a":[1,2]}}', 'deep={"a":[1,2]}'),
        ('{"long":"' + "x" * 60 + '"}', f"long={'x' * 39}…"),
        (json.dumps(dict.fromkeys("abcdefghij", 1)), "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 …"),
        ("[1, 2]", "[1, 2]"),
        ("no json", "no json"),
        ("{}", ""),
    ],
)
def test_a_kind_that_is_not_known_shows_its_first_facts(body: str, words: str) -> None:
    assert words_of(follow(Head(), "dream", Millis(0), body)) == words


def test_a_known_kind_of_another_version_shows_its_first_facts() -> None:
    for kind in ROWS:
        assert words_of(follow(Head(), kind, Millis(0), '{"wing":3}')) == "wing=3"


def test_rows_of_the_journal_itself_are_told_in_words(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")
    change(path, "update rows set body = '[]' where seq = 2")
    journal = journal_of(path, "{}")
    journal.prune(before=Millis(journal.now() + 1), kinds=["tick"])

    assert [words_of(row) for row in journal.rows()] == [
        (
            "the journal before this one is broken at row 2: body_hash is not the hash of its "
            "body; kept as journal.broken-2.db"
        ),
        "pruned; its hash is kept",
        "1 bodies dropped (tick), up to row 2",
    ]


def test_the_list_is_a_line_a_row(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--journal", path) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["1", "2023-11-14T22:13:20.000Z", "tick", "height=7"],
        ["2", "2023-11-14T22:13:20.000Z", "tick", "height=8"],
        ["3", "2023-11-14T22:13:20.000Z", "tick", "[1]"],
    ]


def test_the_list_is_cut_to_kind_and_limit(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--journal", path, "--limit", "2", "--json") == 0
    assert [row["seq"] for row in json.loads(capsys.readouterr().out)] == [2, 3]

    assert run("list", "--journal", path, "--kind", "sending", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_row_is_shown_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "2", "--journal", path, "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["seq"], row["kind"], row["body"]) == (2, "tick", {"height": 8})

    assert run("show", "2", "--journal", path) == 0
    shown = capsys.readouterr().out
    for value in (row["prev_hash"], row["body_hash"], row["row_hash"], '"height": 8'):
        assert value in shown


def test_a_row_that_is_not_there_is_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "9", "--journal", path) == 2
    assert capsys.readouterr().err == f"seawall: {path}: no row 9; rows are 1 to 3\n"
    assert run("show", "x", "--journal", path) == 2
    assert "'x' is no row and no action" in capsys.readouterr().err
    assert run("show", "2.0", "--journal", path) == 2
    assert f"{path}: no action 2.0; see them with" in capsys.readouterr().err


def test_an_action_is_shown_with_its_reply_and_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "journal.db"
    journal = journal_of(file, '{"height":7}')
    for kind, body in (
        ("sending", '{"id":"36.0"}'),
        ("sending", '{"id":"36.1"}'),
        ("reply", '{"action_id":"36.0"}'),
        ("outcome", '{"action_id":"36.0"}'),
    ):
        journal.append(kind, body)
    journal.close()

    assert run("show", "36.0", "--journal", file, "--json") == 0

    rows = json.loads(capsys.readouterr().out)
    assert [(row["seq"], row["kind"]) for row in rows] == [
        (2, "sending"),
        (4, "reply"),
        (5, "outcome"),
    ]


def test_a_journal_that_holds_says_how_much_and_its_head(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "--journal", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["rows"], found["pruned"]) == (True, 3, 0)
    head = f"{found['head']['seq']}:{found['head']['hash']}"

    assert run("verify", "--journal", path, "--head", head) == 0
    assert capsys.readouterr().out == f"{path}: 3 rows hold; head {head}\n"


def test_pruned_rows_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "journal.db"
    journal = journal_of(path, "{}")
    journal.prune(before=Millis(journal.now() + 1), kinds=["tick"])
    journal.close()

    assert run("verify", "--journal", path) == 0
    assert "2 rows hold, 1 of them pruned (hashes kept); head 2:" in capsys.readouterr().out


def test_a_changed_row_is_named_and_fails(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(path, """update rows set body = '{"height":9}' where seq = 2""")

    assert run("verify", "--journal", path) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"seawall: row 2: body_hash is not the hash of its body ({path})\n"

    assert run("verify", "--journal", path, "--json") == 1
    assert json.loads(capsys.readouterr().out)["row"] == 2


def test_a_head_that_is_no_longer_there_fails(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "--journal", path, "--head", f"4:{'a' * 64}") == 1
    assert "row 4: is missing; rows up to 4 were expected" in capsys.readouterr().err


@pytest.mark.parametrize("head", ["4", "x:y", f"-1:{'a' * 64}", "4:abc"])
def test_a_head_that_is_none_is_refused(path: Path, head: str) -> None:
    assert run("verify", "--journal", path, f"--head={head}") == 2


def test_no_journal_is_refused_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in (["list"], ["show", "1"], ["verify"]):
        assert run(*verb, "--journal", tmp_path / "none.db") == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"seawall: {tmp_path}/none.db: no journal there; ")


def test_a_torn_journal_is_said_to_be_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = closed_journal_of(tmp_path / "journal.db", *(f'{{"n":{n}}}' for n in range(60)))
    content = bytearray(path.read_bytes())
    page = content.index(b'{"n":59}') // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)

    assert run("list", "--journal", path) == 1
    assert "malformed; `seawall audit verify` names the first bad row" in capsys.readouterr().err
    assert run("verify", "--journal", path) == 1


def test_the_journal_of_the_settings_is_read_unless_another_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = path.parent
    monkeypatch.chdir(folder)
    assert run("verify") == 2
    assert "seawall.db: no journal there" in capsys.readouterr().err

    (folder / "config").mkdir()
    (folder / "config" / "seawall.toml").write_text('[journal]\npath = "journal.db"\n')
    assert run("verify") == 0

    monkeypatch.setenv("SEAWALL_JOURNAL__PATH", "other.db")
    assert run("verify") == 2
    assert "other.db: no journal there" in capsys.readouterr().err


def test_settings_that_are_none_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "seawall.toml").write_text("[journal\n")

    assert run("list") == 2
    assert "config/seawall.toml: " in capsys.readouterr().err
