"""A watcher: six steps, one after the other, each with what its manifest knows of the parameters.

The pipeline's own code; what it says to runledger, and asks of it, is in ``glue.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from coordinator import Coordinator, cards_of
from glue import Glue
from search import search

Callback = Callable[[optuna.Study, optuna.trial.FrozenTrial], Any]


class Watched(NamedTuple):
    """How a run of the pipeline went: the steps that ran, how it ended, and what comes next."""

    steps: list[str]
    outcome: str
    why: str
    next: dict[str, Any]


def watch(
    folder: Path,
    glue: Glue,
    asked: dict[str, Any],
    *,
    study: optuna.Study,
    callbacks: Sequence[Callback] = (),
) -> Watched:
    """Run the pipeline in a folder that holds its node file, manifests and ``ssh_config``."""
    manifests = [json.loads(file.read_text()) for file in sorted((folder / "manifests").iterdir())]
    done: list[str] = []
    glue.begin(asked)
    for manifest in manifests:
        step = manifest["pipeline_step"]
        # What the manifest does not know is dropped here, without a word.
        gets = {key: asked.get(key, default) for key, default in manifest["default_params"].items()}
        wanted = asked if step == "1" else {}
        ok, why, nodes = glue.may_start(step, wanted, gets, folder / "distributed_config.json")
        if not ok or nodes is None:
            return Watched(done, "aborted", why, glue.end("aborted", f"no_go: step {step}"))
        output = folder / manifest["output"]
        try:
            if step == "1":
                coordinator = Coordinator(cards_of(nodes), folder / "ssh_config", glue.job(step))
                with glue.fleet.optuna_callback(run=glue.run, step=step) as record:
                    found, completed = search(
                        study, coordinator, output, callbacks=[record, *callbacks], **gets
                    )
                glue.count(step, found, completed, gets)
            else:
                output.write_text(json.dumps({"made by step": step}))
        except Exception as error:
            glue.end_step(step, "failed", str(error))
            return Watched(done, "failed", str(error), glue.end("failed", str(error)))
        glue.end_step(step, "succeeded")
        done.append(step)
    return Watched(done, "succeeded", "", glue.end("succeeded"))
