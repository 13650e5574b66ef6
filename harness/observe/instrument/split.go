package instrument

// Split parts what a log has of a request, in its order, into what is so and the rest.
func Split[T any](all []T, is func(T) bool) (so, rest []T) {
	for _, one := range all {
		if is(one) {
			so = append(so, one)
		} else {
			rest = append(rest, one)
		}
	}
	return so, rest
}
