package console

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// manyBrands has brands in pages of 10, each of which takes some time to be asked for.
type manyBrands struct {
	Service
	names []string
	each  time.Duration
	asked int
}

func (m *manyBrands) Brands(_ context.Context, after string) ([]string, string, error) {
	from, _ := strconv.Atoi(after)
	to := min(from+10, len(m.names))
	if to == len(m.names) {
		return m.names[from:], "", nil
	}
	return m.names[from:to], strconv.Itoa(to), nil
}

func (m *manyBrands) BrandHealth(_ context.Context, brand string) (webhook.BrandHealth, error) {
	time.Sleep(m.each)
	m.asked++
	n, _ := strconv.Atoi(brand)
	return webhook.BrandHealth{Endpoints: 1, Waiting: n, OldestWaitingAt: time.Unix(int64(1e6-n), 0)}, nil
}

// A page moves the survey on for a moment only, and what it has seen so far is shown in order.
func TestSurveyGoesOnWithEachLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := &manyBrands{each: 15 * time.Millisecond}, &survey{}
		for i := range 100 {
			m.names = append(m.names, fmt.Sprint(i+1))
		}
		for looks := 1; ; looks++ {
			begun := time.Now()
			if err := s.walk(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > surveyStep+m.each {
				t.Fatalf("a look took %s", took)
			}
			is := s.look("oldest")
			if !slices.IsSortedFunc(is.Rows, orders["oldest"]) {
				t.Fatalf("not in order: %+v", is.Rows)
			}
			if is.Complete {
				if looks < 10 || len(is.Rows) != 100 || is.Rows[0].Brand != "100" || is.Sum.Endpoints != 100 || is.Sum.Waiting != 5050 {
					t.Fatalf("after %d looks %d brands, %+v", looks, len(is.Rows), is.Sum)
				}
				break
			}
		}
		asked := m.asked
		if _ = s.walk(t.Context(), m); m.asked != asked || asked != 100 {
			t.Errorf("asked %d times, then %d: a finished round is good for a while", asked, m.asked)
		}
		m.names, m.each = m.names[:5], 0
		time.Sleep(surveyGood + time.Millisecond)
		_ = s.walk(t.Context(), m)
		if is := s.look("brand"); len(is.Rows) != 5 || is.Rows[0].Brand != "1" || is.Sum.Waiting != 15 {
			t.Errorf("brands that are gone are shown: %+v", is.Rows)
		}
	})
}

// Of brands that are not remembered, as there are too many, each is asked once a round all the same, however slowly.
func TestSurveyOfMoreThanAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := &manyBrands{each: 15 * time.Millisecond}, &survey{seen: map[string]surveyed{}}
		for i := range surveyMost {
			s.seen[fmt.Sprint("other", i)] = surveyed{}
		}
		for i := range 30 {
			m.names = append(m.names, fmt.Sprint("idle", i)) // which is no number: nothing waits
		}
		for range 20 {
			if err := s.walk(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if is := s.look("brand"); !is.Complete || m.asked < 30 || m.asked > 40 {
			t.Errorf("complete: %t, after %d questions", is.Complete, m.asked)
		}
	})
}
