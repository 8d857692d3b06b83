package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Events around a slow moment are left out, however long they took; the others are not.
func TestEvenSpans(t *testing.T) {
	ms := int64(time.Millisecond)
	p := &pulse{}
	for i := range int64(100) {
		took := 20 * time.Microsecond
		if i == 40 || i == 41 {
			took = 200 * time.Microsecond
		}
		p.beats = append(p.beats, beat{i * 10 * ms, took + time.Duration(i%7)*time.Microsecond})
	}
	if at, share := p.slow(); !cmp.Equal(at, []int64{400 * ms, 410 * ms}) || share != 0.02 {
		t.Errorf("slow at %v, %v of the time", at, share)
	}
	before, long, after := span{100 * ms, 279 * ms}, span{290 * ms, 900 * ms}, span{431 * ms, 500 * ms}
	got := p.even([]span{before, {301 * ms, 310 * ms}, long, {402 * ms, 403 * ms}, {425 * ms, 426 * ms}, after})
	if diff := cmp.Diff([]span{before, long, after}, got, cmp.AllowUnexported(span{})); diff != "" {
		t.Error(diff)
	}
}

// A pulse that felt nothing leaves nothing out.
func TestPulseWithoutBeats(t *testing.T) {
	p := newPulse()
	p.stop()
	if got := p.even([]span{{1, 2}}); len(got) != 1 {
		t.Errorf("%d of 1 span is left", len(got))
	}
}

func TestPulseBeats(t *testing.T) {
	p := newPulse()
	time.Sleep(20 * beatEvery)
	p.stop()
	if len(p.beats) == 0 || p.beats[0].took <= 0 || p.beats[0].took > time.Second || p.sum == 0 {
		t.Errorf("%+v", p.beats)
	}
}
