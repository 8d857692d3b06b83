package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// ownedFor is how long a job is its owner's after the last word of it: then another goes on with it.
const ownedFor = 10 * time.Second

// formatJob begins a job's spec and its progress; JSON follows. A kind more is another format: who does not know it must not
// take the job for one of another kind.
const formatJob = '1'

// packedSpec is what a job is to do.
type packedSpec struct {
	Kind       webhook.JobKind `json:"kind"`
	Brand      string          `json:"brand"`
	EndpointID string          `json:"endpointId,omitempty"`
	EventIDs   []string        `json:"eventIds,omitempty"`
	SinceMs    int64           `json:"sinceMs,omitempty"`
	UntilMs    int64           `json:"untilMs,omitempty"`
	PerSecond  float64         `json:"perSecond,omitempty"`
	// Endpoints are those whose accounts are the job's.
	Endpoints []string `json:"endpoints,omitempty"`
}

// packedProgress is how far a job is.
type packedProgress struct {
	Endpoint int    `json:"endpoint,omitempty"`
	Phase    int    `json:"phase,omitempty"`
	After    string `json:"after,omitempty"`
	Skipped  int    `json:"skipped,omitempty"`
	Deleted  int    `json:"deleted,omitempty"`
}

func packJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(formatJob) + string(text), err
}

func unpackJSON(packed string, value any) error {
	if packed == "" || packed[0] != formatJob || json.Unmarshal([]byte(packed[1:]), value) != nil {
		return errFormat
	}
	return nil
}

// CreateJob implements [webhook.Store]: the job first, then the lists, so that who finds it there finds it whole.
func (s *Store) CreateJob(ctx context.Context, j webhook.Job, endpoints []string) error {
	spec := packedSpec{
		Kind: j.Kind, Brand: j.Brand, EndpointID: j.EndpointID, EventIDs: j.EventIDs, PerSecond: j.PerSecond, Endpoints: endpoints,
	}
	if !j.Since.IsZero() {
		spec.SinceMs = millis(j.Since)
	}
	if !j.Until.IsZero() {
		spec.UntilMs = millis(j.Until)
	}
	packed, err := packJSON(spec)
	if err != nil {
		return err
	}
	k, begun := keysOfJobs(), millis(j.StartedAt)
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, k.prefix+j.ID, "v", "1", "state", string(webhook.JobRunning), "spec", packed, "begun", begun, "brand", j.Brand)
		p.PExpire(ctx, k.prefix+j.ID, s.jobsFor())
		p.ZAdd(ctx, k.jobs, redis.Z{Score: float64(begun), Member: j.Brand + ":" + j.ID})
		p.ZRemRangeByScore(ctx, k.jobs, "-inf", fmt.Sprint(millis(s.cfg.Now().Add(-s.jobsFor()))))
		p.PExpire(ctx, k.jobs, s.jobsFor())
		p.ZAdd(ctx, k.running, redis.Z{Score: 0, Member: j.ID})
		return nil
	})
	if err != nil {
		return unavailable("create job", err)
	}
	return nil
}

// jobsFor is how long a job and its account are kept from its beginning: what it sent may be open for a while.
func (s *Store) jobsFor() time.Duration { return s.cfg.RetainJobs + s.openFor() }

// Job implements [webhook.Store].
func (s *Store) Job(ctx context.Context, id string) (webhook.Job, error) {
	found, err := s.readJobs(ctx, []string{id})
	if err != nil {
		return webhook.Job{}, err
	}
	if len(found) == 0 {
		return webhook.Job{}, webhook.ErrNotFound
	}
	return found[0], nil
}

// Jobs implements [webhook.Store].
func (s *Store) Jobs(ctx context.Context, q webhook.JobQuery) (webhook.Page[webhook.Job], error) {
	after, err := parsePlace(q.After, 2)
	if err != nil {
		return webhook.Page[webhook.Job]{}, err
	}
	w := walk{rdb: s.rdb, verb: "jobs", last: after, sources: []*source{{key: keysOfJobs().jobs}}, read: readScored(ctx, 0)}
	w.begin(after, q.Limit, q.Brand != "")
	var ids []string
	for len(ids) < q.Limit {
		e, ok, err := w.next(ctx)
		if err != nil {
			return webhook.Page[webhook.Job]{}, err
		}
		if !ok {
			break
		}
		if brand, id := refOf(e.names); q.Brand == "" || q.Brand == brand {
			ids = append(ids, id)
		}
	}
	jobs, err := s.readJobs(ctx, ids)
	if err != nil {
		return webhook.Page[webhook.Job]{}, err
	}
	return webhook.Page[webhook.Job]{Items: jobs, Next: w.rest()}, nil
}

// readJobs reads those that are kept, and then their accounts, in a pipeline each.
func (s *Store) readJobs(ctx context.Context, ids []string) ([]webhook.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.SliceCmd, len(ids))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			cmds[i] = p.HMGet(ctx, keysOfJobs().prefix+id, "spec", "at", "begun", "state", "ended")
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("jobs", err)
	}
	var taken []webhook.TakenJob
	for i, id := range ids {
		f := cmds[i].Val()
		if text(f, 0) == "" {
			continue
		}
		t, err := readJob(id, text(f, 0), text(f, 1), text(f, 2))
		if err != nil {
			return nil, err
		}
		t.State, t.FinishedAt = webhook.JobState(text(f, 3)), timeOf(number(text(f, 4)))
		taken = append(taken, t)
	}
	return s.addAccounts(ctx, taken)
}

// addAccounts reads what became of the jobs' deliveries.
func (s *Store) addAccounts(ctx context.Context, taken []webhook.TakenJob) ([]webhook.Job, error) {
	accounts := make([][]*redis.SliceCmd, len(taken))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, t := range taken {
			for _, id := range t.Endpoints {
				key := accountOf(webhook.EndpointRef{Brand: t.Brand, ID: id}, t.ID)
				accounts[i] = append(accounts[i], p.HMGet(ctx, key, "sent", "delivered", "dead", "cancelled", "expired", "deleted"))
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("jobs", err)
	}
	jobs := make([]webhook.Job, len(taken))
	for i, t := range taken {
		a := webhook.Account{Skipped: t.Progress.Skipped, Deleted: t.Progress.Deleted}
		for _, cmd := range accounts[i] {
			n := func(field int) int { return int(number(text(cmd.Val(), field))) }
			a.Sent, a.Delivered, a.Dead = a.Sent+n(0), a.Delivered+n(1), a.Dead+n(2)
			a.Deleted += n(5)
			a.Skipped, a.Open = a.Skipped+n(3)+n(4), a.Open+n(0)-n(1)-n(2)-n(3)-n(4)
		}
		a.Matched = a.Delivered + a.Dead + a.Skipped + a.Open + a.Deleted
		jobs[i] = t.Job
		jobs[i].Account = a
	}
	return jobs, nil
}

// readJob reads what CreateJob and SaveJob wrote.
func readJob(id, packed, at, begun string) (webhook.TakenJob, error) {
	var spec packedSpec
	var progress packedProgress
	err := unpackJSON(packed, &spec)
	if err == nil && at != "" {
		err = unpackJSON(at, &progress)
	}
	if err != nil {
		return webhook.TakenJob{}, fmt.Errorf("job %s: %w", id, err)
	}
	return webhook.TakenJob{
		Job: webhook.Job{ID: id, State: webhook.JobRunning, StartedAt: timeOf(number(begun)), JobSpec: webhook.JobSpec{
			Kind: spec.Kind, Brand: spec.Brand, EndpointID: spec.EndpointID, EventIDs: spec.EventIDs, PerSecond: spec.PerSecond,
			Span: webhook.Span{Since: timeOf(spec.SinceMs), Until: timeOf(spec.UntilMs)},
		}},
		Endpoints: spec.Endpoints,
		Progress: webhook.JobProgress{Endpoint: progress.Endpoint, Phase: progress.Phase, After: progress.After,
			Skipped: progress.Skipped, Deleted: progress.Deleted},
	}, nil
}

// TakeJob implements [webhook.Store].
func (s *Store) TakeJob(ctx context.Context, owner string) (webhook.TakenJob, bool, error) {
	k, now := keysOfJobs(), s.cfg.Now()
	answer, err := s.one(ctx, "take job", call{script: scriptTake, keys: []string{k.running},
		args: []any{millis(now), millis(now.Add(ownedFor)), owner, k.prefix}})
	if err != nil {
		return webhook.TakenJob{}, false, err
	}
	a := list(answer)
	if len(a) == 0 {
		return webhook.TakenJob{}, false, nil
	}
	t, err := readJob(text(a, 0), text(a, 1), text(a, 2), text(a, 3))
	return t, err == nil, err
}

// SaveJob implements [webhook.Store].
func (s *Store) SaveJob(ctx context.Context, id, owner string, p webhook.JobProgress) (bool, error) {
	at, err := packJSON(packedProgress{Endpoint: p.Endpoint, Phase: p.Phase, After: p.After, Skipped: p.Skipped, Deleted: p.Deleted})
	if err != nil {
		return false, err
	}
	state, until := webhook.JobRunning, s.cfg.Now().Add(ownedFor)
	if p.Done {
		state = webhook.JobDone
	}
	if p.Left {
		until = s.cfg.Now() // behind those that wait for an owner
	}
	return s.saveJob(ctx, id, owner, at, state, until)
}

// CancelJob implements [webhook.Store].
func (s *Store) CancelJob(ctx context.Context, id string) error {
	if _, err := s.Job(ctx, id); err != nil {
		return err
	}
	_, err := s.saveJob(ctx, id, "", "", webhook.JobCancelled, s.cfg.Now())
	return err
}

func (s *Store) saveJob(ctx context.Context, id, owner, at string, state webhook.JobState, until time.Time) (bool, error) {
	k := keysOfJobs()
	answer, err := s.one(ctx, "save job", call{script: scriptSave, keys: []string{k.running, k.prefix + id},
		args: []any{millis(s.cfg.Now()), millis(until), owner, id, at, string(state), s.jobsFor().Milliseconds()}})
	return answer == int64(1), err
}
