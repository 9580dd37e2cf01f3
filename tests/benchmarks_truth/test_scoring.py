"""The words of measure, each on a scene made for it."""

from __future__ import annotations

from benchmarks.truth.fate import Fault, Hit, Symptom
from benchmarks.truth.judging import Decision
from benchmarks.truth.layout import START, TICK, H, Place
from benchmarks.truth.report import Pooled, figures
from benchmarks.truth.scoring import Counting, Scene, Score

BAD, WELL = Place(0, 1), Place(0, 2)


def fault(*hits: int, kind: str = "hangs", symptom: Symptom = "hang") -> Fault:
    made = [Hit(START + hours * H, symptom, "x") for hours in hits]
    return Fault(1, kind, "card", (0,), (1,), START, START + 100 * H, made, card=1)


def scene(
    number: int,
    *,
    faults: dict[Place, Fault] | None = None,
    sick: frozenset[int] = frozenset(),
    away: frozenset[Place] = frozenset(),
    ready: frozenset[int] = frozenset({0, 1}),
) -> Scene:
    return Scene(START + number * TICK, faults or {}, sick, away, frozenset(), ready)


def counted(*steps: tuple[Scene, Decision]) -> Score:
    counting = Counting()
    for at, decision in steps:
        counting.tick(at, decision)
    return counting.score


def out(*places: Place) -> Decision:
    return Decision(frozenset(places))


def blocked(*nodes: int) -> Decision:
    return Decision(blocked=frozenset(nodes))


def test_bad_hours_run_from_the_first_symptom_and_tell_sitting_out_from_being_kept_off() -> None:
    sick = {BAD: fault(3, 10)}
    score = counted(
        (scene(0, faults=sick), Decision()),  # before its first symptom
        (scene(1, faults=sick), Decision()),
        (scene(2, faults=sick), blocked(0)),
        (scene(3, faults=sick), out(BAD)),
    )
    (episode,) = score.episodes.values()
    assert (episode.bad_h, episode.out_h, episode.kept_h) == (18, 6, 12)
    assert episode.kept_days == 9 / 24
    assert episode.out_days == 15 / 24
    assert episode.out_days_after_second == 8 / 24


def test_a_single_symptom_is_no_episode_unless_the_card_is_dead() -> None:
    assert not fault(3).is_episode
    assert fault(3, kind="dead", symptom="dead").is_episode


def test_healthy_hours_lost_leave_out_bad_cards_sick_machines_and_those_that_are_down() -> None:
    sick = {BAD: fault(3, 10)}
    score = counted((scene(2, faults=sick), Decision(frozenset({BAD, WELL}), frozenset({1}))))
    assert score.out_lost_h == 6
    assert score.block_lost_h == 6 * 8
    assert score.healthy_h == 6 * 15
    score = counted((scene(2, sick=frozenset({0}), ready=frozenset({0})), blocked(0, 1)))
    assert score.block_lost_h == score.healthy_h == 0


def test_the_neighbours_of_a_bad_card_count_where_their_machine_is_blocked() -> None:
    score = counted((scene(2, faults={BAD: fault(3, 10)}), blocked(0)))
    assert score.block_lost_h == 6 * 7


def test_an_exclusion_is_wrong_by_how_the_card_was_when_it_began() -> None:
    sick = {BAD: fault(3, 10)}
    score = counted(
        (scene(1, faults=sick), out(BAD)),
        (scene(2), out(BAD)),  # repaired, and kept out for longer: it costs hours, no more
        (scene(3), out(BAD, WELL)),
    )
    assert (score.exclusions, score.wrong) == (2, 1)
    assert score.out_lost_h == 6 + 12


def test_a_well_card_that_was_away_is_wrongly_out_only_if_it_stays_out_once_back() -> None:
    gone = frozenset({WELL})
    short = counted((scene(1, away=gone), out(WELL)), (scene(2), out(WELL)), (scene(3), Decision()))
    assert short.wrong == 0
    long = counted((scene(1, away=gone), out(WELL)), *((scene(n), out(WELL)) for n in range(2, 6)))
    assert long.wrong == 1


def test_jobs_saved_are_a_share_of_what_the_oracle_saves() -> None:
    def lost(count: int) -> Pooled:
        score = Score(card_years=1)
        score.lost.update(hangs=count, machine=50)
        return Pooled([score])

    found = figures(lost(40), lost(100), lost(20))
    assert found["jobs_saved"] == 60 / 80
    assert found["by_kind"]["hangs"]["jobs_saved"] == 60 / 80
    assert found["jobs_lost"] == 40  # a machine's own crash is nobody's to save


def test_a_median_that_half_of_them_never_reached_is_never() -> None:
    at = {BAD: fault(0, 1)}
    one = counted((scene(1, faults=at), out(BAD)))
    other = counted((scene(1, faults=at), Decision()))
    assert figures(Pooled([one, other]), None, None)["days_to_exclusion"] is None
    assert figures(Pooled([one, one, other]), None, None)["days_to_exclusion"] == 0.25
