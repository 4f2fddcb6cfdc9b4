# Settings of the bed, for the scripts beside this one. Everything here can be set in the environment.

# State of the bed: configuration, messages, Python packages, logs and the ids of its processes.
export BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/rabbitmq}

# Ports, all on 127.0.0.1. A second bed on one machine needs others, and a BED of its own.
P_AMQP=${P_AMQP:-25683}
P_AMQPS=${P_AMQPS:-25684}
P_ERLDIST=${P_ERLDIST:-25685}
P_EPMD=${P_EPMD:-14379}

# Name of the node.
NODE=rabbitbed@localhost

ETC=$BED/etc VAR=$BED/var LOG=$BED/log RUN=$BED/run
export LANG=C.UTF-8 LC_ALL=C.UTF-8
