#!/bin/sh
# One job on one card: worker.sh CARD SEEDS AWAY. Stands in for a sieve; prints its result as JSON.
set -eu
if [ -e "${0%/*}/broken-$1" ]; then
    echo "RuntimeError: HIP error: unspecified launch failure" >&2
    exit 1
fi
exec awk -v seeds="$2" -v away="$3" 'BEGIN {
    found = int(seeds * (1 - away / 0.5))
    printf "{\"survivors\": %d}\n", (found > 0 ? found : 0)
}'
