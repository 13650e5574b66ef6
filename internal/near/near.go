// Package near finds the words that a user may have meant.
package near

// Distance returns how many characters have to be put in, taken out or replaced to make b of a
// (Levenshtein), in bytes.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := before
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above+1, row[j]+1)
			before = above
		}
	}
	return row[len(b)]
}
