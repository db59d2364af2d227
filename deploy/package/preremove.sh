#!/bin/sh
# On removal the gateways stop and let go of their interfaces. An upgrade stops nothing: see postinstall.
set -e
case "$1" in
remove | deconfigure)
    if [ -d /run/systemd/system ]; then
        systemctl stop 'granule@*.service' || true
    fi
    # What a stop leaves by intent (--leave-relay) goes with the package: nobody would be there to take it back.
    for pins in /sys/fs/bpf/granule/*; do
        [ -d "$pins" ] || continue
        /usr/bin/granule detach --instance "${pins##*/}" || true
    done
    ;;
esac
