"""The figures of many years as tables, and as JSON for whoever sweeps.

Years of a system are pooled: sums over sums, never means of shares. A median is over all
episodes, those never reached included: where that is half of them it is "never".
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.truth.rates import CARD_KINDS, COMMON_KINDS
from benchmarks.truth.running import Run
from benchmarks.truth.scoring import Episode, Score

Results = Mapping[Run, Score]
ALL_KINDS = (*CARD_KINDS, *COMMON_KINDS)
NOT_OF_A_FAULT = ("blip", "machine")
"""What no fault is behind: a single hiccup of a well card, a machine's own crash."""


class Pooled:
    """All years of one system in one dialect."""

    def __init__(self, scores: Iterable[Score]) -> None:
        self.scores = list(scores)
        self.episodes = [each for score in self.scores for each in score.episodes.values()]
        self.lost: Counter[str] = Counter()
        for score in self.scores:
            self.lost.update(score.lost)

    @property
    def years(self) -> int:
        return len(self.scores)

    def total(self, field: str) -> float:
        return math.fsum(getattr(score, field) for score in self.scores)

    def lost_to(self, kinds: Iterable[str]) -> int:
        """Jobs lost to these kinds of fault."""
        return sum(self.lost[kind] for kind in kinds)


def figures(pooled: Pooled, nothing: Pooled | None, oracle: Pooled | None) -> dict[str, Any]:
    """All figures of a system, overall and by kind of fault, as JSON has them."""
    healthy = pooled.total("healthy_h")
    card_years = pooled.total("card_years")
    found: dict[str, Any] = {
        "years": pooled.years,
        **_of_episodes(pooled.episodes),
        "healthy_hours": healthy,
        "healthy_hours_lost_excluded": pooled.total("out_lost_h"),
        "healthy_hours_lost_blocked": pooled.total("block_lost_h"),
        "healthy_share_lost": _share(
            pooled.total("out_lost_h") + pooled.total("block_lost_h"), healthy
        ),
        "exclusions": pooled.total("exclusions"),
        "wrong_exclusions": pooled.total("wrong"),
        "wrong_exclusions_in_sick_nodes": pooled.total("wrong_in_sick_node"),
        "wrong_exclusions_per_50_card_years": _share(pooled.total("wrong") * 50, card_years),
        "jobs": pooled.total("jobs"),
        "jobs_lost": pooled.lost_to(ALL_KINDS),
        "jobs_lost_to_none": {kind: pooled.lost[kind] for kind in NOT_OF_A_FAULT},
        "jobs_saved": _saved(pooled, nothing, oracle, ALL_KINDS),
        "jobs_saved_from_cards": _saved(pooled, nothing, oracle, CARD_KINDS),
        "seconds": pooled.total("seconds"),
        "by_kind": {},
    }
    for kind in ALL_KINDS:
        found["by_kind"][kind] = {
            **_of_episodes([each for each in pooled.episodes if each.kind == kind]),
            "jobs_lost": pooled.lost_to([kind]),
            "jobs_saved": _saved(pooled, nothing, oracle, [kind]),
        }
    return found


def _of_episodes(episodes: list[Episode]) -> dict[str, Any]:
    bad = math.fsum(each.bad_h for each in episodes)
    return {
        "episodes": len(episodes),
        "episodes_excluded": _share(sum(e.out_days is not None for e in episodes), len(episodes)),
        "episodes_kept_off": _share(sum(e.kept_days is not None for e in episodes), len(episodes)),
        "days_to_exclusion": _median([each.out_days for each in episodes]),
        "days_to_exclusion_from_second_symptom": _median(
            [each.out_days_after_second for each in episodes]
        ),
        "days_to_kept_off": _median([each.kept_days for each in episodes]),
        "bad_hours": bad,
        "bad_hours_excluded": _share(math.fsum(each.out_h for each in episodes), bad),
        "bad_hours_kept_off": _share(math.fsum(each.kept_h for each in episodes), bad),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _median(days: list[float | None]) -> float | None:
    """None: there are none, or half of them never came so far."""
    if not days:
        return None
    middle = statistics.median(math.inf if each is None else each for each in days)
    return middle if math.isfinite(middle) else None


def _saved(
    pooled: Pooled, nothing: Pooled | None, oracle: Pooled | None, kinds: Collection[str]
) -> float | None:
    """None where the oracle saves next to nothing: then the share says nothing."""
    if nothing is None or oracle is None:
        return None
    least = nothing.lost_to(kinds)
    most = least - oracle.lost_to(kinds)
    return (least - pooled.lost_to(kinds)) / most if most > 0.1 * least else None


def collected(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    """Figures by dialect and system."""
    by_dialect: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for run, score in sorted(results.items()):
        by_dialect[run.dialect][run.system].append(score)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for dialect, systems in by_dialect.items():
        pooled = {name: Pooled(scores) for name, scores in systems.items()}
        nothing, oracle = pooled.get("nothing"), pooled.get("oracle")
        found[dialect] = {name: figures(each, nothing, oracle) for name, each in pooled.items()}
    return found


def as_json(results: Results) -> list[dict[str, Any]]:
    """Every year by itself: what `Run` says of it and what was counted."""
    rows = []
    for run, score in sorted(results.items()):
        row: dict[str, Any] = {**run._asdict(), **asdict(score)}
        row["lost"] = dict(score.lost)
        row["episodes"] = [asdict(each) for each in score.episodes.values()]
        rows.append(row)
    return rows


# -- tables -------------------------------------------------------------------------------

_HEAD = (
    "system | episodes excluded / kept off | days to it, median | bad hours excluded / kept off "
    "| healthy GPU-hours lost a year: excluded / blocked | of all healthy | wrong exclusions "
    "in 50 card-years | jobs lost a year | jobs saved: all / those lost to cards' own faults"
)


def tables(found: Mapping[str, Mapping[str, dict[str, Any]]], order: Iterable[str]) -> str:
    """All tables, as Markdown."""
    parts = []
    for dialect, systems in found.items():
        names = [name for name in order if name in systems]
        parts += [f"### {dialect}: overall\n", _overall(systems, names)]
        parts += [
            f"\n### {dialect}: jobs saved, by kind of fault\n",
            _by_kind(systems, names, "jobs_saved"),
        ]
        parts += [
            f"\n### {dialect}: bad hours kept off, by kind of fault\n",
            _by_kind(systems, names, "bad_hours_kept_off"),
        ]
        if "runledger" in systems:
            parts += [f"\n### {dialect}: runledger by kind of fault\n", _own(systems)]
        parts.append("")
    return "\n".join(parts)


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _overall(systems: Mapping[str, dict[str, Any]], names: list[str]) -> str:
    def row(name: str) -> list[str]:
        each = systems[name]
        years = each["years"]
        return [
            name,
            f"{percent(each['episodes_excluded'])} / {percent(each['episodes_kept_off'])}",
            f"{_days(each['days_to_exclusion'])} / {_days(each['days_to_kept_off'])}",
            f"{percent(each['bad_hours_excluded'])} / {percent(each['bad_hours_kept_off'])}",
            f"{each['healthy_hours_lost_excluded'] / years:,.0f} / "
            f"{each['healthy_hours_lost_blocked'] / years:,.0f}",
            percent(each["healthy_share_lost"], 1),
            f"{each['wrong_exclusions_per_50_card_years']:.1f}",
            f"{each['jobs_lost'] / years:,.0f}",
            f"{_ratio(each['jobs_saved'])} / {_ratio(each['jobs_saved_from_cards'])}",
        ]

    return _table(_HEAD, map(row, names))


def _by_kind(systems: Mapping[str, dict[str, Any]], names: list[str], what: str) -> str:
    common = COMMON_KINDS if what == "jobs_saved" else ()
    rows = []
    for kind in (*CARD_KINDS, *common):
        own = [systems[name]["by_kind"][kind] for name in names]
        if what == "jobs_saved":
            lost = next(
                (s["by_kind"][kind]["jobs_lost"] for n, s in systems.items() if n == "nothing"), 0
            )
            rows.append([kind, f"{lost:,}", *(_ratio(each[what]) for each in own)])
        else:
            rows.append([kind, f"{own[0]['episodes']:,}", *(percent(each[what]) for each in own)])
    second = "jobs lost under nothing" if what == "jobs_saved" else "episodes"
    return _table(" | ".join(["kind", second, *names]), rows)


def _own(systems: Mapping[str, dict[str, Any]]) -> str:
    rows = []
    for kind in CARD_KINDS:
        each = systems["runledger"]["by_kind"][kind]
        rows.append(
            [
                kind,
                f"{each['episodes']}",
                f"{percent(each['episodes_excluded'])} / {percent(each['episodes_kept_off'])}",
                f"{_days(each['days_to_exclusion'])} / {_days(each['days_to_kept_off'])}",
                f"{percent(each['bad_hours_excluded'])} / {percent(each['bad_hours_kept_off'])}",
                f"{each['jobs_lost']:,}",
                _ratio(each["jobs_saved"]),
            ]
        )
    head = (
        "kind | episodes | excluded / kept off | days to it, median "
        "| bad hours excluded / kept off | jobs lost | jobs saved"
    )
    return _table(head, rows)


def percent(value: float | None, digits: int = 0) -> str:
    """A share as a percentage; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}%}".replace("%", " %")


def _days(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00")
