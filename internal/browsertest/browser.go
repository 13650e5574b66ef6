// Package browsertest opens pages of the project in a real browser, for tests: Debian's chromium
// without a window, which is allowed to reach no network.
package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// deadline bounds one test's work in the browser, on a machine that has much else to do.
const deadline = 10 * time.Minute

// programs are the names that chromium has.
var programs = []string{"chromium", "chromium-browser", "google-chrome"}

// A Tab is one page in the browser.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	said     []string // on the console, and what the browser logged
	requests []string // that are not for the file itself
}

// Open starts a browser with an empty tab. The test is skipped where there is no
// browser, but not in CI.
func Open(t testing.TB) *Tab {
	t.Helper()
	program := ""
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("find a browser: there is no chromium (run hack/setup.sh tests)")
		}
		t.Skip("no chromium is installed (hack/setup.sh tests installs it)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(deadline),
		// A proxy that is not there is what every request to a network would meet.
		chromedp.ProxyServer("http://127.0.0.1:9"), chromedp.Flag("proxy-bypass-list", "<-loopback>"))
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stopBrowser)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(stopTab)
	tab := &Tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		t.Fatal(err)
	}
	call(tab, network.Enable, network.EnableParams{})
	call(tab, log.Enable, cdp.Empty{})
	call(tab, runtime.Enable, cdp.Empty{})
	return tab
}

// call is one command of the browser's protocol.
func call[P, R any](tab *Tab, command cdp.Command[P, R], params P) R {
	tab.t.Helper()
	result, err := chromedp.Call(tab.ctx, command, params)
	if err != nil {
		tab.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// run is what an action gives.
func run[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	result, err := chromedp.Run(tab.ctx, action)
	if err != nil {
		tab.t.Fatal(err)
	}
	return result
}

// hear keeps what the page says and asks for.
func (tab *Tab) hear(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			tab.said = append(tab.said, fmt.Sprintf("console.%s: %s", e.Type, a.Value))
		}
	case *runtime.EventExceptionThrown:
		tab.said = append(tab.said, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		tab.said = append(tab.said, fmt.Sprintf("%s: %s", e.Entry.Level, e.Entry.Text))
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "file:") && !strings.HasPrefix(u, "data:") && u != "about:blank" {
			tab.requests = append(tab.requests, u)
		}
	}
}

// File opens a file.
func (tab *Tab) File(path string) {
	tab.t.Helper()
	run(tab, chromedp.Navigate((&url.URL{Scheme: "file", Path: path}).String()))
}

// Size gives the window a width and a height, in CSS pixels, and says whether the
// reader wants it dark.
func (tab *Tab) Size(width, height int64, dark bool) {
	tab.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	run(tab, chromedp.EmulateViewport(width, height))
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// Eval is the value of an expression in the page. Scripts of the test run also where the
// page forbids its own.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return run(tab, chromedp.Evaluate[T](expression))
}

// Press presses keys, one after the other: chromedp's kb names them.
func (tab *Tab) Press(keys string) {
	tab.t.Helper()
	run(tab, chromedp.KeyEvent(keys))
}

// PDF prints the page as the reader's browser would.
func (tab *Tab) PDF() []byte {
	tab.t.Helper()
	yes := true
	return call(tab, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &yes, PrintBackground: &yes}).Data
}

// Screenshot is the whole page as PNG.
func (tab *Tab) Screenshot() []byte {
	tab.t.Helper()
	return run(tab, chromedp.FullScreenshot(100))
}

// Quiet holds that the page said nothing on the console, that the browser had nothing to say of it,
// and that it asked for nothing.
func (tab *Tab) Quiet() {
	tab.t.Helper()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, s := range tab.said {
		tab.t.Errorf("the browser says: %s", s)
	}
	for _, r := range tab.requests {
		tab.t.Errorf("the page asks for %s", r)
	}
}
