# SPDX-License-Identifier: MIT
#: seconds 120
#
# A database of 64 MB behind two indexes: single rows by both of them, joins in an order that is
# none on disk, and runs over neighbouring rows. Tiny reads at random, and now and then a long one.

queries() {
	local i
	for ((i = 1; i <= 200; i++)); do
		printf "SELECT length(body) FROM entry WHERE word = printf('w%%08x', %d);\n" \
			$((i * 449 * 2654435761 % 4294967296))
	done
	for ((i = 1; i <= 20; i++)); do
		printf 'SELECT count(*), sum(length(body)) FROM entry WHERE score = %d;\n' \
			$((i * 3011))
	done
	for ((i = 1; i <= 6; i++)); do
		printf 'SELECT count(*), sum(score) FROM entry WHERE id BETWEEN %d AND %d;\n' \
			$((i * 13000)) $((i * 13000 + i * 400))
	done
	echo "SELECT count(*), min(id) FROM entry WHERE word BETWEEN 'w40' AND 'w44';"
}

capture_start
mounted database
queries > "$RUN/queries"
works 100 sqlite3 "file:$MNT/words.db?immutable=1" < "$RUN/queries" > "$RUN/rows"
equal "$(head -200 "$RUN/rows" | sort -u)" 600 "bodies found by their words"
equal "$(wc -l < "$RUN/rows")" 227 "answers"
capture_end
