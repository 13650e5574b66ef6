package infer

import "github.com/flowproof/lab/harness/configdump"

// A truth is the answer to a condition: no, yes, or that it depends on what neither dump nor request says.
type truth uint8

const (
	no truth = iota
	yes
	depends
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return depends
}

// all is yes when every element is.
func all(v configdump.Value, f func(configdump.Value) truth) truth {
	result := yes
	for _, e := range v.Elements() {
		switch f(e) {
		case no:
			return no
		case depends:
			result = depends
		}
	}
	return result
}

// some is yes when one element is.
func some(v configdump.Value, f func(configdump.Value) truth) truth {
	result := no
	for _, e := range v.Elements() {
		switch f(e) {
		case yes:
			return yes
		case depends:
			result = depends
		}
	}
	return result
}
