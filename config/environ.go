package config

import (
	"regexp"
	"slices"
	"strings"
)

const (
	envConfig = envPrefix + "CONFIG" // the file
	envServer = envPrefix + "SERVER" // of client commands
	envKey    = envPrefix + "KEY"    // of client commands
	envTest   = envPrefix + "TEST_"  // of our own tests
)

// variable is the layer's one step: a variable that sets a key answers its path and value, all others an empty path.
func (l *loader) variable(name, value string) (string, any) {
	if slices.Contains([]string{envConfig, envServer, envKey}, name) || strings.HasPrefix(name, envTest) {
		return "", nil
	}
	k, ok := l.find(func(k key) bool { return k.env() == name })
	if !ok {
		l.found = append(l.found, Problem{Where: printable(name), Rule: l.unknownVariable(name)})
		return "", nil
	}
	s := setting{Node: scalarNode(strTag, value), Source: name}
	if !l.check(k, s) {
		return "", nil
	}
	return k.path, s
}

// serviceLink is what Kubernetes adds to every pod for a Service whose name begins with outhook.
var serviceLink = regexp.MustCompile(`^OUTHOOK_(.*_)?(SERVICE_(HOST|PORT).*|PORT(_[0-9]+_(TCP|UDP|SCTP).*)?)$`)

func (l *loader) unknownVariable(name string) string {
	known := append(l.names(key.env), envConfig, envServer, envKey)
	rule := "unknown variable; the nearest is " + nearest(name, known)
	if serviceLink.MatchString(name) {
		rule += "; if Kubernetes set it for a Service, set enableServiceLinks: false in the pod"
	}
	return rule
}

// printable quotes a name that could break a line.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return quoted(name)
	}
	return name
}

func variable(assignment string) string {
	name, _, _ := strings.Cut(assignment, "=")
	return name
}

// lookup is the last value of a variable, as it is for a process.
func lookup(env []string, name string) string {
	value := ""
	for _, assignment := range env {
		if n, v, ok := strings.Cut(assignment, "="); ok && n == name {
			value = v
		}
	}
	return value
}
