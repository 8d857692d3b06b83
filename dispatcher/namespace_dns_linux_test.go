package dispatcher_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// lookup is what one look-up of a name is answered.
type lookup []string

// nameServer is the only one that the namespace has. It answers with a TTL of 0:
// who asks twice may be told two things.
type nameServer struct {
	mu    sync.Mutex
	known map[string]target
	// asked counts the questions, told holds the addresses that a name was answered with.
	asked map[dnsmessage.Question]int
	told  map[string]map[netip.Addr]bool
	// byGo and byLibc count questions with and without EDNS0: Go's resolver asks with, the C library's without.
	byGo, byLibc int
}

func startNames(t *testing.T) *nameServer {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{known: map[string]target{}, asked: map[dnsmessage.Question]int{}, told: map[string]map[netip.Addr]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := s.reply(buf[:n]); reply != nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	return s
}

// learn makes a target's name, if it has one, known.
func (s *nameServer) learn(t target) {
	if t.name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[strings.ToLower(t.name)] = t
}

// reply answers a question; nil when it is none.
func (s *nameServer) reply(query []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(m.Additionals) > 0 {
		s.byGo++
	} else {
		s.byLibc++
	}
	question := m.Questions[0]
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	known, found := s.known[strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))]
	if found {
		m.Answers = s.answers(question, known)
	} else {
		m.RCode = dnsmessage.RCodeNameError
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// answers are the aliases of a name, then the addresses of this look-up.
func (s *nameServer) answers(question dnsmessage.Question, t target) []dnsmessage.Resource {
	owner := question.Name
	var all []dnsmessage.Resource
	add := func(body dnsmessage.ResourceBody, kind dnsmessage.Type) {
		all = append(all, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: owner, Type: kind, Class: question.Class}, Body: body})
	}
	for _, alias := range t.aliases {
		next := dnsmessage.MustNewName(alias + ".")
		add(&dnsmessage.CNAMEResource{CNAME: next}, dnsmessage.TypeCNAME)
		owner = next
	}
	if len(t.lookups) == 0 {
		return all
	}
	if t.owner != "" {
		owner = dnsmessage.MustNewName(t.owner + ".")
	}
	step := min(s.asked[question], len(t.lookups)-1)
	s.asked[question]++
	for _, text := range t.lookups[step] {
		addr := netip.MustParseAddr(text)
		switch {
		case addr.Is4() && question.Type == dnsmessage.TypeA:
			add(&dnsmessage.AResource{A: addr.As4()}, dnsmessage.TypeA)
		case addr.Is6() && question.Type == dnsmessage.TypeAAAA:
			add(&dnsmessage.AAAAResource{AAAA: addr.As16()}, dnsmessage.TypeAAAA)
		default:
			continue
		}
		s.note(t.name, addr)
	}
	return all
}

func (s *nameServer) note(name string, addr netip.Addr) {
	if s.told[name] == nil {
		s.told[name] = map[netip.Addr]bool{}
	}
	s.told[name][addr] = true
}

// mustHaveTold fails unless every address of the target's name was answered:
// else nothing was proven by its not being dialled.
func (s *nameServer) mustHaveTold(t *testing.T, target target) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range target.lookups {
		for _, text := range step {
			if !s.told[target.name][netip.MustParseAddr(text)] {
				t.Errorf("%s: nobody was told %s", target.url, text)
			}
		}
	}
}

// mustHaveAsked fails when names were looked up by another resolver than the test is about.
func (s *nameServer) mustHaveAsked(t *testing.T, resolver string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if resolver == "cgo" && s.byLibc == 0 {
		cannotEnter(t, errors.New("this binary is built without cgo"))
	}
	if wrong := map[string]int{"go": s.byLibc, "cgo": s.byGo}[resolver]; wrong > 0 || s.byGo+s.byLibc == 0 {
		t.Errorf("netdns=%s: Go's resolver asked %d times, the C library's %d times", resolver, s.byGo, s.byLibc)
	}
}
