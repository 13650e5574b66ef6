package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"golang.org/x/net/html"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/internal/browsertest"
	"github.com/flowproof/lab/scenarios"
)

// writtenSite writes the site beside the recorded run of inbound, and returns its folder.
func writtenSite(t *testing.T) string {
	t.Helper()
	run1 := current(t, nil)
	named := filepath.Join(filepath.Dir(run1), "inbound")
	if err := os.Rename(run1, named); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "site")
	if code, _, errs := run(t, "walk", "--site", dir, named); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	return dir
}

// TestSiteLinks follows every link of every page of the site: to a file of the site, and in it to
// an element that is there. Only the glossary and the lines of a log lead elsewhere, and nothing is
// asked for to show a page.
func TestSiteLinks(t *testing.T) {
	dir := writtenSite(t)
	ids := map[string][]string{}   // by page
	links := map[string][]string{} // by page
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".html") {
			ids[name], links[name], err = anchors(filepath.Join(dir, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	followed := 0
	for name, all := range links {
		sorted := slices.Sorted(slices.Values(ids[name]))
		if unique := slices.Compact(slices.Clone(sorted)); len(unique) != len(sorted) {
			t.Errorf("%s has an id twice", name)
		}
		for _, link := range all {
			u, err := url.Parse(link)
			switch {
			case err != nil:
				t.Errorf("%s links to %q: %v", name, link, err)
			case u.Scheme == "https" && strings.HasPrefix(name, "glossary."),
				strings.HasPrefix(link, "https://github.com/envoyproxy/envoy/blob/v") &&
					(strings.HasPrefix(name, "runs/") || name == "articles/seed-log.html"),
				u.Scheme == "data" && u.Opaque == ",":
			case u.Scheme != "" || u.Host != "":
				t.Errorf("%s leads to %s", name, link)
			default:
				followed++
				to := name
				if u.Path != "" {
					to = path.Join(path.Dir(name), u.Path)
				}
				if _, err := os.Stat(filepath.Join(dir, to)); err != nil {
					t.Errorf("%s links to %s: %v", name, link, err)
				} else if u.Fragment != "" && !slices.Contains(ids[to], u.Fragment) {
					t.Errorf("%s links to %s, and there is no such element", name, link)
				}
			}
		}
	}
	if len(links) < len(scenarios.Names())+len(verbs) || followed < 400 {
		t.Errorf("only %d links of %d pages were followed", followed, len(links))
	}
	for _, name := range scenarios.Names() {
		if links["lessons/"+name+".html"] == nil {
			t.Errorf("the lesson %s has no page", name)
		}
	}
}

// anchors are the ids of a page, and what its links and everything that it would load lead to.
func anchors(file string) (ids, links []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	z := html.NewTokenizer(bytes.NewReader(text))
	for z.Next() != html.ErrorToken {
		token := z.Token()
		if token.Data == "script" {
			return nil, nil, errors.New(file + " has a script")
		}
		for _, a := range token.Attr {
			switch a.Key {
			case "id":
				ids = append(ids, a.Val)
			case "href", "src", "xlink:href":
				links = append(links, a.Val)
			}
		}
	}
	return ids, links, nil
}

// TestSiteInABrowser shows one page of each kind on a telephone and on a desk, light and dark:
// nothing is wider than the window, letters stand out, keys reach everything, and it prints.
func TestSiteInABrowser(t *testing.T) {
	tab := browsertest.Open(t)
	dir := writtenSite(t)
	kinds := []string{
		"index.html",
		"lessons/inbound.html",
		"lessons/inbound.zh.html",
		"lessons/task_port_name_tcp.html",
		"runs/inbound.html",
		"runs/inbound.inferred.html",
		"commands/lab-walk.html",
		"schema/index.html",
		"glossary.html",
		"articles/seed-log.html",
	}
	for _, name := range kinds {
		for _, width := range []int64{360, 1280} {
			for _, dark := range []bool{false, true} {
				tab.Size(width, 900, dark)
				tab.File(filepath.Join(dir, name))
				if wide := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s at %d pixels is %d wide", name, width, wide)
				}
				if faint := browsertest.Eval[[]string](tab, faintText); len(faint) > 0 {
					t.Errorf("%s (dark %v): text does not stand out: %s", name, dark, strings.Join(faint, " | "))
				}
			}
		}
		reachable(t, tab, name)
		if pdf := tab.PDF(); !bytes.HasPrefix(pdf, []byte("%PDF-")) || bytes.Count(pdf, []byte("/Type /Page\n")) == 0 {
			t.Errorf("%s does not print", name)
		}
	}
	tab.Quiet()
}

// faintText are the texts of a page whose contrast is less than WCAG 2.2 wants (1.4.3); those of
// drawings are measured elsewhere.
const faintText = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const lin = c => rgb(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
	const light = c => { const [r, g, b] = lin(c); return .2126 * r + .7152 * g + .0722 * b };
	const ground = e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor;
			if (rgb(c)[3] !== 0) return c
		}
		return 'rgb(255,255,255)' };
	const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
	return [...document.querySelectorAll('main :is(p,li,dt,dd,summary,pre,td,th,h1,h2,a,code,b)')].filter(e =>
		!e.closest('svg') && e.checkVisibility() && e.textContent.trim() &&
		ratio(light(getComputedStyle(e).color), light(ground(e))) < 4.5)
		.map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40)).slice(0, 5) })()`

// reachable holds that the Tab key comes to every link, and that Enter opens what is folded up.
func reachable(t *testing.T, tab *browsertest.Tab, name string) {
	t.Helper()
	want := browsertest.Eval[int](tab, `(() => {
		window.came = new Set();
		document.addEventListener('focusin', e => window.came.add(e.target));
		window.all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter(e =>
			e.checkVisibility());
		return all.length })()`)
	tab.Press(strings.Repeat(kb.Tab, want+2))
	missed := browsertest.Eval[[]string](
		tab,
		`all.filter(e => !came.has(e)).map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40)).slice(0, 5)`,
	)
	if len(missed) > 0 {
		t.Errorf("%s: the Tab key does not come to %s", name, strings.Join(missed, " | "))
	}
	if !browsertest.Eval[bool](
		tab,
		`(() => { const s = document.querySelector('.question summary'); s?.focus(); return !!s })()`,
	) {
		return
	}
	tab.Press(kb.Enter)
	if !browsertest.Eval[bool](tab, `document.querySelector('.question details').open`) {
		t.Errorf("%s: Enter does not open an answer", name)
	}
}

// TestSiteIsWrittenAgain: a site may be written where one was, and nowhere else.
func TestSiteIsWrittenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	for range 2 {
		if code, _, errs := run(t, "walk", "--site", dir); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
	}
	old := filepath.Join(dir, "lessons", "gone.html")
	other := t.TempDir()
	for _, file := range []string{old, filepath.Join(other, "mine.txt")} {
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, _ := run(t, "walk", "--site", dir); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a lesson that there is no more has a page")
	}
	if code, _, errs := run(t, "walk", "--site", other); code != exit.Usage ||
		!strings.Contains(errs, "the folder holds something else (name a new folder)") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// TestWalkPage writes a walk as one page, with what the learner has said.
func TestWalkPage(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("LC_ALL", "en_US.UTF-8")
	dir := current(t, nil)
	if code, _, errs := runWith(t, "\n\n\n15001\n1\nq\n", "walk", dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	code, page, errs := run(t, "walk", dir, "-o", "html")
	if code != 0 || len(page) > 1_500_000 {
		t.Fatalf("exit code %d, %d bytes: %s", code, len(page), errs)
	}
	for _, want := range []string{"<dd>✓ 15001</dd>", "<dd>✗ virtualOutbound</dd>",
		"1 of 21 right, 0 skipped, 19 not asked.", "needs destination port 8070",
		" by access-log, sockets, ebpf</dd>", "kubectl exec netshoot"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestWalkTraces walks the lessons of the author's traces beside a recorded run: their orders of
// events are held against what eBPF recorded, and a run of another request does not have them.
func TestWalkTraces(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("LC_ALL", "en_US.UTF-8")
	dir := current(t, nil)
	for _, tc := range []struct {
		lesson, input, lang string
		code                int
		want                []string
	}{
		{"inbound_trace", "\n\n15006\n1.2.3.4:80\n\n\n\n2\n1\nh\ns\n\n", "en", 0,
			[]string{"events in the order of addresses.events",
				"What comes next, after: envoy $worker fd $down: accept", "✓ Done: inbound_trace"}},
		{"handshake", "", "zh", 0, []string{"作者跟踪系列的第三部分", "events in the order of handshake.events",
			"✓ 完成：handshake"}},
		{"life_of_a_request", "", "en", exit.Mismatch, []string{"✗ events fortio-server read-request.events"}},
	} {
		args := []string{"walk", dir, "--lesson", tc.lesson, "--lang", tc.lang}
		if tc.input == "" {
			args = append(args, "--no-input")
		}
		code, out, errs := runWith(t, tc.input+strings.Repeat("\n", 30), args...)
		if code != tc.code {
			t.Errorf("%s: exit code %d, not %d: %s\n%s", tc.lesson, code, tc.code, errs, out)
		}
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", tc.lesson, want, out)
			}
		}
	}
}

// runWith is run with an input.
func runWith(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Streams{In: strings.NewReader(input), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}
