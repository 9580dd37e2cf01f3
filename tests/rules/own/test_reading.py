"""Own facts and rules are read from the policy, and everything wrong with them is found there."""

from __future__ import annotations

import pytest

from rules.features import Feature
from rules.own.fields import Declared
from rules.own.parts import Part
from rules.policy import (
    InvalidPolicy,
    default_policy,
    parse_policy,
    policy_text,
    with_settings,
)

POLICY = """
[own]
max_temp_c = 95
[[facts]]
name = "hot_looks"
about = "card"
from = "gpu_probe"
where = ["temp_c >= $own.max_temp_c"]
keep = "count"
timespan_s = 3600
[[rules.own]]
name = "own.hot_card"
about = "card"
steps = ["1"]
when = ["hot_looks >= 3", "out == false"]
severity = "block"
message = "{card} was at {own.max_temp_c} °C or more in {hot_looks} looks"
remedy = "check its fan, then waive {subject} for {step} on {node}"
"""


def fact(**changed: str) -> str:
    """A fact as a policy spells it, some of its keys changed, or left out by an empty text."""
    keys = {"name": '"f"', "about": '"card"', "from": '"gpu_probe"', "keep": '"count"'}
    keys |= {"timespan_s": "3600", **{key.rstrip("_"): value for key, value in changed.items()}}
    return "\n[[facts]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


def rule(**changed: str) -> str:
    """A rule, likewise."""
    keys = {"name": '"own.r"', "about": '"card"', "when": '["temp_c > 95"]'}
    keys |= {"severity": '"block"', "message": '"hot"', **changed}
    return "\n[[rules.own]]\n" + "".join(
        f"{key} = {value}\n" for key, value in keys.items() if value
    )


def problems(text: str, **more: object) -> list[str]:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(text, **more)  # type: ignore[arg-type]
    return list(refused.value.problems)


def test_a_policy_with_rules_of_its_own_is_the_same_when_its_text_is_read_again() -> None:
    policy = parse_policy(POLICY)
    again = parse_policy(policy_text(policy), policy.name)
    assert policy_text(again) == policy_text(policy)
    assert again.declared == policy.declared
    assert [each.name for each in again.rules.own] == ["own.hot_card"]


def test_a_policy_that_declares_nothing_says_nothing_of_it() -> None:
    text = policy_text(default_policy())
    assert "[own]" not in text
    assert "facts" not in text
    assert "rules.own" not in text


def test_a_threshold_can_be_set_and_one_that_there_is_not_is_refused() -> None:
    assert with_settings(parse_policy(POLICY), ["own.max_temp_c=90"]).own == {"max_temp_c": 90}
    with pytest.raises(InvalidPolicy, match=r"did you mean own\.max_temp_c"):
        with_settings(parse_policy(POLICY), ["own.max_tmp_c=90"])
    with pytest.raises(InvalidPolicy, match=r"has no \[own\] thresholds"):
        with_settings(default_policy(), ["own.max_temp_c=90"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (fact(from_='"gpu_prob"'), "did you mean gpu_probe?"),
        (fact(from_='"preflight_decided"'), "decisions are never evidence"),
        (fact(about='"crad"'), "did you mean card?"),
        (fact(from_='"ssh_probe"'), "about = 'card': ssh_probe says nothing of one"),
        (fact(where='["temp_cc > 3"]'), "has no field 'temp_cc'; did you mean temp_c?"),
        (fact(where='["temp_c > warm"]'), "temp_c is a number"),
        (fact(where='["state == missin"]'), "did you mean missing?"),
        (fact(where='["gpus == 3"]'), "has no field 'gpus'"),
        (fact(where='["temp_c >> 3"]'), "a value is a number"),
        (fact(where='["temp_c > $own.x"]'), "the policy has no $own.x"),
        (fact(where='["temp_c > $gpu.windows_s"]'), "did you mean $gpu.window_s?"),
        (fact(where='["temp_c > 1e999"]'), "beyond what can be compared"),
        (fact(name='"temp_c"'), "taken by what card has already"),
        (fact(name='"subject"'), "taken by what card has already"),
        (fact() + fact(), "facts[2] (f).name: taken by facts[1] (f)"),
        (fact(field='"temp_c"'), "a count takes no field"),
        (fact(keep='"max"'), "say which field of gpu_probe to keep"),
        (fact(keep='"max"', field='"state"'), "max is of numbers"),
        (fact(keep='"max"', field='"temp"'), "did you mean temp_c?"),
        (fact(timespan_s=""), "timespan_s: missing: only newest may do without"),
        (fact(timespan_s="0"), "timespan_s = 0"),
        (fact(timespan="60"), "unknown key; did you mean timespan_s?"),
        (fact(name='"a b"'), "a name of letters"),
        (rule(name='"hot"'), '"own." and a name'),
        (rule(about='"crad"'), "did you mean card?"),
        (rule(when='["tmp_c > 95"]'), "did you mean temp_c?"),
        (rule(when='["temp_c > 95"', message='"x"]'), "not TOML"),
        (rule(when="[]"), "when = []"),
        (rule(when='["out == 1"]'), "out is a boolean"),
        (rule(when='["state > ok"]'), "has no order"),
        (rule(message='"{crd}"'), "nothing fills {crd}; did you mean {card}?"),
        (rule(message='"{own.max}"'), "the policy has no {own.max}"),
        (rule(message='"{card!r}"'), "write a name alone"),
        (rule(message='"{card:>9}"'), "write a name alone"),
        (rule(message='"{0}"'), "nothing fills {0}"),
        (rule(message='"{}"'), "nothing fills {}"),
        (rule(message='"{card.__class__}"'), "the policy has no {card.__class__}"),
        (rule(message='"{card[0]}"'), "nothing fills {card[0]}"),
        (rule(message='"a } b"'), "write {{ and }}"),
        (rule(message=r'"a\u0007b"'), "without control characters"),
        (rule(severity=""), "severity: missing"),
        (rule(severity='"blok"'), "did you mean block?"),
        (rule(effect='"watch"'), "for exclusions only"),
        (rule(decides='"exclusions"'), "effect: missing"),
        (rule(decides='"exclusions"', effect='"watch"', about='"node"'), "are about cards"),
        (rule(decides='"exclusions"', effect='"watch"', steps='["1"]'), "hold for all steps"),
        (rule(decides='"exclusions"', effect='"watch"', message='"{step}"'), "fills {step}"),
        (rule() + rule(), "rules.own[2] (own.r).name: taken by rules.own[1] (own.r)"),
        ("own = 3", "own: not a table"),
        ("facts = 3", "facts: not a list of tables"),
        ("[rules]\nown = 3", "rules.own: not a list of tables"),
        ("[[facts]]\n[[facts]]", "facts[1].name: missing"),
        ("facts = [3]", "facts[1]: not a table"),
        ('[own]\n"a b" = 3', "write a name of letters"),
        ("[own]\na = [3]", "write a number or a text"),
        ("[own]\na = nan", "beyond what can be compared"),
        ('[rules]\ndisabled = ["own.x"]', "no rule 'own.x'"),
        ('include = ["x.toml"]', "only a policy file includes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_is_right(text: str, problem: str) -> None:
    assert any(problem in each for each in problems(text)), problems(text)


def test_every_problem_is_named_at_once_and_none_twice() -> None:
    found = problems(
        fact(name='"a"', from_='"gpu_prob"', where='["x > $own.y"]')
        + fact(name='"b"', about='"crad"')
        + rule(severity='"blok"', when='["tmp_c > 3", "b > 1"]', message='"{crd}"')
    )
    assert [each.partition(":")[0] for each in found] == [
        "facts[2] (b).about = 'crad'",
        "rules.own[1] (own.r).severity = 'blok'",
        "facts[1] (a).from = 'gpu_prob'",
        "facts[1] (a).where[1]",
        "rules.own[1] (own.r).when[1]",
        "rules.own[1] (own.r).message",
    ]


def test_included_texts_are_one_policy_and_their_problems_name_the_file() -> None:
    parts = [Part("a.toml", fact(name='"a"')), Part("b.toml", fact(name='"b"') + rule())]
    policy = parse_policy(POLICY, included=parts)
    assert [each.name for each in policy.facts] == ["hot_looks", "a", "b"]
    assert [each.name for each in policy.rules.own] == ["own.hot_card", "own.r"]
    assert policy_text(parse_policy(policy_text(policy))) == policy_text(policy)

    wrong = [Part("a.toml", "[own]\nmax_temp_c = 3"), Part("b.toml", 'include = ["c.toml"]')]
    assert problems(POLICY, included=wrong) == [
        "a.toml: own.max_temp_c is written elsewhere, too: write it once",
        "b.toml: include: only a policy file includes",
    ]
    (typo,) = problems("", included=[Part("a.toml", fact(where='["temp > 3"]'))])
    assert typo.startswith("a.toml: facts[1] (f).where[1]: ")


def test_a_type_of_the_ledger_is_checked_where_a_ledger_is_at_hand() -> None:
    text = fact(about='"node"', from_='"x.jobs_planned"', keep='"newest"', field='"jobs"')
    assert parse_policy(text).facts[0].from_ == "x.jobs_planned"
    fields = {"jobs": Feature("integer", "Jobs."), "queue": Feature("text", "Its queue.")}
    types = {"x.jobs_planned": Declared("node", fields)}
    assert parse_policy(text, types=types).facts
    assert (
        "did you mean x.jobs_planned?" in problems(text.replace("planned", "plan"), types=types)[0]
    )
    assert "did you mean jobs?" in problems(text.replace('"jobs"', '"job"'), types=types)[0]
    assert (
        "write one of node, run, fleet"
        in problems(text.replace('"node"', '"card"'), types=types)[0]
    )
    ordered = rule(about='"node"', when='["f > many"]')
    assert "f is a integer" in problems(text + ordered, types=types)[0]


def test_a_policy_too_large_to_be_recorded_is_refused() -> None:
    long = rule(message=f'"{"x" * 1990}"')
    many = "".join(long.replace("own.r", f"own.r{number}") for number in range(500))
    (problem,) = problems(many)
    assert "say less" in problem


def test_a_thousand_rules_and_two_hundred_facts_are_read() -> None:
    many = "".join(fact(name=f'"f{number}"') for number in range(200))
    many += "".join(rule(name=f'"own.r{number}"') for number in range(1000))
    assert len(parse_policy(many).rules.own) == 1000
