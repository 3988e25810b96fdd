#!/bin/sh
# archive.sh LD OBJCOPY NM AR INTERNAL.a LIBHOLT.so OUT.a
#
# Builds the static library that is installed. A plain archive of the objects would expose all internal
# symbols to the program that links it. Therefore all objects are linked into one, in which only the symbols
# that the shared library exports remain global.
set -eu
ld=$1 objcopy=$2 nm=$3 ar=$4 internal=$5 shared=$6 out=$7
object=$(dirname "$out")/holt.o

"$nm" -D --defined-only -P "$shared" | cut -d' ' -f1 >"$out.symbols"
"$ld" -r --whole-archive "$internal" -o "$object"
"$objcopy" --keep-global-symbols="$out.symbols" "$object"
rm -f "$out"
"$ar" rcs "$out" "$object"
rm -f "$object" "$out.symbols"
