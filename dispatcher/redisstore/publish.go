package redisstore

import (
	"context"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// publishing is a call that does all of some fan-outs: it writes the events down, admits their deliveries, and lists what may be
// finished at once.
type publishing struct {
	call call
	of   []numbered
	to   []portion[delivery]
}

// publishings do the fan-outs in their order, each a hundred events or deliveries at the most.
func (s *Store) publishings(fanouts []numbered) []publishing {
	var all []publishing
	for len(fanouts) > 0 {
		n, work := 0, 0
		for ; n < len(fanouts); n++ {
			if work += max(1, len(fanouts[n].Endpoints)); n > 0 && work > admitMost {
				break
			}
		}
		all = append(all, s.publishing(fanouts[:n]))
		fanouts = fanouts[n:]
	}
	return all
}

func (s *Store) publishing(of []numbered) publishing {
	now, to := s.cfg.Now(), deliveriesOf(of)
	keys := make([]string, 0, 3*len(of)+5*len(to))
	deliveries := 0
	for _, f := range of {
		deliveries += len(f.Endpoints)
	}
	args := make([]any, 0, 9+6*len(of)+4*len(to)+deliveries)
	args = append(args, s.head("", "", "")...)
	args = append(args, s.cfg.RetainDelivered.Milliseconds(), strconv.FormatInt(millis(now.Add(-s.openFor())), 10), len(of))
	for _, f := range of {
		e, k, kind := f.Event, keysOfEvent(f.Event.Ref()), ""
		if f.AtOnce {
			kind = f.Event.Type
		}
		keys = append(keys, k.event, k.admitting, keysOfBrand(e.Brand).index)
		args = append(args, packEvent(f.Fanout, newNonce()), string(formatIndex)+e.ID, kind, e.Ref().String(),
			millis(e.PublishedAt), expiryOf(e))
	}
	for _, p := range to {
		k := keysOfEndpoint(p.ref)
		keys = append(keys, k.endpoint, k.line, k.out, k.retry, k.due)
		args = append(args, k.records, s.cfg.QueueFor(p.ref), k.member, len(p.items))
		for _, d := range p.items {
			args = append(args, d.of+1)
		}
	}
	return publishing{call: call{script: scriptPublish, keys: keys, args: args}, of: of, to: to}
}

func callsOf(publishings []publishing) []call {
	calls := make([]call, len(publishings))
	for i, p := range publishings {
		calls[i] = p.call
	}
	return calls
}

// read reads what became of the fan-outs, and answers those still to be done, of events that were known and unfinished.
func (p publishing) read(answer []any, fanouts []webhook.Fanout, admitted []webhook.Admitted) (open []numbered) {
	verdicts, releases := sublist(answer, 0), sublist(answer, 1)
	isNew := make([]bool, len(p.of))
	for i := range p.of {
		verdict := list(verdicts[i])
		f, todo := readEvent(&p.of[i], verdict, fanouts, admitted)
		if isNew[i] = text(verdict, 0) == "new"; isNew[i] {
			admitted[f.at].Finished = f.AtOnce
		} else if todo {
			open = append(open, f)
		}
	}
	for i, to := range p.to {
		a := admission{ref: to.ref, of: make([]*numbered, 0, len(to.items))}
		for _, d := range to.items {
			if isNew[d.of] {
				a.of = append(a.of, &p.of[d.of])
			}
		}
		if err := failed("admit", list(releases[i])); err != nil {
			for _, f := range a.of {
				admitted[f.at].Err = err
			}
			continue
		}
		a.read(releases[i], admitted)
	}
	for _, f := range p.of {
		if own := &admitted[f.at]; own.Err != nil { // the script has listed it as unfinished
			own.FannedOut, own.Finished = false, false
		}
	}
	return open
}

// listBrands lists the brands that are due before anything of them is written.
func (s *Store) listBrands(ctx context.Context, fanouts []numbered) error {
	now := s.cfg.Now()
	var due []string
	for _, f := range fanouts {
		if brand := f.Event.Brand; f.AtOnce && !slices.Contains(due, brand) && s.listed.due(brand, now) {
			due = append(due, brand)
		}
	}
	if len(due) == 0 {
		return nil
	}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, brand := range due {
			listBrand(ctx, p, brand, now)
		}
		return nil
	})
	if err != nil {
		return unavailable("admit", err)
	}
	s.listed.done(now, due...)
	return nil
}
