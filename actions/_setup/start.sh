#!/usr/bin/env bash
# Starts deploy-actions: `start.sh VERB …`. The locked dependencies are installed the first time; from then on
# every action of the job, and of later jobs on a runner that keeps its tool cache, starts at once.
# Ends in `exec`, since GitHub signals the shell alone when a run is cancelled.
set -euo pipefail

readonly LIMIT=600 # seconds for the installation, or for waiting while another job installs

# The real interpreter, also when a virtual environment or a shim is first on PATH; then what makes two of
# them different, such as glibc and musl in containers that share the runner's tool cache.
readonly PROBE='import sys
if sys.version_info < (3, 11): sys.exit(1)
print(getattr(sys, "_base_executable", "") or sys.executable)
print(sys.version.split()[0], getattr(sys.implementation, "_multiarch", sys.platform))'

# What the CI at hand calls the ways to another Python and to a folder.
python_from="put a step with actions/setup-python before this one"
folder_from="set RUNNER_TEMP or HOME"
if [[ ${GITLAB_CI:-} == true ]]; then
    python_from="name an image that has it in the input job-image, such as python:3.12, or install it on the runner"
    folder_from="set HOME, or XDG_CACHE_HOME to a folder of the user that runs the job"
fi

stop() { # exit code, sentence
    if [[ ${GITHUB_ACTIONS:-} == true ]]; then
        echo "::error title=deploy-actions::$2"
    else
        echo "deploy-actions: $2" >&2
    fi
    exit "$1"
}

find_root() {
    # Walked up to, never counted: the folder is actions/_setup or, where a runner copied the link, _setup.
    root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
    until [[ -f $root/pyproject.toml ]]; do
        [[ -n $root ]] || stop 2 "no pyproject.toml lies above ${BASH_SOURCE[0]}: copy the whole repository."
        root="${root%/*}"
    done
}

find_python() {
    local name
    for name in python3 python python3.14 python3.13 python3.12 python3.11; do
        interpreter="$("$name" -I -S -c "$PROBE" 2>/dev/null)" && return
    done
    stop 2 "Python 3.11 or newer is needed and none was found: $python_from."
}

find_cache() {
    local base
    for base in "${RUNNER_TOOL_CACHE:-}" "${RUNNER_TEMP:-}" "${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}"; do
        [[ -n $base ]] || continue
        cache="$base/deploy-actions"
        [[ -d $cache ]] || mkdir -p -- "$cache" 2>/dev/null || continue
        # What lies there is executed, so it has to be our own.
        [[ -O $cache && -w $cache ]] && return
    done
    stop 2 "no folder for the dependencies can be written: $folder_from."
}

ready() { [[ -x $venv/bin/python ]]; }

# What callers set for installations of their own must not redirect ours (PIP_TARGET, UV_SYSTEM_PYTHON) or
# weaken it (PIP_REQUIREMENT, PIP_NO_BINARY). What says how the network is reached stays: the hashes decide
# what is installed, whoever delivers it. So do configuration files: a mirror in pip.conf is the machine's.
forget_settings() {
    local name
    for name in "${!PIP_@}" "${!UV_@}" "${!PYTHON@}"; do
        case "$name" in
        PIP_CERT | PIP_CLIENT_CERT | PIP_PROXY | PIP_DEFAULT_TIMEOUT | PIP_RETRIES | PIP_CONFIG_FILE) ;;
        UV_NATIVE_TLS | UV_SYSTEM_CERTS | UV_HTTP_TIMEOUT | UV_CONFIG_FILE) ;;
        *) unset "$name" ;;
        esac
    done
}

# In the background: a trap waits for a command in the foreground, and a cancelled job must end now. Away from
# the caller's folder, whose pyproject.toml uv would read. Without the lock, which would outlive this script.
attend() {
    (
        forget_settings
        cd -- "$new"
        exec timeout --kill-after=10 "$LIMIT" "$@"
    ) >>"$new/log" 2>&1 9>&- &
    child=$!
    wait "$child"
}

populate() {
    local wanted=(--require-hashes --quiet --requirement "$root/requirements/runtime.txt")
    attend "$python" -I -m venv --without-pip "$new/venv" || return
    if command -v uv >/dev/null; then
        # No build: a source distribution would fetch a build system that no lock knows.
        attend uv pip install --python "$new/venv/bin/python" --no-build "${wanted[@]}" && return
        # uv does not read pip.conf, which may name the only index that can be reached.
    fi
    local pip=("$python" -I -m pip --python "$new/venv/bin/python" install --only-binary=:all: --no-input
        --disable-pip-version-check "${wanted[@]}")
    # A CI hands downloads on from job to job, and any of them may have written there: pip checks the hash of
    # what it finds like that of what it fetches. uv would believe its own cache, so it is not given this one.
    if [[ -n ${DEPLOY_ACTIONS_DOWNLOADS:-} ]]; then
        attend "${pip[@]}" --cache-dir "$DEPLOY_ACTIONS_DOWNLOADS" && return
        # It may be that what was found is broken.
    fi
    attend "${pip[@]}"
}

install() {
    exec 9>"$cache/$key.lock"
    # The lock saves work: the second of two jobs waits, and finds everything. Safe it is without, too, since
    # an installation is made elsewhere and appears, complete, by one rename.
    if flock -w "$LIMIT" 9; then
        rm -rf -- "$cache/$key.new-"* # of one that was killed
    else
        echo "deploy-actions: installing without the lock $cache/$key.lock" >&2
    fi
    ready && return
    new="$(mktemp -d -- "$cache/$key.new-XXXXXXXX")" || stop 3 "nothing can be written below $cache: is the disk full?"
    child=""
    trap 'rm -rf -- "$new"' EXIT
    trap '[[ -z $child ]] || kill "$child" 2>/dev/null; exit 130' INT TERM
    echo "Installing the locked dependencies of deploy-actions" >&2
    if ! populate; then
        tail -n 30 -- "$new/log" >&2
        stop 3 "the dependencies could not be installed, see above: PIP_* and UV_* variables are not used, so name a mirror in pip.conf; where Python has no pip, $python_from."
    fi
    [[ ! -e $venv ]] || rm -rf -- "$venv" # its interpreter is gone
    mv -T -- "$new/venv" "$venv" || ready || stop 3 "$venv could not be put in place."
    rm -rf -- "$new"
    trap - EXIT INT TERM
    exec 9>&-
}

find_root
find_python
python="${interpreter%%$'\n'*}"
find_cache
key="$({ echo "$interpreter" && cat -- "$root/requirements/runtime.txt"; } | sha256sum)"
key="${key%% *}"
venv="$cache/$key"
ready || install
exec "$venv/bin/python" -I "$root/actions/_setup/run.py" "$@"
