#!/bin/sh
# static.sh OUT ARCHIVE... - one archive of one object, in which what is hidden is local.
set -eu
out=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Thin archives name their objects relative to where they are; ld knows how to read them.
ld -r -o "$work/leat.o" --whole-archive "$@"
objcopy --localize-hidden "$work/leat.o"
rm -f "$out"
ar rcs "$out" "$work/leat.o"
