#!/bin/sh
# One turn, for cron or a systemd timer: `dexmm run --once` with the same options.
#
#   scripts/rebalance_once.sh --config /path/to/dexmm.toml [--live]
#
# Without --config it takes dexmm.toml beside scripts/. Says nothing unless something happened, and
# leaves with dexmm's exit code: 0 done, 2 configuration, 3 refused, 4 halted, 5 later, 6 busy
# (docs/exit-codes.md). Plain sh, and nothing is looked up before PATH is set: a PATH may be empty.
set -eu
PATH="/usr/local/bin:/usr/bin:/bin${PATH:+:$PATH}"
LC_ALL=C.UTF-8
export PATH LC_ALL

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
root=$(CDPATH='' cd -- "${here:-/}/.." && pwd)
dexmm=$root/.venv/bin/dexmm

if [ ! -x "$dexmm" ]; then
    echo "dexmm: it is not installed yet: run $root/scripts/setup sandbox" >&2
    exit 2
fi
for argument in "$@"; do
    case $argument in
    --config | --config=*) exec "$dexmm" run --once --quiet "$@" ;;
    esac
done
exec "$dexmm" run --once --quiet --config "$root/dexmm.toml" "$@"
