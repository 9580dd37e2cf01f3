"""A sampler that does not take barren trials for good ones.

Optuna's TPE calls the best tenth of all trials good and searches near them.
Where most were pruned without reporting a value, there are not so many with a
value, and arbitrary pruned ones make up the number: the search then settles
around places that are known to be empty. Here only trials that tell something
count as good; until there is one, new points keep away from the barren ones.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_MOST_GOOD = 25  # as Optuna's own rule has it


def informed_sampler(study: Study, seed: int | None = None) -> BaseSampler:
    """TPE for this study; with a seed, a seed of its own for every resumption of it."""
    from optuna.samplers import TPESampler

    own = None if seed is None else resumed_seed(seed, study)
    if len(study.directions) > 1:  # where nothing can be pruned
        return TPESampler(seed=own)
    with warnings.catch_warnings():
        # `gamma` is to go in Optuna 6; until then it is the only public way to say this.
        warnings.simplefilter("ignore")
        return TPESampler(seed=own, gamma=_Good(study), multivariate=True)


def resumed_seed(seed: int, study: Study) -> int:
    """A sampler's seed for this resumption: the same for the same seed, study and trials so far.

    A sampler made with the plain seed would propose the points of the first run again.
    """
    done = len(study.get_trials(deepcopy=False))
    if not done:
        return seed
    text = f"{seed} {study.study_name} {done}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


class _Good:
    """How many of ``n`` trials are called good: a tenth, and no more than tell something."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __call__(self, n: int) -> int:
        telling = sum(_tells(trial) for trial in self._study.get_trials(deepcopy=False))
        return min(math.ceil(0.1 * n), _MOST_GOOD, telling)


def _tells(trial: FrozenTrial) -> bool:
    if trial.state.name == "PRUNED":
        return bool(trial.intermediate_values)
    return trial.state.name == "COMPLETE"
