"""A ledger in a schema of a PostgreSQL database, through psycopg."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL

from ledger.backends.forking import forget_connections
from ledger.backends.postgres_catalog import DEFINITIONS
from ledger.backends.protocol import BUSY_TIMEOUT_S, Backend
from ledger.errors import InvalidLocation, LedgerError, MissingExtra, NotFound, Unavailable
from ledger.node_locks import ServerLocks
from ledger.rows import Row
from ledger.translation import DRIVERS

_CONNECT_TIMEOUT_S = 10
_OURS = 1920298092
"""The first key of our advisory locks: no other program's, we hope."""
_PATIENCE = f"set_config('lock_timeout', '{int(BUSY_TIMEOUT_S * 1000)}', true)"

_MIGRATING = (
    f"SELECT {_PATIENCE}, "
    f"pg_advisory_xact_lock({_OURS}, hashtext('migrations of ' || current_schema()))"
)


class Postgres(Backend):
    """A PostgreSQL database, in the schema that its search path names first."""

    name = "postgresql"
    mark = "%s"
    # The settings hold for the transaction: an acknowledged event is on disk even
    # where the server trades that for speed, and nobody waits for ever. The second
    # key is the table itself, so that ledgers in other schemas do not wait.
    # A trigger that puts off what it does would act after what was stored is counted.
    begin = f"""
SET CONSTRAINTS ALL IMMEDIATE;
SELECT {_PATIENCE},
    CASE WHEN current_setting('synchronous_commit') = 'off'
         THEN set_config('synchronous_commit', 'on', true) END,
    pg_advisory_xact_lock({_OURS}, 'events'::regclass::oid::integer)
"""

    def __init__(self, url: URL, *, create: bool, readonly: bool) -> None:
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
        try:
            # Whatever the server's default: an append must see the head as it is
            # once it holds the lock, not as it was when its transaction began.
            self.engine = create_engine(
                url,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
                # Behind a pooler the next statement may run in another session, which
                # knows of no statement that was prepared in this one.
                connect_args={"prepare_threshold": None},
            )
        except ModuleNotFoundError as error:
            raise MissingExtra("PostgreSQL", str(error.name), "postgres") from error
        if readonly:

            @event.listens_for(self.engine, "connect")
            def _read_only(connection: Any, _record: Any) -> None:
                connection.read_only = True

        forget_connections(self.engine)

    @staticmethod
    def make(url: URL, fill: Callable[[Backend], None]) -> None:
        """Databases are the server's owner's to make; the tables are made in what is there."""

    def commit(self, connection: Any) -> None:
        """The driver began the transaction with the first statement."""
        connection.commit()

    def insert(self, cursor: Any, rows: Sequence[Row]) -> None:
        """COPY, which one row is not worth."""
        columns = ", ".join(Row._fields)
        if len(rows) == 1:
            marks = ", ".join([self.mark] * len(Row._fields))
            cursor.execute(f"INSERT INTO events ({columns}) VALUES ({marks})", rows[0])
        elif rows:
            with cursor.copy(f"COPY events ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A lock of the schema's name: there may be no table yet."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(_MIGRATING)
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.invalidate()
                raise

    def in_the_way(self, tables: set[str]) -> set[str]:
        """Those of our names: a schema may be shared."""
        return tables & {"events", "checkpoints"}

    def definitions(self, connection: Connection) -> dict[str, str]:
        """As the server writes them down, whoever asks: names in other schemas are qualified."""
        schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
        return _definitions_in(connection, schema)

    def fresh_definitions(self, make: Callable[[Connection], None]) -> dict[str, str]:
        """In a schema whose making is undone; told as if it were the ledger's own."""
        if reason := self.not_writable():
            raise Unavailable(reason)
        with self.engine.connect() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
            schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
            scratch = f"runledger_{uuid.uuid4().hex}"
            connection.exec_driver_sql(f"CREATE SCHEMA {scratch}")
            connection.exec_driver_sql(f"SET LOCAL search_path TO {scratch}")
            make(connection)
            made = _definitions_in(connection, scratch)
            connection.rollback()
        return {name: text.replace(scratch, schema) for name, text in made.items()}

    def not_writable(self) -> str:
        """A standby follows another server; and a server or database can be set to reading."""
        with self.engine.connect() as connection:
            standby = connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one()
            reading = connection.exec_driver_sql("SHOW default_transaction_read_only").scalar_one()
        if standby:
            return "this server is a standby, where nobody can write: name its primary"
        if reading == "on":
            return "default_transaction_read_only is on for this user, database or server"
        return ""

    def broken_parts(self) -> list[str]:
        """PostgreSQL looks after its own files."""
        return []

    def node_locks(self) -> ServerLocks:
        """Locks of the server, for machines that share a ledger."""
        return ServerLocks(self.engine)

    def size_bytes(self) -> int:
        """Our tables; the server's own log is not ours to count."""
        query = "SELECT pg_total_relation_size('events') + pg_total_relation_size('checkpoints')"
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    def copy(self, part: Path) -> bool:
        """A server's files are not ours to copy."""
        return False


def _definitions_in(connection: Connection, schema: str) -> dict[str, str]:
    connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
    return {row[0]: row[1] for row in connection.exec_driver_sql(DEFINITIONS)}


def _translated(error: BaseException, what: str, text: str) -> LedgerError | None:
    """What psycopg says: what fails while connecting has no class of its own."""
    if not type(error).__module__.startswith("psycopg"):
        return None
    import psycopg

    if isinstance(error, psycopg.OperationalError):
        if "unsupported startup parameter" in str(error):
            return InvalidLocation(
                f"{what}: {text}; a pooler takes no options in the URL",
                remedy="set them for the user, "
                "such as ALTER ROLE me IN DATABASE ledger SET search_path = fleet",
            )
        if 'database "' in str(error) and "does not exist" in str(error):
            return NotFound(f"{what}: {text}", remedy="create the database first (createdb)")
        if "authentication failed" in str(error) or 'role "' in str(error):
            return InvalidLocation(
                f"{what}: {text}", remedy="check user and password (PGPASSWORD, ~/.pgpass)"
            )
        return Unavailable(f"{what}: {text}", remedy="check the server and try again")
    refused = psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction
    if isinstance(error, refused):
        return Unavailable(
            f"{what}: {text}", remedy="check that this user may write on this server"
        )
    return LedgerError(f"{what}: {text}")


DRIVERS.append(_translated)
