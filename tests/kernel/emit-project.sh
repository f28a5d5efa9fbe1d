#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Writes the project that the captured compilation compiles: a library of ten files, a program, and
# a makefile.
#
#	project.sh DIR

set -eu
mkdir -p "$1"
cd "$1"

cat > Makefile <<'MAKEFILE'
O ?= .
objects := $(patsubst %.c,$(O)/%.o,$(filter-out main.c,$(sort $(wildcard *.c))))

$(O)/program: $(O)/main.o $(O)/libpart.a
	gcc -o $@ $^ -lm -lpthread

$(O)/libpart.a: $(objects)
	ar rcs $@ $^

$(O)/%.o: %.c part.h
	gcc -O2 -g -Wall -c -o $@ $<
MAKEFILE

headers=(stdio stdlib string stdint inttypes math time errno pthread sys/socket sys/stat netinet/in
	dirent fcntl poll signal unistd wchar locale regex)

{
	echo '#pragma once'
	for i in 0 1 2 3 4 5 6 7 8 9; do echo "double part_$i(unsigned int n);"; done
} > part.h

for i in 0 1 2 3 4 5 6 7 8 9; do
	{
		for j in 0 1 2 3 4 5; do echo "#include <${headers[(i * 2 + j) % 20]}.h>"; done
		echo '#include <math.h>'
		echo '#include "part.h"'
		for j in 0 1 2 3 4 5 6 7; do
			cat <<-FUNCTION
			static double step_$j(double x, unsigned int n)
			{
				double table[$((16 + i))] = { 0 };

				for (unsigned int k = 0; k < n; k++)
					table[k % $((16 + i))] += x * (k + $j) / (1.0 + k * k);
				for (unsigned int k = 1; k < $((16 + i)); k++)
					table[0] += table[k];
				return table[0];
			}
			FUNCTION
		done
		echo "double part_$i(unsigned int n)"
		echo '{'
		echo '	double x = sqrt(n);'
		for j in 0 1 2 3 4 5 6 7; do echo "	x = step_$j(x, n) + $i;"; done
		echo '	return x;'
		echo '}'
	} > "part-$i.c"
done

cat > main.c <<'MAIN'
#include <stdio.h>
#include "part.h"

int main(void)
{
	double sum = part_0(10) + part_1(10) + part_2(10) + part_3(10) + part_4(10) + part_5(10) +
		     part_6(10) + part_7(10) + part_8(10) + part_9(10);

	printf("compiled %s\n", sum > 0 ? "well" : "badly");
	return sum > 0 ? 0 : 1;
}
MAIN
