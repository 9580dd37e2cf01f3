"""A ledger behind pgbouncer in transaction mode: any statement may meet another session."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.engine import make_url

from ledger import InvalidLocation, Ledger, open_ledger, schema_differences, verify
from ledger.testing import append_from_processes, sample_event, sample_events
from runledger.querying import query
from tests.pgbouncer import Behind
from tests.postgres import NewDatabase


@pytest.fixture
def location(new_postgres_database: NewDatabase, pooler: Behind) -> str:
    return pooler(new_postgres_database())


def test_a_ledger_is_made_filled_and_verified(location: str) -> None:
    with open_ledger(location) as ledger:
        assert ledger.append(sample_events(1200)).head.sequence == 1200
        assert len(list(ledger.read())) == 1200
        assert schema_differences(ledger) == []
        assert verify(ledger).ok


def test_processes_and_threads_append_at_once_and_none_fails(location: str) -> None:
    """Many statements of one form, which a driver would prepare, over few sessions."""
    with open_ledger(location) as ledger:
        seen = list(append_from_processes(location, writers=3, each=20))

        def work(number: int) -> None:
            for event in sample_events(15, prefix=f"t{number}"):
                ledger.append(event)
                assert ledger.get(event.id).id == event.id

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        assert max(max(positions) for positions in seen) <= 150
        assert ledger.head().sequence == 150
        assert verify(ledger).ok


def test_no_lock_of_a_node_stays_behind(location: str) -> None:
    with open_ledger(location) as one, open_ledger(location) as other:
        for _ in range(10):
            with one.node_locks() as mine, other.node_locks() as theirs:
                assert mine.take("rig-6600")
                assert mine.take("zeus")
                assert not theirs.take("rig-6600")
                one.append(sample_event(1))  # while a lock is held, in another session
                mine.give_back("rig-6600")
                mine.give_back("zeus")
                assert theirs.take("rig-6600")
            assert _advisory_locks(one) == 0


def test_a_lock_ends_with_the_process_that_holds_it(location: str) -> None:
    script = (
        "import sys, time; from ledger import open_ledger; "
        "locks = open_ledger(sys.argv[1]).node_locks(); "
        "print(locks.take('rig-6600'), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, location]
    with (
        open_ledger(location) as ledger,
        ledger.node_locks() as locks,
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert not locks.take("rig-6600")
        process.kill()
        until = time.monotonic() + 30
        while not locks.take("rig-6600"):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_queries_and_plans_leave_nothing_behind(location: str) -> None:
    with open_ledger(location) as ledger:
        ledger.append(sample_events(20))
        for sql in ("SELECT count(*) FROM events", "EXPLAIN SELECT * FROM events") * 8:
            with query(ledger, sql) as rows:
                assert list(rows.rows)
        with ledger._backend.engine.connect() as connection:
            left = "SELECT count(*) FROM pg_prepared_statements"
            assert connection.exec_driver_sql(left).scalar() == 0


def test_start_up_options_are_refused_with_the_remedy(location: str) -> None:
    url = make_url(location).update_query_dict({"options": "-csearch_path=ledger"})
    with pytest.raises(InvalidLocation, match=r"ALTER ROLE .* SET search_path"):
        open_ledger(url.render_as_string(hide_password=False))


def _advisory_locks(ledger: Ledger) -> int:
    with ledger._backend.engine.connect() as connection:
        counting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = " \
            "(SELECT oid FROM pg_database WHERE datname = current_database())"  # fmt: skip
        return int(connection.exec_driver_sql(counting).scalar_one())
