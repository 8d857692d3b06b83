package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how much of an input is done, on a terminal only.
type progress struct {
	bar *progressbar.ProgressBar // nil is none
}

func newProgress(in io.Reader, out io.Writer) *progress {
	if !isTerminal(out) {
		return &progress{}
	}
	return &progress{bar: progressbar.NewOptions64(remaining(in),
		progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("publishing"), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))}
}

// remaining is the size of what is left of a file, and -1 of anything else, whose end nobody knows.
func remaining(in io.Reader) int64 {
	file, ok := in.(*os.File)
	if !ok {
		return -1
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil || at > info.Size() {
		return -1
	}
	return info.Size() - at
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// add counts bytes of the input; the events are all so far. Nobody is there to be told that the terminal is gone.
func (p *progress) add(bytes, events int) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("publishing, %d events", events))
		_ = p.bar.Add(bytes)
	}
}

// clear makes room for a line.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
