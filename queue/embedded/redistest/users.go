package redistest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
)

// EnvACL names the environment variable whose value is a file of Redis users, an absolute path: lines for redis.conf. With it
// every server has these users and no other but one for the tests themselves, see [Admin]; clients are [User].
const EnvACL = "OUTHOOK_TEST_REDIS_ACL"

const (
	// User is the name of the user under test.
	User = "outhook"
	// Password is that of every user of the file. It guards nothing but servers of tests, on loopback.
	Password = "password-of-tests"
	// NoPassword is the hash that stands in the file for a password: nobody knows one that has it.
	NoPassword = "0000000000000000000000000000000000000000000000000000000000000000"

	admin = "redistest"
)

// Options say how to reach a server as the user that the environment asks for.
func Options(addr string) *redis.Options {
	o := &redis.Options{Addr: addr}
	if os.Getenv(EnvACL) != "" {
		o.Username, o.Password = User, Password
	}
	return o
}

// URL is the same as [Options], as a redis:// URL.
func URL(addr string) string {
	o := Options(addr)
	u := url.URL{Scheme: "redis", Host: addr}
	if o.Username != "" {
		u.User = url.UserPassword(o.Username, o.Password)
	}
	return u.String()
}

// users writes the file that the environment names, each [NoPassword] in it replaced by the hash of [Password], and answers
// where; nothing when it names none.
func users(t testing.TB) string {
	t.Helper()
	file := os.Getenv(EnvACL)
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("users of redis: %v", err)
	}
	hash := sha256.Sum256([]byte(Password))
	text = bytes.ReplaceAll(text, []byte(NoPassword), []byte(hex.EncodeToString(hash[:])))
	ours := filepath.Join(t.TempDir(), "users.conf")
	if err := os.WriteFile(ours, text, 0o600); err != nil {
		t.Fatalf("users of redis: %v", err)
	}
	return ours
}

// As connects as one of the users until the test ends. Only one process has it, see [OneServer].
func (s *Server) As(t testing.TB, user string) *redis.Client {
	t.Helper()
	return connect(t, &redis.UniversalOptions{Addrs: []string{s.Addr()}, Username: user, Password: Password}).(*redis.Client)
}

// Admin connects as somebody who may do everything, until the test ends: what a test does to a server, the program may not.
func (s *Server) Admin(t testing.TB) redis.UniversalClient {
	t.Helper()
	return Admin(t, s.Client(t))
}

// admin is Admin of one process.
func (s *Server) admin(t testing.TB) *redis.Client {
	t.Helper()
	if s.users == "" {
		return connect(t, &redis.UniversalOptions{Addrs: []string{s.Addr()}}).(*redis.Client)
	}
	return s.As(t, admin)
}

// Admin connects to where the client does, as somebody who may do everything, until the test ends. Without users, and for a
// client of another server, it is the client itself.
func Admin(t testing.TB, client redis.UniversalClient) redis.UniversalClient {
	t.Helper()
	switch c := client.(type) {
	case *redis.Client:
		if o := c.Options(); o.Username == User { // whose dialer asks the sentinels, where there are any
			may := redis.NewClient(&redis.Options{Addr: o.Addr, Dialer: o.Dialer, Username: admin, Password: Password})
			t.Cleanup(func() { may.Close() })
			return may
		}
	case *redis.ClusterClient:
		if o := c.Options(); o.Username == User {
			return connect(t, &redis.UniversalOptions{Addrs: o.Addrs, IsClusterMode: true, Username: admin, Password: Password})
		}
	}
	return client
}

func connect(t testing.TB, o *redis.UniversalOptions) redis.UniversalClient {
	t.Helper()
	c := redis.NewUniversalClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// userInfo is what stands before the hosts of a URL.
func userInfo() string {
	if o := Options(""); o.Username != "" {
		return url.UserPassword(o.Username, o.Password).String() + "@"
	}
	return ""
}

// adminArgs give a server with users one more.
func (s *Server) adminArgs() []string {
	if s.users == "" {
		return nil
	}
	return []string{"--user", admin, "on", ">" + Password, "~*", "&*", "+@all"}
}

// greeting is what a bare connection sends first.
func (s *Server) greeting() string {
	if s.users == "" {
		return ""
	}
	return "AUTH " + admin + " " + Password + "\r\n"
}
