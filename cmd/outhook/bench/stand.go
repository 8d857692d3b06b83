package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// stand is all that one run needs: a receiver, a Redis, a publisher and what is measured.
type stand struct {
	b      *bench
	road   road
	layout layout
	brands [][]subject

	receiver *process
	redis    *redisServer
	// redisAddr is where the processes find Redis, perhaps behind a delay.
	redisAddr string
	publisher *process // nil for a host, which publishes itself
	// api and worker are of outhook; worker is also the host or that of the plain program. Nil where there is none.
	api    *server
	worker *process
	// more are workers beside it.
	more   []*process
	client *httpapi.Client
	admin  []string // URLs of the operators' listeners, that of the API first
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
	for _, step := range s.steps() {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stand) steps() []func(context.Context) error {
	steps := []func(context.Context) error{s.startReceiver}
	switch s.road {
	case roadRaw:
		return append(steps, s.startPublisher)
	case roadPlain:
		steps = append(steps, s.startRedis, s.startPublisher)
	case roadGo:
		return append(steps, s.startRedis, s.startHost)
	default:
		steps = append(steps, s.startRedis, s.startPublisher, s.startAPI)
	}
	if s.layout.Later {
		return steps
	}
	return append(steps, s.startWorker)
}

// end ends the processes, the last first.
func (s *stand) end() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

// child starts one of our own processes, which ends with the stand.
func (s *stand) child(role string, env ...string) (*process, error) {
	cmd := exec.Command(s.b.cfg.Program, "bench", "child", role)
	cmd.Env = append(withoutOurs(os.Environ()), env...)
	p, err := launch(role, cmd, true, nil)
	if err == nil {
		s.ends = append(s.ends, p.end)
	}
	return p, err
}

// startReceiver has a port for each brand, as the requests to one host are bounded.
func (s *stand) startReceiver(ctx context.Context) (err error) {
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

func (s *stand) startRedis(ctx context.Context) (err error) {
	begin := func() (*redisServer, error) { return startRedis(ctx, s.b.redisProgram) }
	if s.layout.Cluster {
		begin = func() (*redisServer, error) { return startCluster(ctx, s.b.redisProgram, s.layout.Replicas) }
	}
	if s.redis, err = begin(); err != nil {
		return err
	}
	s.ends = append(s.ends, s.redis.end)
	s.redisAddr = s.redis.addr
	if s.layout.RTT == 0 {
		return nil
	}
	between, err := startDelay(ctx, s.redis.addr, s.layout.RTT)
	if err != nil {
		return err
	}
	s.ends, s.redisAddr = append(s.ends, between.end), between.addr()
	return nil
}

func (s *stand) startPublisher(context.Context) (err error) {
	s.publisher, err = s.child("publisher")
	return err
}

func (s *stand) startHost(ctx context.Context) (err error) {
	if s.worker, err = s.child("host", s.env()...); err != nil {
		return err
	}
	return s.worker.ask(ctx, "endpoints", s.brands, nil)
}

func (s *stand) startAPI(ctx context.Context) (err error) {
	if s.api, err = s.b.serve(ctx, "api", s.env()); err != nil {
		return err
	}
	s.ends, s.admin = append(s.ends, s.api.end), append(s.admin, s.api.url("admin"))
	if s.client, err = httpapi.NewClient(s.api.url("http"), s.key, nil); err != nil {
		return err
	}
	return s.createEndpoints(ctx)
}

// createAtOnce is how many brands get their endpoints at the same time.
const createAtOnce = 8

// errTooMany says that there was no time to create all endpoints.
var errTooMany = errors.New("not all endpoints could be created in time")

func (s *stand) createEndpoints(ctx context.Context) error {
	within, cancel := context.WithTimeoutCause(ctx, s.b.cfg.creating, errTooMany)
	defer cancel()
	work, within := errgroup.WithContext(within)
	work.SetLimit(createAtOnce)
	for _, brand := range s.brands {
		work.Go(func() error { return s.createOf(within, brand) })
	}
	err := work.Wait()
	if ctx.Err() == nil && errors.Is(context.Cause(within), errTooMany) {
		return errTooMany
	}
	return err
}

// createOf makes the endpoints of one brand.
func (s *stand) createOf(ctx context.Context, brand []subject) error {
	for _, one := range brand {
		for i, url := range one.URLs {
			e := httpapi.EndpointRequest{ID: endpointID(one.Endpoints[i]), URL: url, EventTypes: []string{one.Kind}}
			if _, _, err := s.client.CreateEndpoint(ctx, one.Brand, e); err != nil {
				return fmt.Errorf("create endpoint: %w", err)
			}
		}
	}
	return nil
}

// startWorker starts what delivers.
func (s *stand) startWorker(ctx context.Context) (err error) {
	if s.road == roadPlain {
		if s.worker, err = s.child("plain"); err != nil {
			return err
		}
		return s.worker.ask(ctx, "work", plainWork{Redis: s.redisAddr, Pool: pool(), Concurrency: s.layout.Connections}, nil)
	}
	for i := range max(1, s.layout.Workers) {
		worker, err := s.oneWorker(ctx, i)
		if err != nil {
			return err
		}
		s.admin = append(s.admin, worker.url("admin"))
		if s.worker == nil {
			s.worker = worker.process
		} else {
			s.more = append(s.more, worker.process)
		}
	}
	return nil
}

// oneWorker starts the i-th worker process of outhook, which ends with the stand.
func (s *stand) oneWorker(ctx context.Context, i int) (*server, error) {
	env := s.env()
	if s.layout.Parted {
		env = append(env, "OUTHOOK_QUEUE_SERVE="+partOf(i, s.layout.Workers))
	}
	worker, err := s.b.serve(ctx, "worker", env)
	if err == nil {
		s.ends = append(s.ends, worker.end)
	}
	return worker, err
}

// pool is how many connections outhook has to Redis, but for those that wait.
func pool() int { return max(64, 10*runtime.GOMAXPROCS(0)) }

// env is the configuration of a process of outhook: the default one, but for where things are, where deliveries may go, and what
// the layout changes.
func (s *stand) env() []string {
	return append([]string{
		"OUTHOOK_CONFIG=" + s.b.configOf(s.layout), "OUTHOOK_REDIS_URL=" + s.redisURL(), "OUTHOOK_AUTH_ADMIN_KEY=" + s.key,
		"OUTHOOK_SECRETS_KEYS=" + s.b.secret, "OUTHOOK_HTTP_LISTEN=127.0.0.1:0", "OUTHOOK_ADMIN_LISTEN=127.0.0.1:0",
		"OUTHOOK_SHUTDOWN_DELAY=0s", "OUTHOOK_EGRESS_ALLOW=127.0.0.0/8", "OUTHOOK_EGRESS_PORTS=[]", "OUTHOOK_EGRESS_REQUIRE_HTTPS=false",
	}, s.layout.Env...)
}

func secretText() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// publish has a load published, by the publisher or the host.
func (s *stand) publish(ctx context.Context, l load) (published, error) {
	if s.publisher == nil {
		return s.publishBy(ctx, s.worker, l)
	}
	return s.publishBy(ctx, s.publisher, l)
}

func (s *stand) publishBy(ctx context.Context, by *process, l load) (published, error) {
	l.Body, l.Key, l.Redis, l.Pool = s.b.body, s.key, s.redisAddr, pool()
	if s.api != nil {
		l.Server = s.api.url("http")
	}
	var done published
	err := by.ask(ctx, "publish", l, &done)
	return done, err
}

// processes are all that run, by name: of workers there may be several.
func (s *stand) processes() map[string][]*process {
	all := map[string][]*process{}
	add := func(name string, some ...*process) {
		for _, p := range some {
			if p != nil {
				all[name] = append(all[name], p)
			}
		}
	}
	add("receiver", s.receiver)
	add("publisher", s.publisher)
	add("worker", append(s.more, s.worker)...)
	if s.api != nil {
		add("api", s.api.process)
	}
	if s.redis != nil {
		for _, node := range s.redis.each() {
			add("redis", node.proc)
		}
	}
	return all
}

// fallen is an error when one of them has ended by itself.
func (s *stand) fallen() error {
	for name, all := range s.processes() {
		for _, p := range all {
			select {
			case <-p.exited:
				return p.broken(fmt.Errorf("the %s process ended by itself", name))
			default:
			}
		}
	}
	return nil
}
