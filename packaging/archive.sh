#!/bin/sh
# archive.sh LD OBJCOPY NM AR INTERNAL.a LIBHOLT.so OUT.a
#
# Makes the static library that is installed. A plain archive of our objects would hand all internal names to the
# program that links it; so everything is joined into one object in which only the names that the shared library
# exports stay global.
set -eu
ld=$1 objcopy=$2 nm=$3 ar=$4 internal=$5 shared=$6 out=$7
object=$(dirname "$out")/holt.o

"$nm" -D --defined-only -P "$shared" | cut -d' ' -f1 >"$out.symbols"
"$ld" -r --whole-archive "$internal" -o "$object"
"$objcopy" --keep-global-symbols="$out.symbols" "$object"
rm -f "$out"
"$ar" rcs "$out" "$object"
rm -f "$object" "$out.symbols"
