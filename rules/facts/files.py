"""Facts about a step's files: on the ramdisks of its nodes, and as inputs on the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ledger.identifiers import node_subject
from ledger.text import humanize
from rules.facts.evidence import Asked
from rules.fleet import FileCheck, Step
from rules.folds.boots import since_boot
from rules.ruleset import Fact, known
from rules.state import File, NodeState


def ramdisk(asked: Asked, step: Step | None, node: str, seen: NodeState) -> Iterator[Fact]:
    """The step's ramdisk files on a node, and whether they were looked for at all."""
    if step is not None and step.ramdisk:
        filled = step.ramdisk_filled_by_step
        yield from _looked_for(asked, step.ramdisk, node, "ramdisk", seen, filled)


def inputs(asked: Asked, step: Step | None, controller: str, seen: NodeState) -> Iterator[Fact]:
    """The step's inputs on the controller, and whether they were looked for at all."""
    if step is not None and step.inputs:
        yield from _looked_for(asked, step.inputs, controller, "input", seen)


def known_inputs(asked: Asked, step: Step | None, node: str, seen: NodeState) -> Iterator[Fact]:
    """Inputs that someone looked for, of late, on a node other than the controller.

    Nobody has to look there, so an old look is no evidence, and none is missing.
    """
    for check in () if step is None else step.inputs:
        file = seen.inputs.get(check.path)
        if file is not None and asked.is_fresh(file.time_us):
            yield _file(asked, node, "input", check, file, seen)


def _looked_for(
    asked: Asked,
    checks: Sequence[FileCheck],
    node: str,
    role: str,
    seen: NodeState,
    filled_by_step: bool = False,
) -> Iterator[Fact]:
    files = seen.ramdisk if role == "ramdisk" else seen.inputs
    found = [files[check.path] for check in checks if check.path in files]
    for check in checks:
        if check.path in files:
            yield _file(asked, node, role, check, files[check.path], seen, filled_by_step)
    oldest = min((file.time_us for file in found), default=None)
    what = "ramdisk_checked" if role == "ramdisk" else "inputs_checked"
    events = tuple(dict.fromkeys(file.event for file in found))
    passed_over = [check.path for check in checks if check.path not in files]
    problem = f"did not look for {humanize.listed(passed_over)}" if passed_over else ""
    if not (problem or filled_by_step):
        problem = _unhashed(checks, files)
    yield asked.evidence(node, what, oldest, events, problem)


def _unhashed(checks: Sequence[FileCheck], files: Mapping[str, File]) -> str:
    """What is wrong with a check that took no hash of files that have an expected one."""
    paths = [
        check.path
        for check in checks
        if (file := files.get(check.path)) and file.present and not file.sha256
        if check.sha256 or file.expected_sha256
    ]
    return f"took no hash of {humanize.listed(paths)}" if paths else ""


def _file(
    asked: Asked,
    node: str,
    role: str,
    check: FileCheck,
    file: File,
    seen: NodeState,
    filled_by_step: bool = False,
) -> Fact:
    wanted = check.sha256 or file.expected_sha256
    as_expected = None
    if file.present and wanted and file.sha256:
        as_expected = wanted.lower() == file.sha256.lower()
    current = since_boot(seen, file.time_us)
    boot = [] if role != "ramdisk" or current or seen.boot is None else [seen.boot.event]
    return Fact(
        kind="file",
        subject=node_subject(node or "localhost"),
        features=known(
            role=role,
            present=file.present,
            bytes=file.size,
            as_expected=as_expected,
            since_boot=current,
            filled_by_step=filled_by_step,
        ),
        show={
            "node": node or "the controller",
            "path": check.path,
            "step": asked.step,
            "sha256": file.sha256 or "",
            "expected_sha256": wanted or "",
        },
        evidence=(file.event, *boot),
    )
