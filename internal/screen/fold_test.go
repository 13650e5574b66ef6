package screen

import (
	"slices"
	"testing"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name, text string
		columns    int
		want       []string
	}{
		{"nothing", "", 10, nil},
		{"one line", "a b", 3, []string{"a b"}},
		{"between words", "aaa bbb ccc", 7, []string{"aaa bbb", "ccc"}},
		{"behind a bar", "outbound|8080|x", 10, []string{"outbound|", "8080|x"}},
		{"a word without a place to break", "abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"two columns a letter", "信道信道", 4, []string{"信道", "信道"}},
		{"narrower than a letter", "信", 1, []string{"信"}},
	} {
		if got := Fold(c.text, c.columns, "|/"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		name, text string
		columns    int
		want       []string
	}{
		{"nothing", "", 10, nil},
		{"between words", "aaa bbb ccc", 7, []string{"aaa bbb", "ccc"}},
		{"a long word has a line of its own", "at /configs/0/bootstrap of it", 10,
			[]string{"at", "/configs/0/bootstrap", "of it"}},
		{"between wide characters", "两个边车都给出配置", 8, []string{"两个边车", "都给出配", "置"}},
		{"a mark begins no line", "两个边车，都给出。", 8, []string{"两个边", "车，都给", "出。"}},
		{"a bracket ends no line", "两个边（车）", 8, []string{"两个边", "（车）"}},
		{"letters among wide characters", "内核把TCP连接", 9, []string{"内核把TCP", "连接"}},
		{"letters apart from wide characters", "内核把 TCP 连接", 10, []string{"内核把 TCP", "连接"}},
	} {
		if got := Wrap(c.text, c.columns); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJoined(t *testing.T) {
	for want, lines := range map[string][]string{
		"one two":  {"one", "two"},
		"一行，二行":    {"一行，", "二行"},
		"内核 sees":  {"内核", "sees"},
		"one":      {"one"},
		"":         {},
		"one more": {"one", "", "more"},
	} {
		if got := Joined(lines); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}
