#!/usr/bin/env bash
# Starts a Docker engine for the tests where none answers, and stops the one it started.
#
#   tests/lab/engine.sh start|stop
#
# An engine that already answers (a developer's own, a CI service) is used as it is and never stopped:
# `stop` knows only the process whose id `start` wrote down.
set -euo pipefail

readonly STATE="${TMPDIR:-/tmp}/deploy-actions-lab-engine"
readonly PID_FILE="$STATE/dockerd.pid"
readonly LOG="$STATE/dockerd.log"
readonly START_LIMIT=60 STOP_LIMIT=20 # seconds

# The time limit matters: a client whose daemon hangs would wait for ever.
answers() { timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Our own daemon, and not another process that got the same number later.
ours_runs() { [[ -s $PID_FILE ]] && [[ "$(cat "/proc/$(cat "$PID_FILE")/comm" 2>/dev/null)" == dockerd ]]; }

fail() {
    echo "engine.sh: $1" >&2
    if [[ -s $LOG ]]; then
        echo "--- the last lines of $LOG" >&2
        tail -n 30 "$LOG" >&2
    fi
    exit 1
}

start() {
    answers && return
    ((EUID == 0)) || fail "no Docker engine answers, and only root can start one"
    command -v dockerd >/dev/null || fail "dockerd is not installed: run tests/lab/install.sh"
    mkdir -p "$STATE"
    # Two callers at once start one daemon: the second waits here and then finds it answering.
    exec 9>"$STATE/lock"
    flock --wait "$START_LIMIT" 9 || fail "another engine.sh holds $STATE/lock"
    answers && return
    local pid
    if ours_runs; then
        pid="$(cat "$PID_FILE")"
    else
        # A session of its own, no inherited files: the daemon outlives this script, does not hold its
        # caller's pipes open and does not inherit the lock. --live-restore is off, so that `stop`
        # leaves no containers.
        setsid dockerd --live-restore=false >"$LOG" 2>&1 </dev/null 9>&- &
        pid=$!
        echo "$pid" >"$PID_FILE"
    fi
    local deadline=$((SECONDS + START_LIMIT))
    until answers; do
        kill -0 "$pid" 2>/dev/null || fail "dockerd ended before it answered"
        ((SECONDS < deadline)) || fail "dockerd did not answer within ${START_LIMIT} s"
        sleep 0.2
    done
}

stop() {
    if ! ours_runs; then
        echo "engine.sh: no engine of ours runs"
        return
    fi
    local pid deadline=$((SECONDS + STOP_LIMIT))
    pid="$(cat "$PID_FILE")"
    kill "$pid"
    while ours_runs; do
        ((SECONDS < deadline)) || fail "dockerd (process $pid) did not stop within ${STOP_LIMIT} s"
        sleep 0.2
    done
    rm -f "$PID_FILE"
}

case "${1:-}" in
start)
    start
    echo "engine.sh: Docker engine $(docker version --format '{{.Server.Version}}') answers"
    ;;
stop) stop ;;
*)
    echo "usage: tests/lab/engine.sh start|stop" >&2
    exit 2
    ;;
esac
