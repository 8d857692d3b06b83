package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// browser is a headless Chromium. Names of example.com lead to this machine, where its pages are not "potentially trustworthy".
type browser struct {
	*testing.T
	ctx context.Context

	mu sync.Mutex
	// asked are the addresses of requests that were sent.
	asked []*url.URL
}

// startBrowser runs Chromium until the test ends. Without one the test is skipped, unless OUTHOOK_TEST_REQUIRE contains "chromium".
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "chromium") {
			t.Fatal("no chromium on PATH, and OUTHOOK_TEST_REQUIRE asks for it")
		}
		t.Skip("no chromium on PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP *.example.com 127.0.0.1"), chromedp.Flag("lang", "en"))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process
		stop()
	})
	b := &browser{T: t, ctx: ctx}
	b.must(chromedp.Do(ctx, chromedp.EmulateViewport(1400, 900)))
	b.must(chromedp.Listen(ctx, b.note))
	return b
}

func (b *browser) note(event any) {
	sent, ok := event.(*network.EventRequestWillBeSent)
	if !ok {
		return
	}
	if u, err := url.Parse(sent.Request.URL); err == nil && strings.HasPrefix(u.Scheme, "http") {
		b.mu.Lock()
		b.asked = append(b.asked, u)
		b.mu.Unlock()
	}
}

// hosts are those that were asked for anything.
func (b *browser) hosts() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string]bool{}
	for _, u := range b.asked {
		found[u.Host] = true
	}
	return found
}

// addresses are all that were asked for.
func (b *browser) addresses() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.asked)
}

func (b *browser) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *browser) open(page string) {
	b.Helper()
	b.do(chromedp.Navigate(page))
}

// inPage does something in the page, within a bound.
func inPage[T any](b *browser, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func (b *browser) do(step chromedp.Action[chromedp.Void]) {
	b.Helper()
	_, err := inPage(b, step)
	b.must(err)
}

// text evaluates an expression in the page; empty when that fails, as while another page comes.
func (b *browser) text(expression string) string {
	text, _ := inPage(b, chromedp.Evaluate[string](expression))
	return text
}

// see waits until the page shows all of these.
func (b *browser) see(wanted ...string) {
	b.Helper()
	var shown string
	b.eventually(func() bool {
		shown = b.text("document.body.innerText")
		for _, want := range wanted {
			if !strings.Contains(shown, want) {
				return false
			}
		}
		return true
	}, func() string {
		return fmt.Sprintf("the page %s does not show %q, but:\n%s", b.text("location.href"), wanted, shown)
	})
}

func (b *browser) eventually(ok func() bool, otherwise func() string) {
	b.Helper()
	for deadline := time.Now().Add(dispatchertest.Patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal(otherwise())
		}
	}
}

// press clicks where the element of an expression is, as soon as it is there.
func (b *browser) press(element string) {
	b.Helper()
	x, y := b.find(element, "r.x + r.width / 2")
	b.do(chromedp.MouseClickXY(x, y))
}

// point moves the mouse to the left end of an element, where no button of it is yet whose name would then be shown, and so lost.
func (b *browser) point(element string) {
	b.Helper()
	x, y := b.find(element, "r.x + 3")
	b.do(chromedp.MouseEvent("mouseMoved", x, y))
}

// find answers where an element is, as soon as it is there and does not move.
func (b *browser) find(element, where string) (x, y float64) {
	b.Helper()
	at := ""
	b.eventually(func() bool {
		before := at
		at = b.text(`(() => { const e = ` + element + `; if (!e) return ""; e.scrollIntoView({block: "center"});
			const r = e.getBoundingClientRect(); return r.width ? (` + where + `) + " " + (r.y + r.height / 2) : "" })()`)
		return at != "" && at == before
	}, func() string { return "no " + element + " in:\n" + b.text("document.body.innerText") })
	_, err := fmt.Sscan(at, &x, &y)
	b.must(err)
	return x, y
}

// fill types into the input of a name.
func (b *browser) fill(name, text string) {
	b.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("input[name="+name+"]"), text))
}

// picture keeps what is seen in the directory of OUTHOOK_TEST_PICTURES, for a person to look at.
func (b *browser) picture(name string) {
	b.Helper()
	dir := os.Getenv("OUTHOOK_TEST_PICTURES")
	if dir == "" {
		return
	}
	image, err := inPage(b, chromedp.CaptureScreenshot())
	b.must(err)
	b.must(os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600))
}
