#!/bin/sh
# Nothing is started at the first installation: which interfaces are the wire is for the operator to say.
set -e
[ "$1" = configure ] || exit 0
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    if [ -n "$2" ]; then # an upgrade: each gateway that runs restarts into the new version; the XDP program carries the wire meanwhile
        systemctl try-restart 'granule@*.service' || true
    fi
fi
