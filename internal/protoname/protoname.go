// Package protoname has the two forms of a protobuf field's name.
package protoname

// AppendJSON appends a field's name in lowerCamelCase, whichever of its two forms it has. No
// underscore is left in it, before a digit neither: accept_http_10 is acceptHttp10.
// Source: ToJsonName in protobuf's descriptor.cc.
func AppendJSON[T string | []byte](out []byte, name T) []byte {
	upper := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '_' {
			upper = true
			continue
		}
		if upper && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = false
		out = append(out, c)
	}
	return out
}
