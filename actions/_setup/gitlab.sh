# shellcheck shell=sh
# Fetches deploy-actions in a job of GitLab. The templates hold this text, since a job can reach nothing of ours
# before; `make docs` puts it there, and the verb and its gates behind it. For any POSIX shell.
# What an earlier job left, or a commit brought, is no result of this one.
rm -rf -- deploy-actions
stop() { echo "deploy-actions: $2" >&2; exit "$1"; }
for program in bash git timeout; do
  command -v "$program" >/dev/null ||
    stop 2 "there is no $program here: the input job-image names an image that has it, such as python:3.12."
done
library="$(mktemp -d)"
trap 'rm -rf -- "$library"' EXIT
# git asks for the token, and a helper reads it from the environment: it stands in no argument and no file, goes
# to this server alone, and no other helper is told of it.
server="$CI_SERVER_PROTOCOL://$CI_SERVER_HOST:$CI_SERVER_PORT"
# shellcheck disable=SC2016 # git's shell fills it in
token='!f() { test "$1" = get && printf "username=gitlab-ci-token\npassword=%s\n" "$CI_JOB_TOKEN"; }; f'
case "$DEPLOY_ACTIONS_LIBRARY_REF" in
v*) wanted="refs/tags/$DEPLOY_ACTIONS_LIBRARY_REF" ;;
*) wanted="$DEPLOY_ACTIONS_LIBRARY_REF" ;;
esac
git init --quiet --template= "$library"
GIT_TERMINAL_PROMPT=0 timeout 300 git -C "$library" -c credential.helper= -c "credential.$server.helper=$token" \
  -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=60 fetch --quiet --depth 1 --no-tags \
  "$CI_SERVER_URL/$DEPLOY_ACTIONS_LIBRARY_PROJECT.git" "$wanted" ||
  stop 3 "$wanted of $DEPLOY_ACTIONS_LIBRARY_PROJECT cannot be fetched, see above: does it exist, and is this project in that one's job token allowlist?"
git -C "$library" -c core.hooksPath=/dev/null checkout --quiet --detach FETCH_HEAD
# What `cache:` of the templates keeps.
export DEPLOY_ACTIONS_DOWNLOADS="$PWD/.deploy-actions/downloads"
