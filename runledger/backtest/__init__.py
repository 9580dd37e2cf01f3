"""Backtests: what policies would have done, scored against what really happened.

Every recorded question is asked again under each policy, in one pass over the
events. What history cannot tell is never counted for or against a policy: a
run that was blocked has no outcome (censored), and what no event supports is
reported as unsupported, with its share.
"""

from __future__ import annotations

from runledger.backtest.scoring import Backtest, Scores, backtest

__all__ = ["Backtest", "Scores", "backtest"]
