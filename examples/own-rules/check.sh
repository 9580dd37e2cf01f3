#!/bin/sh
# Everything that must hold before the policy decides; run by hand and by CI.
set -eu
cd "$(dirname "$0")"

runledger policy check policy.toml
runledger test cases --policy policy.toml --cover
runledger policy diff default policy.toml

# With a ledger of yours, what the policy would have changed, and how it scores.
if [ -n "${HISTORY:-}" ]; then
    runledger --ledger "$HISTORY" policy check policy.toml
    runledger --ledger "$HISTORY" whatif --policy policy.toml
    runledger --ledger "$HISTORY" backtest --policy policy.toml
fi
