# shellcheck shell=sh
# Serves /version.txt and, once it is ready, /ready on port 8000; HELLO_BEHAVIOUR says how it fails.
set -eu

say() { echo "hello $HELLO_VERSION ($HELLO_BEHAVIOUR): $*"; }

case "$HELLO_BEHAVIOUR" in
once) say "done" && exit 0 ;;
crashloop) say "cannot start" >&2 && exit 1 ;;
esac

# The kernel delivers SIGTERM to process 1 only where a handler stands; without it every `docker stop`
# would take its ten seconds. `wait` ends at once on a signal, a foreground command would not.
trap 'say "stopped"; exit 0' TERM INT

mkdir -p /www
echo "$HELLO_VERSION" >/www/version.txt
httpd -f -p 8000 -h /www &
server=$!
say "listens on port 8000"

pause() {
    sleep "$1" &
    wait $!
}

case "$HELLO_BEHAVIOUR" in
unhealthy) wait $server ;;
slow) pause 4 ;;
esac
echo '{"status":"ok"}' >/www/ready
case "$HELLO_BEHAVIOUR" in
dies) pause 4 && say "dies" >&2 && exit 1 ;;
esac
wait $server
