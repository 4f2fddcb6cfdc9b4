# Processes of the bed, by name. Each leads a session of its own, so that its children end with it. RUN/NAME.pid holds its
# id and when it started, so that a process which got the same id later is never taken for it.

started_at() { # PID -> start time in clock ticks since boot; nothing for one that has ended, waited for or not
  awk '{ sub(/^.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null
}

alive() { # NAME
  local pid since
  [ -s "$RUN/$1.pid" ] || return 1
  read -r pid since <"$RUN/$1.pid"
  [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ]
}

start() { # NAME COMMAND...
  local name=$1 pid
  shift
  if alive "$name"; then return 0; fi
  setsid nohup "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  pid=$!
  sleep 0.05 # until setsid has become the command
  echo "$pid $(started_at $pid)" >"$RUN/$name.pid"
}

stop() { # NAME [SIGNAL]
  local name=$1 signal=${2:-TERM} pid _
  if alive "$name"; then
    read -r pid _ <"$RUN/$name.pid"
    kill "-$signal" -- "-$pid" 2>/dev/null || true
    for _ in $(seq 150); do
      alive "$name" || break
      sleep 0.1
    done
    if alive "$name"; then kill -KILL -- "-$pid" 2>/dev/null || true; fi
  fi
  rm -f "$RUN/$name.pid"
}

# Runs COMMAND until it succeeds, for at most a minute.
until_succeeds() { # COMMAND...
  local _
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  echo "gave up: $*" >&2
  return 1
}

port_open() { # PORT
  (echo >"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Steers single services of a bed, with `launch` and `await_service` of its own.
steer() { # start|stop|kill NAME...
  local action=$1 name
  shift
  for name in "$@"; do
    case $action in
      start) launch "$name" && await_service "$name" ;;
      stop) stop "$name" ;;
      kill) stop "$name" KILL ;;
      *) echo "no such action: $action" >&2 && return 2 ;;
    esac
  done
}
