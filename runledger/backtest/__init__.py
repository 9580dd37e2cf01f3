"""Backtests: what policies would have done, scored against what really happened.

Every recorded question is asked again under each policy, in one pass over the
events. What history cannot tell is never counted for or against a policy: a
run that was blocked has no outcome (censored), what no event supports is
reported as unsupported, with its share, and a number that is not known is a range.
"""

from __future__ import annotations

from runledger.backtest.scores import Backtest, Scores
from runledger.backtest.scoring import EVERYTHING, Candidate, Scope, backtest

__all__ = ["EVERYTHING", "Backtest", "Candidate", "Scope", "Scores", "backtest"]
