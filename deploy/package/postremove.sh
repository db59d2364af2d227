#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /etc/granule /var/log/granule /var/lib/granule
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
