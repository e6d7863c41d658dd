"""Keys are made in secret, and permissions signed where there is no network."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator, MsgRemoveAuthenticator
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgDepositToSubaccount

from seawall.cli import main
from seawall.venue.dydx.grants import written
from seawall.venue.dydx.keys import Key, load_key
from seawall.venue.dydx.orders import Signer, Terms, sign
from seawall.venue.dydx.permission import compose, is_known_shape, tree_of

OFFLINE = ("--account-number", "42", "--sequence", "7")


def ends_with(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def made(folder: Path, name: str) -> Key:
    path = folder / name
    assert ends_with("keys", "new", str(path)) == 0
    return load_key(str(path), "a test")


@pytest.fixture(name="owner")
def _owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Key:
    """An owner and a trading key in files, in a folder without a network."""
    monkeypatch.chdir(tmp_path)
    owner = made(tmp_path, "owner.key")
    made(tmp_path, "trading.key")
    monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", owner.address)
    monkeypatch.setenv("SEAWALL_KEYS__TRADING", "trading.key")
    monkeypatch.setenv("SEAWALL_VENUE__NODES", "127.0.0.1:1")  # nobody is there
    capsys.readouterr()
    return owner


def trading() -> Key:
    return load_key("trading.key", "a test")


def test_a_new_key_is_for_its_owner_only_and_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = made(tmp_path, "trading.key")

    path = tmp_path / "trading.key"
    secret = path.read_text().strip()
    said = capsys.readouterr()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(secret.split()) == 24
    assert key.address in said.out
    assert key.public_key.hex() in said.out
    assert not any(word in said.out + said.err for word in (secret, " ".join(secret.split()[:2])))


def test_a_new_key_never_takes_the_place_of_another(tmp_path: Path) -> None:
    before = made(tmp_path, "trading.key")

    assert ends_with("keys", "new", str(tmp_path / "trading.key")) == 2
    assert ends_with("keys", "new", "env:TRADING") == 2

    assert load_key(str(tmp_path / "trading.key"), "a test") == before


def test_two_new_keys_are_two(tmp_path: Path) -> None:
    assert made(tmp_path, "a.key").address != made(tmp_path, "b.key").address


def test_a_grant_is_signed_offline_with_the_owners_key(
    owner: Key, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--markets", "0,1", "--subaccounts", "0,128", "--owner", "owner.key")

    assert ends_with("keys", "grant", *words, *OFFLINE) == 0

    transaction = Tx.FromString(base64.b64decode(capsys.readouterr().out))
    message = MsgAddAuthenticator()
    assert transaction.body.messages[0].Unpack(message)
    assert message.sender == owner.address
    assert message.data == compose(trading().public_key, [0, 128], [0, 1])
    assert transaction.auth_info.signer_infos[0].sequence == 7
    assert transaction.auth_info.fee.amount[0].amount == "7500"
    assert len(transaction.signatures) == 1


def test_a_grant_without_the_owners_key_is_a_document_for_another_wallet(
    owner: Key, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with("keys", "grant", "--markets", "0,1", *OFFLINE) == 0

    document = json.loads(capsys.readouterr().out)
    (message,) = document["body"]["messages"]
    assert message["@type"] == "/dydxprotocol.accountplus.MsgAddAuthenticator"
    assert message["sender"] == owner.address
    data = base64.b64decode(message["data"])
    assert is_known_shape(tree_of(message["authenticator_type"], data), trading().public_key)
    assert document["auth_info"]["fee"]["gas_limit"] == "300000"
    assert document["auth_info"]["signer_infos"] == document["signatures"] == []


def test_a_public_key_is_enough_where_the_trading_key_is_elsewhere(
    owner: Key, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = trading().public_key
    monkeypatch.delenv("SEAWALL_KEYS__TRADING")

    given = ("--public-key", key.hex(), "--markets", "0")
    assert ends_with("keys", "grant", *given, *OFFLINE) == 0

    (message,) = json.loads(capsys.readouterr().out)["body"]["messages"]
    assert base64.b64decode(message["data"]) == compose(key, [0], [0])


def test_a_revocation_is_signed_offline(owner: Key, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with("keys", "revoke", "--id", "12", "--owner", "owner.key", *OFFLINE) == 0

    transaction = Tx.FromString(base64.b64decode(capsys.readouterr().out))
    message = MsgRemoveAuthenticator()
    assert transaction.body.messages[0].Unpack(message)
    assert (message.sender, message.id) == (owner.address, 12)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("grant", *OFFLINE), "--markets is missing"),
        (("grant", "--markets", "BTC-USD", *OFFLINE), "clob pair ids"),
        (("grant", "--markets", "0", "--subaccounts", "a", *OFFLINE), "is no number"),
        (("grant", "--markets", "0", "--public-key", "04ff", *OFFLINE), "33 bytes"),
        (("grant", "--markets", "0", "--owner", "trading.key", *OFFLINE), "--owner signs for"),
        (("grant", "--markets", "0", "--send", *OFFLINE), "--send needs the owner's key"),
        (("grant", "--markets", "0", "--sequence", "1"), "together or not at all"),
        (("grant", "--markets", ",".join(map(str, range(300))), *OFFLINE), "fit"),
        (("revoke", *OFFLINE), "say it yourself: --id"),
        (("grant", "--signed", "gone"), "cannot be read"),
    ],
)
def test_refusals_say_what_to_do(
    owner: Key, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with("keys", *words) == 2
    assert says in capsys.readouterr().err


def test_the_owners_own_key_is_not_permitted_to_itself(
    owner: Key, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEAWALL_KEYS__TRADING", "owner.key")

    assert ends_with("keys", "grant", "--markets", "0", *OFFLINE) == 2
    assert "the owner's own key" in capsys.readouterr().err


def test_only_permissions_of_the_owner_are_carried(
    owner: Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = load_key("owner.key", "a test")
    signer = Signer(chain_id="c", key=secret, account_number=1)
    for name, message, says in (
        ("money", MsgDepositToSubaccount(sender=owner.address), "only permissions"),
        ("other", MsgAddAuthenticator(sender="dydx1other"), "is of dydx1other"),
    ):
        (tmp_path / name).write_text(written(sign(signer, message, Terms())))
        assert ends_with("keys", "grant", "--signed", name) == 2
        assert says in capsys.readouterr().err
    (tmp_path / "words").write_text("no transaction")
    assert ends_with("keys", "grant", "--signed", "words") == 2
    assert "not a signed transaction" in capsys.readouterr().err


def test_a_trading_key_that_others_can_read_is_refused(
    owner: Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trading.key").chmod(0o644)

    assert ends_with("keys", "grant", "--markets", "0", *OFFLINE) == 2
    assert "chmod 600" in capsys.readouterr().err
