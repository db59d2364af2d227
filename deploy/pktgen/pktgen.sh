#!/usr/bin/env bash
# Drives the Linux kernel's packet generator (Documentation/networking/pktgen.rst) on one device and prints what it sent. Run it
# on a machine beside the appliance, never on the appliance itself: README.md beside this says how to test with it.
set -euo pipefail
PROC=${PKTGEN_PROC:-/proc/net/pktgen}

usage() {
  cat >&2 <<USAGE
usage: pktgen.sh -i DEVICE -d DST -m MAC [options]
  -i DEVICE    send from this device
  -d DST       destination address, IPv4 or IPv6
  -m MAC       destination MAC address: the next hop beyond the appliance
  -s SRC       source address (default: the device's own)
  -z SIZE      frame size in bytes with the FCS, 64 to 9018 (default 64)
  -n COUNT     frames per thread; 0 runs until the time of -t is over (default 10000000)
  -t SECONDS   stop after so long (default 0: by -n alone)
  -f FLOWS     flows: UDP source ports that are used in turn (default 1)
  -p PORT      UDP destination port (default 9, discard)
  -r PPS       frames per second over all threads (default 0: as fast as possible)
  -b BURST     frames handed to the driver in one go (default 32)
  -c THREADS   CPUs to send from, counted from 0 (default 1)
  -v VLAN      802.1Q tag, 1 to 4094
  -j           print JSON
USAGE
  exit 2
}

device='' dst='' mac='' src='' size=64 count=10000000 seconds=0 flows=1 port=9 rate=0 burst=32 threads=1 vlan='' json=no
while getopts 'i:d:m:s:z:n:t:f:p:r:b:c:v:jh' o; do
  case $o in
    i) device=$OPTARG ;; d) dst=$OPTARG ;; m) mac=$OPTARG ;; s) src=$OPTARG ;; z) size=$OPTARG ;; n) count=$OPTARG ;;
    t) seconds=$OPTARG ;; f) flows=$OPTARG ;; p) port=$OPTARG ;; r) rate=$OPTARG ;; b) burst=$OPTARG ;; c) threads=$OPTARG ;;
    v) vlan=$OPTARG ;; j) json=yes ;; *) usage ;;
  esac
done
[ -n "$device" ] && [ -n "$dst" ] && [ -n "$mac" ] || usage
fail() { echo "pktgen.sh: $*" >&2; exit 1; }
for n in "$size" "$count" "$seconds" "$flows" "$port" "$rate" "$burst" "$threads" "${vlan:-1}"; do
  [[ $n =~ ^[0-9]+$ ]] || fail "$n: expected a whole number"
done
((size >= 64 && size <= 9018)) || fail "-z $size: expected 64 to 9018 bytes, with the FCS"
((flows >= 1 && flows <= 64512)) || fail "-f $flows: expected 1 to 64512 flows (source ports from 1024)"
((threads >= 1)) || fail "-c $threads: expected at least one thread"
((count > 0 || seconds > 0)) || fail "-n 0 needs a time (-t): it would never end"
[ -z "$vlan" ] || ((vlan >= 1 && vlan <= 4094)) || fail "-v $vlan: expected 1 to 4094"
[ -d "$PROC" ] || modprobe pktgen 2>/dev/null || true
[ -d "$PROC" ] || fail "this kernel has no pktgen ($PROC is missing): load the module (modprobe pktgen), or use 'granule pktgen'"

set_value() { # FILE COMMAND: the kernel answers on the last line of the same file
  echo "$2" > "$PROC/$1" || fail "$PROC/$1 refused '$2'"
  local result
  result=$(grep -s '^Result:' "$PROC/$1" || true)
  case $result in *OK:* | '' | *'Result: OK'* | *Idle*) ;; *) fail "$PROC/$1: '$2': $result" ;; esac
}

stop() { echo stop > "$PROC/pgctrl" 2>/dev/null || true; }
trap stop EXIT INT TERM

set_value pgctrl reset
for ((t = 0; t < threads; t++)); do
  [ -e "$PROC/kpktgend_$t" ] || fail "-c $threads: there is no CPU $t"
  set_value "kpktgend_$t" rem_device_all
  set_value "kpktgend_$t" "add_device $device@$t"
  d=$device@$t
  set_value "$d" "count $count"
  set_value "$d" "pkt_size $((size - 4))" # pktgen counts without the FCS
  set_value "$d" "burst $burst"
  set_value "$d" "delay 0"
  ((rate == 0)) || set_value "$d" "ratep $(((rate + threads - 1) / threads))"
  set_value "$d" "dst_mac $mac"
  if [[ $dst == *:* ]]; then
    set_value "$d" "dst6 $dst"
    [ -z "$src" ] || set_value "$d" "src6 $src"
  else
    set_value "$d" "dst_min $dst"
    set_value "$d" "dst_max $dst"
    [ -z "$src" ] || { set_value "$d" "src_min $src"; set_value "$d" "src_max $src"; }
  fi
  set_value "$d" "udp_dst_min $port"
  set_value "$d" "udp_dst_max $port"
  per=$(((flows + threads - 1) / threads)) # each thread has ports of its own
  set_value "$d" "udp_src_min $((1024 + t * per))"
  set_value "$d" "udp_src_max $((1024 + t * per + per))" # exclusive
  [ -z "$vlan" ] || set_value "$d" "vlan_id $vlan"
  set_value "$d" "flag NO_TIMESTAMP"
done

if ((seconds > 0)); then (sleep "$seconds"; stop) & timer=$!; fi
echo start > "$PROC/pgctrl" # returns when all threads are done
if ((seconds > 0)); then kill "$timer" 2>/dev/null || true; wait "$timer" 2>/dev/null || true; fi

# Result lines, a device each:  Result: OK: 1000001(c999000+d1001) usec, 2000000 (60byte,0frags)
#                                 1999998pps 959Mb/sec (959999040bps) errors: 0
sent=0 pps=0 errors=0
for ((t = 0; t < threads; t++)); do
  f=$PROC/$device@$t
  sent=$((sent + $(sed -n 's/^ *pkts-sofar: *\([0-9]*\).*/\1/p' "$f")))
  pps=$((pps + $(sed -n 's/^ *\([0-9]*\)pps.*/\1/p' "$f")))
  errors=$((errors + $(sed -n 's/.*errors: *\([0-9]*\).*/\1/p' "$f" | tail -n 1)))
done
bits=$((pps * (size + 20) * 8)) # on the wire: preamble, delimiter and gap are 20 bytes a frame
if [ $json = yes ]; then
  printf '{"device":"%s","frame_bytes":%d,"flows":%d,"sent":%d,"errors":%d,"pps":%d,"wire_bps":%d}\n' "$device" "$size" "$flows" "$sent" "$errors" "$pps" "$bits"
else
  printf '%s: %d frames of %d bytes in %d flows, %d errors, %d pps, %d Mbit/s on the wire\n' "$device" "$sent" "$size" "$flows" "$errors" "$pps" $((bits / 1000000))
fi
