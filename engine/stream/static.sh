#!/bin/sh
# static.sh OUT MAP ARCHIVE... - one archive of one object, in which what MAP does not list is local.
set -eu
out=$1 map=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Thin archives name their objects relative to where they are; ld knows how to read them.
ld -r -o "$work/leat.o" --whole-archive "$@"
sed -n 's/^ *\(leat_[a-z_]*\);$/\1/p' "$map" >"$work/names"
objcopy --keep-global-symbols="$work/names" "$work/leat.o"
rm -f "$out"
ar rcs "$out" "$work/leat.o"
