"""`seawall audit`: read the journal, and prove that nobody changed it."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seawall.cli.facts import words_of
from seawall.cli.place import JournalOption, journal_path
from seawall.errors import JournalBroken, JournalError, OperatorError
from seawall.journal.chain import Head, Row, Verified
from seawall.journal.queries import Reader

ACTION_ROWS = (("sending", "id"), ("reply", "action_id"), ("outcome", "action_id"))

app = typer.Typer(
    add_completion=False,
    help="Read the journal, and prove that nobody changed it.",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def audit() -> None:
    """Read the journal, and prove that nobody changed it."""


@app.command("list")
def list_rows(
    journal: JournalOption = None,
    kind: Annotated[str | None, typer.Option(help="Only rows of this kind, like sending.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest rows.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """The newest rows, oldest first. Example: seawall audit list --kind sending --limit 20."""
    with _opened(journal_path(journal)) as reader:
        rows = reader.newest(limit, kind=kind)
    if as_json:
        print(json.dumps([as_object(row) for row in rows], indent=2))
        return
    if not sys.stdout.isatty():
        for row in rows:
            print(f"{row.seq:>6}  {time_of(row)}  {row.kind:<8} {words_of(row)}")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("what", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(str(row.seq), time_of(row), escape(row.kind), escape(words_of(row)))
    Console(highlight=False).print(table)


@app.command("show")
def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A row's number, or an action like 36.0.")
    ],
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """One row whole, with its hashes; of an action, what was sent, answered and became of it.

    Example: seawall audit show 812
    """
    place = journal_path(journal)
    with _opened(place) as reader:
        found = _of_action(reader, name, place) if "." in name else [_row(reader, name, place)]
    if as_json:
        objects = [as_object(row) for row in found]
        print(json.dumps(objects if "." in name else objects[0], indent=2))
        return
    for number, row in enumerate(found):
        if number:
            print()
        _print_row(row)


def _row(reader: Reader, name: str, place: Path) -> Row:
    last = reader.head().seq
    if not (name.isascii() and name.isdigit()):
        raise OperatorError(
            f"{name!r} is no row and no action: give a row's number, 1 to {last}, or an action's "
            "like 36.0"
        )
    row = reader.get(int(name)) if len(name) <= len(str(last)) else None
    if row is None:
        raise OperatorError(f"{place}: no row {name}; rows are 1 to {last}")
    return row


def _of_action(reader: Reader, name: str, place: Path) -> list[Row]:
    """The rows of one action: its sending, the reply, the outcome, as far as they are there."""
    found = [
        row
        for kind, key in ACTION_ROWS
        for row in reader.rows(kind)
        if isinstance(body := body_of(row), dict) and body.get(key) == name
    ]
    if not found:
        raise OperatorError(
            f"{place}: no action {name}; see them with `seawall audit list --kind sending`"
        )
    return sorted(found, key=lambda row: row.seq)


def _print_row(row: Row) -> None:
    print(f"row       {row.seq}")
    print(f"time      {time_of(row)}")
    print(f"kind      {row.kind}")
    print(f"what      {words_of(row)}")
    print(f"follows   {row.prev_hash}")
    print(f"body hash {row.body_hash}")
    print(f"row hash  {row.row_hash}")
    print(f"body      {json.dumps(body_of(row), indent=2)}")


@app.command("verify")
def verify(
    journal: JournalOption = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="ROW:HASH", help="A head written down elsewhere, like in a page."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every row against the hash chain; exit 1 naming the first that does not hold.

    Example: seawall audit verify --head 812:9f2c…
    """
    expected = None if head is None else parse_head(head)
    place = journal_path(journal)
    try:
        with Reader.open(place) as reader:
            verified = reader.verify(expected=expected)
    except JournalBroken as broken:
        if as_json:
            print(json.dumps({"ok": False, "row": broken.sequence, "reason": broken.reason}))
        raise JournalBroken(broken.sequence, f"{broken.reason} ({place})") from None
    if as_json:
        counts = {"ok": True, "rows": verified.rows, "pruned": verified.pruned}
        found = {"seq": verified.head.seq, "hash": verified.head.hash}
        print(json.dumps(counts | {"head": found}))
        return
    print(sentence(verified, place))


def sentence(verified: Verified, place: Path) -> str:
    """What a verification found, for people."""
    if verified.rows == 0:
        return f"{place}: no rows yet"
    pruned = f", {verified.pruned} of them pruned (hashes kept)" if verified.pruned else ""
    head = f"{verified.head.seq}:{verified.head.hash}"
    return f"{place}: {verified.rows} rows hold{pruned}; head {head}"


def parse_head(text: str) -> Head:
    """The head written as ROW:HASH; raises OperatorError for anything else."""
    seq, _, digest = text.partition(":")
    if not seq.isdigit() or len(digest) != len(Head().hash):
        raise OperatorError(f"--head {text}: write it as `audit verify` prints it, like 812:9f2c…")
    return Head(seq=int(seq), hash=digest)


def as_object(row: Row) -> dict[str, object]:
    """A row as JSON shows it; `at` in milliseconds of Unix time."""
    return {
        "seq": row.seq,
        "at": row.at,
        "time": time_of(row),
        "kind": row.kind,
        "prev_hash": row.prev_hash,
        "body_hash": row.body_hash,
        "row_hash": row.row_hash,
        "body": body_of(row),
    }


def body_of(row: Row) -> object:
    """The body parsed; text that is no JSON as it stands, null where it was pruned."""
    if row.body is None:
        return None
    try:
        body: object = json.loads(row.body)
    except ValueError:
        return row.body
    return body


def time_of(row: Row) -> str:
    """When a row was written, ISO 8601 in UTC, to the millisecond; the number where it is none."""
    try:
        moment = datetime.fromtimestamp(row.at // 1000, tz=UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return str(row.at)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{row.at % 1000:03d}Z"


@contextmanager
def _opened(place: Path) -> Iterator[Reader]:
    """A journal to read; raises JournalError where its file is too damaged for that."""
    try:
        with Reader.open(place) as reader:
            yield reader
    except sqlite3.DatabaseError as error:
        raise JournalError(
            f"{place}: {error}; `seawall audit verify` names the first bad row"
        ) from None
