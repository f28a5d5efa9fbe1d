#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the test cases in the logs of 'meson test':

	count-tests.py STAGE TESTLOG.json

A binary that speaks TAP counts as many as it reports, any other as one. Prints every failure and
every skip with its reason, then "STAGE: N passed, N failed, N skipped".
"""

import json
import re
import sys

# A case that passed; everything else a binary says may explain a failure.
PASSED = re.compile(r'^ok\b(?!.*#)|^1\.\.\d+$|^$|^\(test program exited')
TAP = re.compile(r'^(not )?ok\b\s*\d*\s*-?\s*([^#]*)(?:#\s*(skip)\S*\s*(.*))?', re.IGNORECASE)


def cases(test):
    """Yields (verdict, name, reason) of one line of the log."""
    binary, result = test['name'].rpartition(' / ')[2], test['result']
    output = test.get('stdout', '')
    found = [m for m in map(TAP.match, output.splitlines()) if m]
    failed = 0
    for m in found:
        # libcheck: "FILE:SUITE:CASE: message"
        name = f'{binary}: ' + re.sub(r'^\S*\.c:[^:]*:', '', m[2]).strip()
        if m[1]:
            failed += 1
            yield 'failed', name, ''
        elif m[3]:
            yield 'skipped', name, m[4]
        else:
            yield 'passed', name, ''
    # What TAP cannot say: a crash, a timeout, a report of the sanitizer or of valgrind at exit.
    if result in ('OK', 'EXPECTEDFAIL'):
        if not found:
            yield 'passed', binary, ''
    elif result == 'SKIP':
        if not found:
            yield 'skipped', binary, (output.strip().splitlines() or ['no reason given'])[-1]
    elif not failed:
        yield 'failed', binary, f"{result}, status {test.get('returncode')}"


def main():
    stage, log = sys.argv[1:]
    count = {'passed': 0, 'failed': 0, 'skipped': 0}
    with open(log, encoding='utf-8', errors='replace') as lines:
        for line in lines:
            test = json.loads(line)
            verdicts = list(cases(test))
            for verdict, name, reason in verdicts:
                count[verdict] += 1
                if verdict == 'skipped':
                    print(f'{stage}: skipped: {name}: {reason}')
                elif verdict == 'failed':
                    print(f'{stage}: FAILED: {name} {reason}')
            if any(v[0] == 'failed' for v in verdicts):
                text = (test.get('stdout', '') + test.get('stderr', '')).splitlines()
                print('\n'.join('    ' + line for line in text if not PASSED.match(line)))
    print(f'{stage}: ' + ', '.join(f'{number} {verdict}' for verdict, number in count.items()))


main()
