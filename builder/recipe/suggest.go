package recipe

import (
	"slices"
	"strings"
)

// didYouMean is `did you mean "x"?` for the candidate nearest to name, or "".
func didYouMean(name string, candidates []string) string {
	return meanHint(nearest(name, candidates))
}

func meanHint(meant string) string {
	if meant == "" {
		return ""
	}
	return `did you mean "` + meant + `"?`
}

// nearest is the candidate that name may be a misspelling of, or "".
func nearest(name string, candidates []string) string {
	if len(name) > 100 {
		return ""
	}
	best, bestDist := "", max(1, len(name)/3)+1
	sorted := slices.Sorted(slices.Values(candidates))
	for _, c := range sorted {
		if len(c) > 100 {
			continue
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment) between a and b, byte by byte.
func editDistance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
