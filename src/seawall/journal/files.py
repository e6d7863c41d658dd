"""The journal's file: opening it to read or to write, refusing what is none, setting one aside."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from seawall.errors import JournalBroken, JournalUnwritable, OperatorError
from seawall.journal.schema import COLUMNS, MIGRATIONS, MIGRATIONS_TABLE, migrations

DEFAULT_PATH = Path("seawall.db")  # journal.path where nothing else is set
MAGIC = b"SQLite format 3\0"
PATIENCE_MS = 1_000  # for another writer
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def decode(raw: bytes) -> str:
    """Text as stored; bytes that are no text are shown as such, for `verify` to name."""
    return raw.decode(errors="replace")


def file_id(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that took its name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def in_memory() -> Database:
    """A journal that ends with the process, for tests and replays."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    return _prepared(connection, "memory")


def is_damage(error: sqlite3.DatabaseError | UnicodeDecodeError) -> bool:
    """Whether an error says that the file is damaged, rather than busy, full or out of reach."""
    if isinstance(error, UnicodeDecodeError):
        return True  # the damage is in a name, and SQLite's words about it cannot be decoded
    code: int = getattr(error, "sqlite_errorcode", 0)  # an error of our own has none
    return code & 0xFF in DAMAGED


def connect_to_read(path: Path) -> Database:
    """A connection that cannot write.

    Raises OperatorError where there is no journal, JournalBroken where the file is damaged.
    """
    if not path.is_file():
        raise OperatorError(
            f"{path}: no journal there; `seawall run` begins one, or name another with --journal"
        )
    reason: sqlite3.DatabaseError | UnicodeDecodeError | None = None
    for mode in ("mode=ro", "immutable=1"):  # the second where even the lock file cannot be made
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        connection.text_factory = decode
        try:
            connection.execute("select seq, row_hash from rows limit 1").fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            connection.close()
            reason = error
        else:
            return Database(connection, execute_plugins=False)
    assert reason is not None
    if is_damage(reason) and _first_bytes(path) == MAGIC:
        raise JournalBroken(1, f"cannot be read: {reason}")
    raise OperatorError(f"{path}: not a Seawall journal ({reason}); name another with --journal")


def connect_to_write(path: Path) -> Database:
    """A connection to a journal, made with its folders where there is none.

    Raises OperatorError where something else is there, JournalUnwritable where nothing can be made
    or changed, JournalBroken where the file is damaged.
    """
    _refuse_what_is_no_journal(path)
    remedy = "make it writable, or name another file as journal.path"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalUnwritable(f"{path.parent}: {error.strerror}; {remedy}") from None
    connection = None
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=PATIENCE_MS / 1000
        )
        return _once_free(_prepared, connection, str(path))
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if connection is not None:
            connection.close()
        if is_damage(error):
            raise JournalBroken(1, f"cannot be read: {error}") from None
        raise JournalUnwritable(f"{path}: {error}; {remedy}") from None


def set_aside(path: Path, seq: int) -> Path:
    """Rename a journal whose row `seq` does not verify, with what belongs to it; its new path.

    Raises JournalUnwritable where the folder does not allow it.
    """
    aside = path.with_name(f"{path.stem}.broken-{seq}{path.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.broken-{seq}-{number}{path.suffix}")
    try:
        for part in ("-wal", "-shm", ""):
            piece = path.with_name(path.name + part)
            if piece.exists():
                piece.rename(aside.with_name(aside.name + part))
    except OSError as error:
        raise JournalUnwritable(f"{path}: cannot be set aside: {error.strerror}") from None
    return aside


def _refuse_what_is_no_journal(path: Path) -> None:
    remedy = "name a file for the journal as journal.path"
    if path.is_dir():
        raise OperatorError(f"{path}: is a folder; {remedy}")
    if not path.is_file():
        return
    try:
        start = _first_bytes(path)
    except OSError as error:
        raise JournalUnwritable(f"{path}: {error.strerror}; make it readable") from None
    # A file that a power cut left full of zeros was a journal; anything else is somebody's.
    if start not in (b"", MAGIC, bytes(len(MAGIC))):
        raise OperatorError(f"{path}: is not a journal and stays as it is; {remedy}")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MAGIC))


def _applied(database: Database) -> set[str]:
    """The migrations that a database says it has."""
    if MIGRATIONS_TABLE not in database.table_names():
        return set()
    sql = f"select name from {MIGRATIONS_TABLE} where migration_set = ?"
    try:
        return {name for (name,) in database.execute(sql, (migrations.name,))}
    except sqlite3.OperationalError:
        return set()


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


# Two that begin one journal at once meet at the change to WAL, where SQLite itself does not wait.
_once_free = Retrying(
    retry=retry_if_exception(_is_busy),
    stop=stop_after_delay(PATIENCE_MS / 1000),
    wait=wait_fixed(0.01),
    reraise=True,
)


def _prepared(connection: sqlite3.Connection, name: str) -> Database:
    """The connection with the tables of this version; raises OperatorError for others."""
    connection.text_factory = decode
    database = Database(connection, execute_plugins=False)
    with database.atomic():  # one view of it all, while another process may be making it
        applied = _applied(database)
        tables = database.table_names()
        is_like_ours = "rows" in tables and set(database["rows"].columns_dict) == COLUMNS
    if tables and not applied and not is_like_ours:
        raise OperatorError(
            f"{name}: a database of something else (table {tables[0]}), which stays as it is; "
            "name another file as journal.path"
        )
    if bool(applied) is not is_like_ours:
        raise JournalBroken(1, "cannot be read: the tables are not those that were made")
    if applied - MIGRATIONS:
        raise OperatorError(f"{name}: written by a newer Seawall; update this one")
    database.enable_wal()
    database.execute("pragma synchronous = normal")
    if applied != MIGRATIONS:
        database.execute("begin immediate")  # two processes may begin one journal
        try:
            migrations.apply(database)
        except BaseException:
            database.rollback()
            raise
        database.commit()
    return database
