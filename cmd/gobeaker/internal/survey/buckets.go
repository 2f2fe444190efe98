package survey

import "math"

// perDouble is how many buckets there are between a size and its double.
const perDouble = 16

// buckets count sizes that are nearly the same together.
type buckets struct {
	counts [64 * perDouble]int64
	n      int64
	most   int64
}

func (b *buckets) add(size int64) {
	i := 0
	if size > 1 {
		i = min(int(math.Log2(float64(size))*perDouble), len(b.counts)-1)
	}
	b.counts[i]++
	b.n++
	b.most = max(b.most, size)
}

// quantile returns a size that this part of them does not exceed by more than a few
// percent.
func (b *buckets) quantile(part float64) int64 {
	left := int64(math.Ceil(part * float64(b.n)))
	for i, n := range b.counts {
		if left -= n; left <= 0 && b.n > 0 {
			return min(int64(math.Exp2(float64(i+1)/perDouble)), b.most)
		}
	}
	return b.most
}
