package console

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// surveyStep bounds what a page adds to the survey of all brands, which no page could do at once.
	surveyStep = 100 * time.Millisecond
	// surveyGood is how long a finished round is good for, before the next is begun.
	surveyGood = 5 * time.Second
	// surveyMost bounds the brands that are remembered: beyond it only those that have something open.
	surveyMost = 20_000
)

// survey is how all brands are doing, as far as a walk over them has come. Whoever looks moves it on a little, so that it
// costs nothing while nobody does. The zero value is ready.
type survey struct {
	// walking is held by the one that moves it on.
	walking sync.Mutex

	mu sync.Mutex
	// seen is what stands of each brand; round counts the walks, and after is the place in one that is under way.
	seen     map[string]surveyed
	round    int
	underway bool
	after    string
	// page are the brands of the page under way that were taken in, remembered or not.
	page map[string]bool
	// begun is when this walk began, ended when the last one was done.
	begun, ended time.Time
}

// surveyed is how a brand was doing, and in which walk that was seen.
type surveyed struct {
	brandRow
	round int
}

// brandRow is one brand and how it is doing.
type brandRow struct {
	Brand  string
	Health webhook.BrandHealth
}

// Open counts the deliveries that are not settled.
func (b brandRow) Open() int { return openOf(b.Health) }

// Failures counts the attempts of the last hour that failed.
func (b brandRow) Failures() int { return b.Health.LastHour.Attempts - b.Health.LastHour.Delivered }

// walk moves on for a step, unless somebody else does.
func (s *survey) walk(ctx context.Context, service Service) error {
	if !s.walking.TryLock() {
		return nil
	}
	defer s.walking.Unlock()
	for until := time.Now().Add(surveyStep); s.due() && time.Now().Before(until); {
		if err := s.step(ctx, service, until); err != nil {
			return err
		}
	}
	return nil
}

// due tells whether there is something to walk: the rest of a round, or a new one.
func (s *survey) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.underway || time.Since(s.ended) > surveyGood
}

// step takes some brands in.
func (s *survey) step(ctx context.Context, service Service, until time.Time) error {
	s.mu.Lock()
	if !s.underway {
		s.underway, s.round, s.begun = true, s.round+1, time.Now()
	}
	after := s.after
	s.mu.Unlock()
	brands, next, err := service.Brands(ctx, after)
	if err != nil {
		return err
	}
	for _, brand := range brands {
		if s.known(brand) { // seen in this round, as when its page was not finished in time
			continue
		}
		if time.Now().After(until) {
			return nil // from the same place on, next time
		}
		health, err := service.BrandHealth(ctx, brand)
		if err != nil {
			return err
		}
		s.note(brandRow{brand, health})
	}
	s.finish(next)
	return nil
}

func (s *survey) known(brand string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page[brand] || s.seen[brand].round == s.round
}

func (s *survey) note(row brandRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]surveyed{}
	}
	if s.page == nil {
		s.page = map[string]bool{}
	}
	s.page[row.Brand] = true
	if _, old := s.seen[row.Brand]; !old && len(s.seen) >= surveyMost && row.Open() == 0 {
		return
	}
	s.seen[row.Brand] = surveyed{row, s.round}
}

// finish goes on after a page of brands; at the end of the round, what it did not see is gone.
func (s *survey) finish(next string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after, s.page = next, nil
	if next != "" {
		return
	}
	s.underway, s.ended = false, time.Now()
	for brand, was := range s.seen {
		if was.round != s.round {
			delete(s.seen, brand)
		}
	}
}

// sight is what the survey shows now.
type sight struct {
	// Rows are the brands in the order asked for; Sum is over all of them.
	Rows []brandRow
	Sum  webhook.BrandHealth
	// Complete: all brands were seen. Since is when the walk that is shown began.
	Complete bool
	Since    time.Time
}

// orders are how brands are sorted: by most open, longest waiting, most failures, or by name.
var orders = map[string]func(a, b brandRow) int{
	"open":     func(a, b brandRow) int { return cmp.Compare(b.Open(), a.Open()) },
	"oldest":   func(a, b brandRow) int { return compareOldest(a.Health.OldestWaitingAt, b.Health.OldestWaitingAt) },
	"failing":  func(a, b brandRow) int { return cmp.Compare(b.Health.Failing, a.Health.Failing) },
	"failures": func(a, b brandRow) int { return cmp.Compare(b.Failures(), a.Failures()) },
	"brand":    func(brandRow, brandRow) int { return 0 },
}

// compareOldest puts who waits longest first, and who does not wait last.
func compareOldest(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		return map[bool]int{true: 1, false: -1}[a.IsZero()]
	}
	return a.Compare(b)
}

func (s *survey) look(by string) sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := sight{Complete: !s.ended.IsZero(), Since: s.begun}
	for _, was := range s.seen {
		is.Rows = append(is.Rows, was.brandRow)
		is.Sum = is.Sum.Plus(was.Health)
	}
	slices.SortFunc(is.Rows, func(a, b brandRow) int { return cmp.Or(orders[by](a, b), cmp.Compare(a.Brand, b.Brand)) })
	return is
}
