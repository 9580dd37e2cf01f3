"""Optuna storages as they are found on disk: whole, broken off, old, and no storages at all."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy import event

optuna.logging.set_verbosity(optuna.logging.ERROR)


def sqlite_url(path: Path) -> str:
    """The URL that Optuna takes for a file."""
    return f"sqlite:///{path}"


def objective(trial: optuna.Trial) -> float:
    """Trials of every outcome by number: 0, 3, 6 … complete, 1, 4 … pruned, 2, 5 … failed."""
    x = trial.suggest_float("x", -1, 1)
    trial.suggest_int("window", 1, 512)
    trial.suggest_categorical("mode", ["a", None, 2.5, True])
    trial.set_user_attr("seed_count", 100_000)
    trial.set_user_attr("survivors", 0 if trial.number % 3 else 7)
    if trial.number % 3 == 1:
        trial.report(x, 1)
        raise optuna.TrialPruned
    if trial.number % 3 == 2:
        raise RuntimeError("a job failed")
    return x


def search(storage: Any, name: str = "window_opt", trials: int = 6) -> optuna.Study:
    """A study of ``trials`` finished trials in a new or existing storage."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=7),
    )
    study.optimize(objective, n_trials=trials, catch=(RuntimeError,))
    return study


def new_sqlite(path: Path, name: str = "window_opt", trials: int = 6) -> Path:
    """An SQLite storage with one study, closed."""
    storage = optuna.storages.RDBStorage(sqlite_url(path))
    # No test pulls the plug while one is made, and waiting for the disk is what takes long.
    event.listen(storage.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    storage.engine.dispose()
    search(storage, name, trials)
    storage.engine.dispose()
    return path


def left_running(path: Path, name: str = "window_opt", running: int = 2, waiting: int = 1) -> None:
    """Add trials that nobody will ever finish."""
    study = optuna.load_study(study_name=name, storage=sqlite_url(path))
    for _ in range(running):
        study.ask()
    for x in range(waiting):
        study.enqueue_trial({"x": x / 10})


def with_hot_journal(path: Path) -> Path:
    """As a program leaves it that was killed in the middle of writing every trial anew."""
    script = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('PRAGMA cache_spill = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute(\"UPDATE trials SET state = 'FAIL', number = number + 1000\")\n"
        "connection.execute('UPDATE trial_params SET param_value = 0')\n"
        "connection.execute('CREATE TABLE more (text)')\n"
        "rows = [('x' * 3000,)] * 200\n"
        "connection.executemany('INSERT INTO more VALUES (?)', rows)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.with_name(path.name + "-journal").stat().st_size > 512
    return path


def in_wal_mode(path: Path) -> Path:
    """As it lies there while, or after, a program in WAL mode died: the news is in the WAL."""
    script = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "connection.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "connection.execute(\"UPDATE studies SET study_name = 'from_the_wal'\")\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    return path


def as_optuna_2(path: Path) -> Path:
    """The tables as Optuna 2.10 left them: no infinities, distributions by their old names."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE trial_values DROP COLUMN value_type")
        connection.execute(
            "ALTER TABLE trial_intermediate_values DROP COLUMN intermediate_value_type"
        )
        connection.execute(
            "UPDATE trial_params SET distribution_json = "
            '\'{"name": "UniformDistribution", "attributes": {"low": -1.0, "high": 1.0}}\' '
            "WHERE param_name = 'x'"
        )
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        connection.execute("UPDATE version_info SET library_version = '2.10.1'")
        connection.commit()
    return path


def as_newer_than_known(path: Path) -> Path:
    """The tables as a future Optuna may leave them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        connection.commit()
    return path


def as_first_versions(path: Path) -> Path:
    """A storage as Optuna 1 made it: one value a trial, and steps among the values."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512) NOT NULL,
                direction VARCHAR(8) NOT NULL);
            CREATE TABLE version_info (version_info_id INTEGER PRIMARY KEY,
                schema_version INTEGER, library_version VARCHAR(256),
                CHECK (version_info_id = 1));
            CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER PRIMARY KEY,
                study_id INTEGER, key VARCHAR(512), value_json VARCHAR(2048));
            CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER PRIMARY KEY,
                study_id INTEGER, key VARCHAR(512), value_json VARCHAR(2048));
            CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER,
                state VARCHAR(8) NOT NULL, value FLOAT, datetime_start DATETIME,
                datetime_complete DATETIME);
            CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER PRIMARY KEY,
                trial_id INTEGER, key VARCHAR(512), value_json VARCHAR(2048));
            CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER PRIMARY KEY,
                trial_id INTEGER, key VARCHAR(512), value_json VARCHAR(2048));
            CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER,
                param_name VARCHAR(512), param_value FLOAT, distribution_json VARCHAR(2048));
            CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER,
                step INTEGER, value FLOAT);
            CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
            INSERT INTO alembic_version VALUES ('v1.3.0.a');
            INSERT INTO version_info VALUES (1, 12, '1.5.0');
            INSERT INTO studies VALUES (1, 'window_opt', 'MINIMIZE');
            INSERT INTO trials VALUES (1, 0, 1, 'COMPLETE', 0.25,
                '2020-06-01 10:00:00.000000', '2020-06-01 10:00:02.500000');
            INSERT INTO trials VALUES (2, 1, 1, 'FAIL', NULL,
                '2020-06-01 10:00:03.000000', '2020-06-01 10:00:04.000000');
            INSERT INTO trial_params VALUES (1, 1, 'x', 0.5,
                '{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
            INSERT INTO trial_values VALUES (1, 1, 3, 0.75);
            """
        )
        connection.commit()
    return path


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of a folder, by name: its hash and when it was changed."""
    return {
        name: (
            hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            (folder / name).stat().st_mtime_ns,
        )
        for name in sorted(os.listdir(folder))
    }
