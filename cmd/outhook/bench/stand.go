package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// layout is who gets what.
type layout struct {
	// Brands have Kinds of events each, and each kind goes to Fanout endpoints.
	Brands, Kinds, Fanout int
	// Connections is how many requests outhook would have in flight at most.
	Connections int
}

// stand is all that one run needs: a Redis, a receiver, a publisher and what is measured.
type stand struct {
	b      *bench
	road   road
	layout layout
	brands [][]subject

	redis     *redisServer
	receiver  *process
	publisher *process // nil for a host, which publishes itself
	// api and worker are of outhook; worker is also the host or that of the plain program. Nil where there is none.
	api    *server
	worker *process
	client *httpapi.Client
	admin  []string // URLs of the operators' listeners
	key    string
	ends   []func()
}

// build starts everything. Nothing is left running when it errs.
func (b *bench) build(ctx context.Context, r road, l layout) (*stand, error) {
	s := &stand{b: b, road: r, layout: l, key: "bench_" + secretText()}
	if err := s.start(ctx); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *stand) start(ctx context.Context) error {
	steps := []func(context.Context) error{s.startReceiver, s.startRedis}
	switch s.road {
	case roadRaw:
		steps = []func(context.Context) error{s.startReceiver, s.startPublisher}
	case roadPlain:
		steps = append(steps, s.startPublisher, s.startPlain)
	case roadGo:
		steps = append(steps, s.startHost)
	default:
		steps = append(steps, s.startPublisher, s.startOuthook)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// end ends the processes, the last first.
func (s *stand) end() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

func (s *stand) child(role string, env ...string) (*process, error) {
	p, err := s.b.child(role, env...)
	if err == nil {
		s.ends = append(s.ends, p.end)
	}
	return p, err
}

// startReceiver has a port for each brand: hosts are bounded.
func (s *stand) startReceiver(ctx context.Context) error {
	var err error
	if s.receiver, err = s.child("receiver"); err != nil {
		return err
	}
	var urls []string
	if err := s.receiver.ask(ctx, "open", s.layout.Brands, &urls); err != nil {
		return err
	}
	s.brands = s.layout.subjects(urls)
	return s.receiver.ask(ctx, "behave", s.b.cfg.manners, nil)
}

// subjects numbers the endpoints.
func (l layout) subjects(urls []string) [][]subject {
	brands, n := make([][]subject, l.Brands), 0
	for b := range brands {
		for k := range l.Kinds {
			one := subject{Brand: fmt.Sprint("b", b), Kind: kindName(k)}
			for range l.Fanout {
				one.Endpoints, one.URLs = append(one.Endpoints, n), append(one.URLs, fmt.Sprint(urls[b], "/", n))
				n++
			}
			brands[b] = append(brands[b], one)
		}
	}
	return brands
}

func endpointID(number int) string { return fmt.Sprint("ep", number) }

func (s *stand) brandNames() []string {
	names := make([]string, len(s.brands))
	for i, b := range s.brands {
		names[i] = b[0].Brand
	}
	return names
}

func (s *stand) startRedis(ctx context.Context) error {
	var err error
	if s.redis, err = startRedis(ctx, s.b.redisProgram); err != nil {
		return err
	}
	s.ends = append(s.ends, s.redis.end)
	return nil
}

func (s *stand) startPublisher(context.Context) (err error) {
	s.publisher, err = s.child("publisher")
	return err
}

func (s *stand) startPlain(ctx context.Context) (err error) {
	if s.worker, err = s.child("plain"); err != nil {
		return err
	}
	return s.worker.ask(ctx, "work", plainWork{Redis: s.redis.addr, Pool: pool(), Concurrency: s.layout.Connections}, nil)
}

// pool is how many connections outhook has to Redis, but for those that wait.
func pool() int { return max(64, 10*runtime.GOMAXPROCS(0)) }

func (s *stand) startHost(ctx context.Context) (err error) {
	if s.worker, err = s.child("host", s.env()...); err != nil {
		return err
	}
	return s.worker.ask(ctx, "endpoints", s.brands, nil)
}

func (s *stand) startOuthook(ctx context.Context) error {
	api, err := s.b.serve(ctx, "api", s.env())
	if err != nil {
		return err
	}
	s.api, s.ends = api, append(s.ends, api.end)
	worker, err := s.b.serve(ctx, "worker", s.env())
	if err != nil {
		return err
	}
	s.worker, s.ends = worker.process, append(s.ends, worker.end)
	s.admin = []string{api.url("admin"), worker.url("admin")}
	if s.client, err = httpapi.NewClient(api.url("http"), s.key, nil); err != nil {
		return err
	}
	return s.createEndpoints(ctx)
}

func (s *stand) createEndpoints(ctx context.Context) error {
	for _, brand := range s.brands {
		for _, one := range brand {
			for i, url := range one.URLs {
				e := httpapi.EndpointRequest{ID: endpointID(one.Endpoints[i]), URL: url, EventTypes: []string{one.Kind}}
				if _, _, err := s.client.CreateEndpoint(ctx, one.Brand, e); err != nil {
					return fmt.Errorf("create endpoint: %w", err)
				}
			}
		}
	}
	return nil
}

// env is the configuration of a process of outhook: the default one, but for where things are and where deliveries may go.
func (s *stand) env() []string {
	return []string{
		"OUTHOOK_CONFIG=" + s.b.config, "OUTHOOK_REDIS_URL=redis://" + s.redis.addr, "OUTHOOK_AUTH_ADMIN_KEY=" + s.key,
		"OUTHOOK_SECRETS_KEYS=" + s.b.secret, "OUTHOOK_HTTP_LISTEN=127.0.0.1:0", "OUTHOOK_ADMIN_LISTEN=127.0.0.1:0",
		"OUTHOOK_SHUTDOWN_DELAY=0s", "OUTHOOK_EGRESS_ALLOW=127.0.0.0/8", "OUTHOOK_EGRESS_PORTS=[]", "OUTHOOK_EGRESS_REQUIRE_HTTPS=false",
	}
}

func secretText() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// publish has a load published.
func (s *stand) publish(ctx context.Context, l load) (published, error) {
	l.Road, l.Body, l.Key = s.road, s.b.body, s.key
	by := s.publisher
	if s.redis != nil {
		l.Redis, l.Pool = s.redis.addr, pool()
	}
	if s.api != nil {
		l.Server = s.api.url("http")
	}
	if by == nil {
		by = s.worker
	}
	var done published
	err := by.ask(ctx, "publish", l, &done)
	return done, err
}

// open is how many deliveries are not recorded yet.
func (s *stand) open(ctx context.Context) (int, error) {
	switch s.road {
	case roadRaw:
		return 0, nil
	case roadPlain:
		return s.plainOpen(ctx)
	case roadGo:
		var open int
		return open, s.worker.ask(ctx, "open", s.brandNames(), &open)
	}
	open := 0
	for _, brand := range s.brandNames() {
		h, err := s.client.BrandHealth(ctx, brand)
		if err != nil {
			return 0, err
		}
		open += h.InFlight + h.Waiting + h.Retrying
	}
	return open, nil
}

// plainOpen counts the tasks that Asynq has.
func (s *stand) plainOpen(ctx context.Context) (int, error) {
	const queue = "asynq:{default}:"
	open := 0
	for _, list := range []string{"pending", "active"} {
		n, err := s.redis.rdb.LLen(ctx, queue+list).Result()
		if err != nil {
			return 0, err
		}
		open += int(n)
	}
	n, err := s.redis.rdb.ZCard(ctx, queue+"retry").Result()
	return open + int(n), err
}

// settle waits until nothing is open, and answers when that was.
func (s *stand) settle(ctx context.Context) (time.Time, bool) {
	for {
		open, err := s.open(ctx)
		switch {
		case err == nil && open == 0:
			return time.Now(), true
		case !sleepUntil(ctx, time.Now().Add(3*time.Millisecond)):
			return time.Now(), false
		}
	}
}

func (s *stand) pids() map[string]int {
	pids := map[string]int{}
	add := func(name string, p *process) {
		if p != nil {
			pids[name] = p.cmd.Process.Pid
		}
	}
	add("receiver", s.receiver)
	add("publisher", s.publisher)
	add("worker", s.worker)
	if s.api != nil {
		add("api", s.api.process)
	}
	if s.redis != nil {
		add("redis", s.redis.proc)
	}
	return pids
}

func (b *bench) child(role string, env ...string) (*process, error) {
	cmd := exec.Command(b.cfg.Program, "bench", "child", role)
	cmd.Env = append(withoutOurs(os.Environ()), env...)
	return launch(role, cmd, true, nil)
}
