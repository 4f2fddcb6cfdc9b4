# The process of the bed. BED/vcsimx.pid holds its id and when it started, so that a process which got the same id later is
# never taken for it.

started_at() { # PID -> start time in clock ticks since boot; nothing for one that has ended
  awk '{ sub(/^.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null
}

remember() { # PID
  echo "$1 $(started_at "$1")" >"$BED/vcsimx.pid"
}

running() {
  local pid since
  [ -s "$BED/vcsimx.pid" ] || return 1
  read -r pid since <"$BED/vcsimx.pid"
  [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ]
}

stop() {
  local pid _
  if running; then
    read -r pid _ <"$BED/vcsimx.pid"
    kill "$pid"
    for _ in $(seq 50); do
      running || break
      sleep 0.1
    done
    if running; then kill -KILL "$pid"; fi
  fi
  rm -f "$BED/vcsimx.pid" "$BED/bed.json"
}
