"""The policy: every number that decides, as a frozen value with a digest.

A policy file holds only what differs from the default; `policy_text` is always
the whole, so that a ledger explains itself even when defaults change later. What
a policy declares of its own (`rules.own`) is part of it. Longer than most: every
section is declared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ledger.canonical import canonical, digest
from ledger.errors import BadInput
from ledger.event_checks import nearest, unknown_names
from ledger.strict_json import shown
from ledger.text.characters import WITHOUT_CONTROL
from rules.conditions import Scalar
from rules.own.checking import Policed, read_own
from rules.own.declared import MOST_TEXT_BYTES, Own, OwnFact, OwnRule
from rules.own.fields import Types
from rules.own.parts import Part, Places, join
from rules.rulesets import RULE_NAMES
from rules.toml import check, parse_toml

Seconds = Annotated[int, Meta(ge=0, le=10**12)] | Annotated[float, Meta(ge=0, le=1e12)]
Share = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(gt=0, le=10**12)] | Annotated[float, Meta(gt=0, le=1e12)]
PriorTrials = (
    Annotated[int, Meta(ge=1, le=1_000_000)] | Annotated[float, Meta(ge=0.001, le=1_000_000)]
)
Factor = Annotated[int, Meta(ge=1)] | Annotated[float, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
AtLeastOne = Annotated[int, Meta(ge=1, le=2**53)]
AtLeastTwo = Annotated[int, Meta(ge=2, le=2**53)]
Evidence = Literal[
    "ssh_probe", "gpu_probe", "kernel_log_scanned", "ramdisk_checked", "inputs_checked"
]
GpuFaultKind = Literal[
    "device_lost",
    "ring_timeout",
    "gpu_reset",
    "gpu_reset_failed",
    "page_fault",
    "ras_uncorrectable",
    "ras_retire",
    "pcie_error",
    "pcie_corrected",
    "pcie_uncorrected",
    "xid",
    "nvlink",
    "needs_reset",
    "thermal",
    "init_failed",
    "iommu",
    "other",
]


TAKEN_NAMES = ("rationale", "evidence", "proposer")
"""Keys of a proposal beside its numbers."""


class InvalidPolicy(BadInput):
    """A policy that cannot be used; ``problems`` names each key and what it may be."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.name, self.problems = name, tuple(problems)
        super().__init__("\n".join(f"policy {name}: {problem}" for problem in problems))


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class Preflight(_Section, frozen=True, kw_only=True):
    """What a step needs before it may start."""

    evidence_max_age_s: Seconds
    required_evidence: tuple[Evidence, ...]
    allow_missing_nodes: Count
    time_budget_share: Positive
    comparable_trials: AtLeastOne
    unconfigured_step: Literal["unknown", "warn", "info"]
    allow_dead_cards: Count
    needs_reset: Literal["block", "degrade", "warn"]


class Gpu(_Section, frozen=True, kw_only=True):
    """When cards are watched, taken out and brought back."""

    incident_gap_s: Seconds
    watch_after_incidents: AtLeastOne
    exclude_after_incidents: AtLeastOne
    window_s: Seconds
    harmless_window_s: Seconds
    exclude_after_crashes: AtLeastOne
    incident_faults: tuple[GpuFaultKind, ...]
    crash_link_s: Seconds
    ambiguous_faults: tuple[GpuFaultKind, ...]
    ambiguous_after: AtLeastOne
    ambiguous_ratio: Positive
    common_cause_share: Share
    common_cause_min_gpus: AtLeastOne
    boot_noise_s: Seconds
    series_cards: AtLeastTwo
    series_s: Seconds
    fleet_cause_nodes: AtLeastTwo
    fleet_cause_s: Seconds
    watch_after_job_failures: AtLeastOne
    exclude_after_job_failures: AtLeastOne
    job_failure_context_s: Seconds
    common_traceback_nodes: AtLeastOne
    pcie_corrected_per_day: AtLeastOne
    reinstate_clean_probes: AtLeastOne
    reinstate_after_s: Seconds
    reinstate_growth: Factor
    retire_after_exclusions: AtLeastOne
    retired_recheck_s: Seconds


class Backtest(_Section, frozen=True, kw_only=True):
    """How a policy is scored against what really happened."""

    needless_within_s: Seconds


class SecondOpinion(_Section, frozen=True, kw_only=True):
    """Priors of the second opinion: see `rules.second_opinion`."""

    prior_alive: Share
    prior_yield_alpha: PriorTrials
    prior_yield_beta: PriorTrials
    find_probability: Share
    saturated_share: Share


class Tuning(_Section, frozen=True, kw_only=True):
    """How many trials and seeds next."""

    rule: Literal["default", "second_opinion"]
    default_trials: AtLeastOne
    default_seed_count: AtLeastOne
    zero_survivor_min_trials: Count
    zero_survivor_trials: AtLeastOne
    few_survivors: Count
    seed_growth: Factor
    max_seed_count: AtLeastOne
    second_opinion: SecondOpinion


Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*\Z",
        description="a name of letters, digits, _ and -",
    ),
]


class ProposalNames(_Section, frozen=True, kw_only=True):
    """What a model calls the numbers, in schemas and in what it sends."""

    trials: Key
    seed_count: Key


class ProposalLimits(_Section, frozen=True, kw_only=True):
    """What proposals may ask for."""

    min_trials: AtLeastOne
    max_trials: AtLeastOne
    min_seed_count: AtLeastOne
    max_seed_count: AtLeastOne
    max_change: Factor
    cooldown_runs: Count
    daily_budget: Count
    frozen: tuple[Literal["trials", "seed_count"], ...]
    names: ProposalNames


class RuleSwitches(_Section, frozen=True, kw_only=True, omit_defaults=True):
    """Which rules are off, and which there are beside the built-in ones."""

    disabled: tuple[str, ...]
    own: tuple[OwnRule, ...] = ()


class Policy(_Section, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """The whole policy. Durations are seconds; see ``default_policy.toml`` for each key.

    ``own`` holds thresholds of one's own; what is not declared is left out of the text.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=WITHOUT_CONTROL)]
    preflight: Preflight
    gpu: Gpu
    tuning: Tuning
    proposal: ProposalLimits
    backtest: Backtest
    rules: RuleSwitches
    own: dict[str, Scalar] = {}
    facts: tuple[OwnFact, ...] = ()

    @property
    def declared(self) -> Own:
        """All that it declares of its own."""
        return Own(thresholds=self.own, facts=self.facts, rules=self.rules.own)

    @cached_property
    def text(self) -> str:
        """The whole policy as TOML: the same text for the same policy."""
        import tomli_w

        return tomli_w.dumps(msgspec.to_builtins(self))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return digest(self.text.encode())


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """The policy that decides where nothing else is said."""
    return msgspec.convert({"name": "default", **_default_table()}, Policy)


def _default_table() -> dict[str, Any]:
    text = resources.files("rules").joinpath("default_policy.toml").read_text(encoding="utf-8")
    return parse_toml(text)


def parse_policy(
    text: str,
    name: str = "policy",
    *,
    included: Sequence[Part] | None = None,
    types: Types | None = None,
) -> Policy:
    """The default policy with the keys of a TOML text changed; raises `InvalidPolicy`.

    ``included`` are the files that the text includes, None where it comes from no
    file; ``types`` the event types that a ledger declares, None where none is at hand.
    """
    problems: list[str] = []
    table: dict[str, Any] = {}
    places = Places()
    for part in (Part("", text), *(included or ())):
        try:
            more = parse_toml(part.text)
        except ValueError as error:
            problems.append(f"{part.label}: {error}" if part.label else str(error))
            continue
        if "include" in more and (part.label or included is None):
            problems.append(f"{part.label or 'the text'}: include: only a policy file includes")
        more.pop("include", None)
        places.add(part.label, more)
        join(table, more, part.label, "", problems)
    if problems:
        raise InvalidPolicy(name, problems)
    return _from_table({"name": name, **table}, name, places, types)


def check_types(policy: Policy, types: Types) -> None:
    """Raise `InvalidPolicy` where own facts read what a ledger with these types does not have."""
    if policy.facts:
        _from_table(msgspec.to_builtins(policy), policy.name, Places(), types)


def with_settings(policy: Policy, settings: list[str]) -> Policy:
    """The policy with ``section.key=value`` changes; values are written as in TOML.

    A word that is no TOML value is taken as text. Raises `InvalidPolicy`.
    """
    table: dict[str, Any] = msgspec.to_builtins(policy)
    table.setdefault("own", {})
    problems: list[str] = []
    for setting in settings:
        path, equals, value = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or len(keys) < 2:
            problems.append(f"{setting!r}: write section.key=value")
            continue
        inner = table
        for depth, key in enumerate(keys[:-1]):
            if not isinstance(inner.get(key), dict):
                where = ".".join(keys[: depth + 1])
                tables = [known for known, each in inner.items() if isinstance(each, dict)]
                problems.append(f"{where}: unknown section; did you mean {nearest(key, tables)}?")
                break
            inner = inner[key]
        else:
            if inner is table["own"] and keys[-1] not in inner:
                problems.append(f"{path.strip()}: {_no_threshold(keys[-1], inner)}")
            inner[keys[-1]] = _toml_value(value.strip())
    if problems:
        raise InvalidPolicy(policy.name, problems)
    return _from_table(table, policy.name, Places(), None)


def is_own(setting: str) -> bool:
    """Whether a setting is of a threshold of one's own."""
    return setting.strip().startswith("own.")


def sets_own(policy: Policy, setting: str) -> bool:
    """Whether a setting is of a threshold of one's own that the policy has."""
    return is_own(setting) and setting.partition("=")[0].strip().removeprefix("own.") in policy.own


def _no_threshold(name: str, known: dict[str, Any]) -> str:
    if not known:
        return "the policy has no [own] thresholds"
    return f"no such threshold; did you mean own.{nearest(name, known)}?"


def _toml_value(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def _from_table(table: dict[str, Any], name: str, places: Places, types: Types | None) -> Policy:
    problems: list[str] = []
    merged = _merged({"name": name, **_default_table()}, table)
    thresholds, facts = merged.pop("own", {}), merged.pop("facts", [])
    rules: Any = []
    if isinstance(merged["rules"], dict):
        merged["rules"] = dict(merged["rules"])
        rules = merged["rules"].pop("own", [])
    check(merged, Policy, "", problems)
    values = _values({**merged, "own": thresholds})
    named = thresholds if isinstance(thresholds, dict) else {}
    keys = {*values, *(f"own.{key}" for key in named)}
    own = read_own(
        thresholds,
        places.of("facts", facts, problems),
        places.of("rules.own", rules, problems),
        Policed(values.get, keys, types),
        problems,
    )
    if not problems:
        plain = msgspec.convert(merged, Policy)
        policy = msgspec.structs.replace(
            plain,
            own=own.thresholds,
            facts=own.facts,
            rules=msgspec.structs.replace(plain.rules, own=own.rules),
        )
        problems += _contradictions(policy)
        if not problems:
            return policy
    raise InvalidPolicy(name, problems)


def _values(table: dict[str, Any], where: str = "") -> dict[str, Scalar]:
    """Every key with a single value, by its path; those at the top are no values to compare."""
    found: dict[str, Scalar] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _values(value, f"{where}{key}.")
        elif where and isinstance(value, str | int | float):
            found[f"{where}{key}"] = value
    return found


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _merged(inner, value) if both and isinstance(inner, dict) else value
    return merged


def _contradictions(policy: Policy) -> list[str]:
    names = RULE_NAMES | {rule.name for rule in policy.rules.own}
    problems = [
        f"rules.disabled: no rule {shown(name)}; did you mean {meant}?"
        for name, meant in unknown_names(policy.rules.disabled, names)
    ]
    limits = policy.proposal
    for key in ("trials", "seed_count"):
        low, high = getattr(limits, f"min_{key}"), getattr(limits, f"max_{key}")
        if low > high:
            problems.append(f"proposal.min_{key} = {low}: above proposal.max_{key} = {high}")
    called = limits.names
    taken = [name for name in (called.trials, called.seed_count) if name in TAKEN_NAMES]
    problems += [f"proposal.names: {name!r} is a key of a proposal already" for name in taken]
    if called.trials in (called.seed_count, "seed_count") or called.seed_count == "trials":
        problems.append("proposal.names: trials and seed_count need names that differ")
    if policy.declared != Own() and len(canonical(policy.text)) > MOST_TEXT_BYTES:
        problems.append(f"the whole policy is more than {MOST_TEXT_BYTES:,} bytes: say less")
    return problems


def policy_text(policy: Policy) -> str:
    """The whole policy as TOML: the same text for the same policy."""
    return policy.text


def policy_digest(policy: Policy) -> str:
    """SHA-256 of `policy_text`."""
    return policy.digest
