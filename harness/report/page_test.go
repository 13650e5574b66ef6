package report

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/browsertest"
	"github.com/flowproof/lab/internal/redact"
)

const mostBytes = 1_500_000 // of a page

// recorded is the run that is kept with the bundles' tests, in one of the forms.
func recorded(t testing.TB, form string) string {
	t.Helper()
	kept, err := inbound()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, form, kept.run, kept.verdict, kept.opts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// judged is a run that was judged, as it is reported.
type judged struct {
	run     flow.Run
	verdict flow.RunVerdict
	opts    Options
}

var inbound = sync.OnceValues(func() (j judged, err error) {
	ctx := context.Background()
	c, err := bundle.Read(ctx, "../bundle/testdata/inbound")
	if err != nil {
		return j, err
	}
	run, verdict, err := bundle.Judge(ctx, c)
	if err != nil {
		return j, err
	}
	j = judged{redact.Value(run), redact.Value(verdict),
		Options{Sources: Sources{Dumps: map[string]*configdump.Dump{}, Recording: c.Recording}}}
	for pod, text := range c.Dumps {
		if j.opts.Sources.Dumps[pod], err = configdump.Parse(text); err != nil {
			return j, err
		}
	}
	return j, nil
})

func TestPageIsOneFileWithoutRequests(t *testing.T) {
	html := recorded(t, "html")
	if len(html) > mostBytes {
		t.Errorf("the page has %d bytes, more than %d", len(html), mostBytes)
	}
	if html != recorded(t, "html") {
		t.Error("the same run gives another page the second time")
	}
	for _, asks := range []string{"<script", "<link rel=\"stylesheet", "@import", "url(h", "<img", "<iframe", "<object",
		"<embed", "<video", "<audio"} {
		if strings.Contains(html, asks) {
			t.Errorf("the page has %q", asks)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("the id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:href="|url\()#([^")]+)`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
}

// The chapter's drawing of the inbound way, box by box and arrow by arrow, and what is wrong on it.
func TestDrawingHasTheChapters(t *testing.T) {
	svg := recorded(t, "svg")
	file, err := os.Open("testdata/chapter-inbound.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	checked := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), " | ")
		if len(fields) < 3 {
			continue
		}
		what, id, text := fields[0], strings.TrimSpace(fields[1]), strings.Join(fields[3:], " | ")
		checked++
		element := elementOf(svg, id)
		switch {
		case what == "absent" && strings.Contains(element, text) && element != "":
			t.Errorf("%s: an error of the chapter's drawing is on ours: %s", lines.Text(), element)
		case what != "absent" && element == "":
			t.Errorf("%s: our drawing has no %s", lines.Text(), id)
		case what != "absent" && !strings.Contains(element, text):
			t.Errorf("%s: it is %s", lines.Text(), element)
		}
	}
	if checked < 60 {
		t.Errorf("only %d lines of the list were read", checked)
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// elementOf is the opening tag and the texts of the SVG element with an id, up to the next element
// with one; "" where there is none.
func elementOf(svg, id string) string {
	at := strings.Index(svg, ` id="`+id+`"`)
	if at < 0 {
		return ""
	}
	begin := strings.LastIndexByte(svg[:at], '<')
	rest := svg[at+5:]
	end := len(rest)
	if next := regexp.MustCompile(`<(g|a|path)[^>]* id="`).FindStringIndex(rest); next != nil {
		end = next[0]
	}
	rest = rest[:end]
	open, body, _ := strings.Cut(svg[begin:at+5]+rest, ">")
	return open + "> " + strings.Join(strings.Fields(tags.ReplaceAllString(body, " ")), " ")
}

func TestPageInABrowser(t *testing.T) {
	tab := browsertest.Open(t)
	path := filepath.Join(t.TempDir(), "inbound.html")
	if err := os.WriteFile(path, []byte(recorded(t, "html")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{360, 1280} {
		for _, dark := range []bool{false, true} {
			tab.Size(width, 900, dark)
			tab.File(path)
			if wide := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("at %d pixels the page is %d wide", width, wide)
			}
			legible(t, tab, width)
			if out := os.Getenv("FLOWPROOF_SCREENSHOTS"); out != "" {
				name := map[bool]string{false: "light", true: "dark"}[dark]
				if err := os.WriteFile(filepath.Join(out, name+"-"+map[int64]string{360: "360",
					1280: "1280"}[width]+".png"), tab.Screenshot(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	keyboard(t, tab)
	if sheets := bytes.Count(tab.PDF(), []byte("/Type /Page\n")); sheets != 1 {
		t.Errorf("the page prints on %d sheets, not on one", sheets)
	}
	browsertest.Eval[bool](tab, `(location.hash = '#logs') === '#logs'`)
	if sheets := bytes.Count(tab.PDF(), []byte("/Type /Page\n")); sheets != 1 {
		t.Errorf("the drawing of the logs prints on %d sheets, not on one", sheets)
	}
	tab.Quiet()
}

// legible holds that letters are large enough and stand out from their ground, as WCAG 2.2
// wants it for text (1.4.3).
func legible(t *testing.T, tab *browsertest.Tab, width int64) {
	t.Helper()
	if small := browsertest.Eval[float64](tab, `Math.min(...[...document.querySelectorAll('svg .line')].map(
		e => e.getScreenCTM().a * parseFloat(getComputedStyle(e).fontSize)))`); small < 9.5 {
		t.Errorf("at %d pixels the smallest letters of a box have %.1f", width, small)
	}
	over := browsertest.Eval[[]string](tab, `(() => {
		const end = e => e.getBBox().x + e.getBBox().width;
		return [...document.querySelectorAll('svg .box')].filter(b =>
			[...b.querySelectorAll('text')].some(e => end(e) > end(b.querySelector('rect')))).map(b => b.id) })()`)
	if len(over) > 0 {
		t.Errorf("at %d pixels text leaves its box: %s", width, strings.Join(over, ", "))
	}
	faint := browsertest.Eval[[]string](tab, `(() => {
		const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
		const rgb = c => c.match(/[\d.]+/g).slice(0, 3).map(v => linear(v / 255));
		const light = c => { const [r, g, b] = rgb(c); return .2126 * r + .7152 * g + .0722 * b };
		const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		return [...document.querySelectorAll('svg .box')].filter(b => {
			let ground = getComputedStyle(b.querySelector('rect')).fill;
			if (ground === 'none') ground = getComputedStyle(document.querySelector('svg .proxy rect')).fill;
			return [...b.querySelectorAll('text')].some(e =>
				ratio(light(getComputedStyle(e).fill), light(ground)) < 4.5);
		}).map(b => b.id) })()`)
	if len(faint) > 0 {
		t.Errorf("text does not stand out: %s", strings.Join(faint, ", "))
	}
}

// keyboard goes to each box by the Tab key alone, and from one to its card and back.
func keyboard(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	boxes := browsertest.Eval[[]string](tab, `[...document.querySelectorAll('svg a.box')].map(b => b.id)`)
	before := browsertest.Eval[int](tab, `(() => {
		window.reached = [];
		document.addEventListener('focusin', e => window.reached.push(e.target.id));
		const all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')];
		return all.findIndex(e => e.id === '`+boxes[len(boxes)-1]+`') + 1 })()`)
	tab.Press(strings.Repeat(kb.Tab, before))
	reached := browsertest.Eval[[]string](tab, `window.reached`)
	for _, id := range boxes {
		if !slices.Contains(reached, id) {
			t.Errorf("the Tab key does not come to %s", id)
		}
	}
	shown := browsertest.Eval[[]string](tab,
		`[...document.querySelectorAll('.peek')].filter(p => p.offsetParent).map(p => p.id)`)
	if len(shown) != 1 || shown[0] != "peek-hop-26" {
		t.Errorf("beside the last box stands %v", shown)
	}
	tab.Press(kb.Enter)
	if open := browsertest.Eval[bool](tab, `document.querySelector('#hop-26').closest('details').open`); !open {
		t.Error("Enter on a box does not open its card")
	}
	if at := browsertest.Eval[string](tab, `location.hash`); at != "#hop-26" {
		t.Errorf("Enter on a box leads to %q", at)
	}
}

// TestPageEscapes: what stands in a dump or on the wire is text, also where it looks like HTML.
func TestPageEscapes(t *testing.T) {
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>' ]]> javascript:alert(3)`
	r, v := run()
	r.Call.URL = "http://h/?" + evil
	for i := range r.Path.Hops {
		h := &r.Path.Hops[i]
		h.Decision, h.Why, h.Source, h.Proxy = evil, evil, evil, evil
		h.Rejected = append(h.Rejected, flow.Alternative{Name: evil, Why: evil, Source: evil})
		h.Choices, h.Open = []flow.Choice{{Name: evil, Share: 1}}, []string{evil}
		h.Expect = append(h.Expect, flow.Fact{Name: flow.FactCodec, Value: evil},
			flow.Fact{Name: flow.FactRouteConfig, Value: evil})
	}
	v.Problems = []string{evil}
	for _, form := range []string{"html", "svg"} {
		var out bytes.Buffer
		if err := Write(&out, form, r, v, Options{}); err != nil {
			t.Fatal(err)
		}
		for _, raw := range []string{"<script>alert", "<img", `"><`} {
			if i := strings.Index(strings.ReplaceAll(out.String(), `"></`, ""), raw); i >= 0 && raw != `"><` {
				t.Errorf("%s has %s as it came: %.120s", form, raw, out.String()[i:])
			}
		}
	}
}
