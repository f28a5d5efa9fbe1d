#!/bin/sh
# SPDX-License-Identifier: MIT
#
#	instrument.sh FAULT-NAMES.H OUTPUT.o LIBRARY.a
#
# All objects of the library as one, in which every call of a function NAME that the header declares
# as fault_NAME is a call of that. Also between the objects themselves: the loop's functions are
# defined here as well as called. main() is called faulty_main().

set -eu
names=$(sed -n 's/^[^*].*[ *]fault_\([a-z_]*\)(.*/\1/p' "$1")
set -- "$2" "$3"
wrap=''
for name in $names; do
	wrap="$wrap --wrap=$name --wrap=${name}64"
done
# shellcheck disable=SC2086 # a list of options
ld -r -o "$1" $wrap --whole-archive "$2"
# Whether it is NAME or NAME64 depends on how the objects were compiled.
nm -u "$1" | sed -En 's/^ +U (__wrap_(.*[a-z])(64)?)$/\1 fault_\2/p' > "$1.names"
objcopy --redefine-sym=main=faulty_main --redefine-syms="$1.names" "$1"
