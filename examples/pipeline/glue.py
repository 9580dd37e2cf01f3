"""All that the pipeline says to runledger, and asks of it."""

from pathlib import Path
from typing import Any

from coordinator import Card

import runledger
from ledger.payloads import RunFinished, RunStarted, StepFinished, StepStarted, SurvivorsCounted


def _numbers(parameters: dict[str, Any]) -> dict[str, Any]:
    return {key: parameters[key] for key in ("trials", "seed_count") if key in parameters}


class Glue:
    """One run of the pipeline; with ``asks`` false it is only written down, and goes ahead."""

    def __init__(self, config: Path, run: str, study: str, *, asks: bool = True) -> None:
        self.fleet = runledger.open(config=config)
        self.run, self.study, self.asks = run, study, asks

    def _note(self, payload: Any, step: str | None = None) -> None:
        self.fleet.note(payload, subject=f"run/{self.run}", runid=self.run, step=step)

    def begin(self, asked: dict[str, Any]) -> None:
        self._note(RunStarted(study=self.study, **_numbers(asked)))

    def may_start(
        self, step: str, asked: dict[str, Any], gets: dict[str, Any], node_file: Path
    ) -> tuple[bool, str, str | None]:
        """Whether the step may start, why not, and the node file to use."""
        self._note(StepStarted(requested=asked, effective=gets, accepts=tuple(gets)), step)
        if not self.asks:
            return True, "", node_file.read_text()
        self.fleet.probe(step=step)
        verdict = self.fleet.preflight(step, run=self.run, **_numbers(gets))
        if not (ok := verdict.verdict in ("go", "degraded")):
            self._note(StepFinished(outcome="aborted", reason=verdict.verdict), step)
        why = "\n".join(f"{each.message} → {each.remedy}" for each in verdict.findings)
        return ok, why, self.fleet.node_file(node_file, verdict)

    def job(self, step: str) -> Any:
        def guard(name: str, card: Card, attempt: int, will_retry: bool) -> Any:
            at = {"node": card.host, "index": card.index, "run": self.run, "step": step}
            return self.fleet.job(name, attempt=attempt, will_retry=will_retry, **at)

        return guard

    def count(self, step: str, survivors: int, completed: int, gets: dict[str, Any]) -> None:
        counted = {"survivors": survivors, "completed_trials": completed, **_numbers(gets)}
        self._note(SurvivorsCounted(study=self.study, **counted), step)

    def end_step(self, step: str, outcome: Any, why: str = "") -> None:
        self._note(StepFinished(outcome=outcome, reason=why or None), step)
        self.fleet.cleanup()

    def end(self, outcome: Any, why: str = "") -> dict[str, Any]:
        self._note(RunFinished(outcome=outcome, reason=why or None))
        return self.fleet.next_parameters(study=self.study, step="1").outcome
