#!/bin/bash
# A tour of `weir watch`: three small services, a fall, a recovery, a crash, a
# change of settings, and an orderly end.  Leaves nothing behind.
#
# Usage: examples/watch/run.sh [WEIR]
#   WEIR  the command; build/release/cli/weir of this source tree by default
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=$(realpath "${1:-$here/../../build/release/cli/weir}")
folder=$(mktemp -d)
supervisor=

clean_up() {
    if [[ -n $supervisor ]]; then
        kill "$supervisor" 2>/dev/null && wait "$supervisor" || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT

say() {
    printf '\n== %s\n' "$*"
}

watch() {
    "$weir" --config "$folder/weir.yaml" watch "$@"
}

# Ports that are free now.
read -r db api web < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')

settings() {
    cat >"$folder/weir.yaml" <<YAML
watch:
  state: $folder/state
  control: $folder/control.sock
  events: {file: $folder/events.jsonl}
  services:
    web:
      command: [python3, $here/service.py, web, $web,
                --needs, "http://127.0.0.1:$api/health"]
      health: http://127.0.0.1:$web/health
      after: [api]
      interval: 0.2
      fall: 100          # what it needs may come and go
    api:
      command: [python3, $here/service.py, api, $api]
      health: http://127.0.0.1:$api/health
      after: [db]
      interval: 0.2
      restart_delay: 0.1
    db:
      command: [python3, $here/service.py, db, $db, --slow, "0.3"]
      health: http://127.0.0.1:$db/health
      interval: 0.2
      restart_delay: 0.1
      environment: {$1}
YAML
}

# Waits until the event file has so many lines with that text.
await() {
    for _ in $(seq 1 300); do
        if [[ $(grep -c "$2" "$folder/events.jsonl" 2>/dev/null) -ge $1 ]]; then
            return
        fi
        sleep 0.1
    done
    echo "no $1 times: $2" >&2
    cat "$folder/events.jsonl" >&2
    exit 1
}

say "three services, each after the one that it needs"
settings "MODE: one"
"$weir" --config "$folder/weir.yaml" watch run --plain >/dev/null &
supervisor=$!
await 1 '"started".*"web"'
watch status

say "api turns sick: three failed checks, and it is restarted"
"$weir" fetch -s "http://127.0.0.1:$api/sick" || true
await 1 '"health_fail".*"api"'
await 2 '"started".*"api"'

say "db crashes: its end is noticed at once"
"$weir" fetch -s "http://127.0.0.1:$db/die" || true
await 1 '"process_died".*"db"'
await 2 '"started".*"db"'
watch status || true

say "new settings: only db is restarted"
settings "MODE: two"
watch reload
await 3 '"started".*"db"'
await 1 '"changed".*"db"'

say "an order, and the orderly end: web, then api, then db"
watch restart web
watch down
wait "$supervisor"
supervisor=
python3 - "$folder/events.jsonl" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    events = [json.loads(line) for line in file]
for event in events:
    print(event.get("time", event.get("at", "")), event["event"],
          event.get("service") or "", event.get("detail") or "")
ends = [event["service"] for event in events if event["event"] == "stopped"]
assert ends[-3:] == ["web", "api", "db"], ends
PYTHON
say "done"
