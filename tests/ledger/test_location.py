"""Where a ledger may be, and that its password is never shown."""

from __future__ import annotations

import pytest

from ledger import InvalidLocation, LedgerError, open_ledger
from ledger.location import has_password, locate, shown


@pytest.mark.parametrize(
    ("location", "file"),
    [
        ("runs/l.db", "runs/l.db"),
        ("/runs/l.db", "/runs/l.db"),
        ("sqlite:///l.db", "l.db"),
        ("sqlite:////runs/l.db", "/runs/l.db"),
        ("./postgresql:l.db", "./postgresql:l.db"),
        ("sqlite:///dir/a@b.db", "dir/a@b.db"),
    ],
)
def test_a_path_and_a_sqlite_url_are_files(location: str, file: str) -> None:
    assert locate(location).database == file
    assert shown(locate(location)) == file


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_goes_through_psycopg(scheme: str) -> None:
    assert locate(f"{scheme}://me@db.example/x").drivername == "postgresql+psycopg"


SECRET = "s3cret"


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://me:{SECRET}@db.example/x",
        f"postgresql://me:{SECRET}@db.example:6000/x?sslmode=require",
        f"postgresql://db.example/x?user=me&password={SECRET}",
        f"postgresql://me@db.example/x?sslpassword={SECRET}",
    ],
)
def test_a_password_is_seen_and_not_shown(location: str) -> None:
    url = locate(location)
    assert has_password(url)
    assert SECRET not in shown(url)
    assert "db.example" in shown(url)


@pytest.mark.parametrize("location", ["postgresql://me@db.example/x", "postgresql:///x", "l.db"])
def test_a_location_without_a_password_has_none(location: str) -> None:
    assert not has_password(locate(location))


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://me:{SECRET}@more@db.example/x",
        f"postgresql://me:1/{SECRET}@db.example/x",
        f"postgresql://me:{SECRET}@db.example:port/x",
        f"postgresql:/me:{SECRET}@db.example/x",
        f"postgresql:me:{SECRET}@db.example/x",
        f"postgres:/me:{SECRET}@db.example/x",
        f"mysql://me:{SECRET}@db.example/x",
        f"sqlite://me:{SECRET}@db.example/x",
        f"://me:{SECRET}@db.example/x",
        "sqlite://",
        "sqlite:///:memory:",
        ".",
    ],
)
def test_where_no_ledger_can_be_is_refused_without_repeating_a_secret(location: str) -> None:
    with pytest.raises(InvalidLocation) as caught:
        open_ledger(location)
    assert SECRET not in str(caught.value)
    assert isinstance(caught.value, LedgerError)
