package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	strTag   = "!!str"
	intTag   = "!!int"
	floatTag = "!!float"
	boolTag  = "!!bool"
	nullTag  = "!!null"
)

// kind reads and writes the values of one type. read refuses through the input and then returns the zero value.
type kind[T any] struct {
	name  string // as help shows it
	rule  string // what is allowed, beginning with "must be"
	read  func(input) T
	write func(T) *yaml.Node // redacted
}

// scalar is a kind whose YAML is one scalar with one of the tags. parse answers the rule that the text breaks, or "".
func scalar[T any](name, rule string, tags []string, parse func(string) (T, string), write func(T) *yaml.Node) kind[T] {
	read := func(in input) T {
		var zero T
		if in.Node.Kind != yaml.ScalarNode || in.typed && !slices.Contains(tags, in.Node.ShortTag()) {
			in.refuse(rule + ", not " + describe(in.Node))
			return zero
		}
		v, broken := parse(in.Node.Value)
		if broken != "" {
			in.refuse(broken)
			return zero
		}
		return v
	}
	return kind[T]{name: name, rule: rule, read: read, write: write}
}

// simple is a scalar kind with a single rule.
func simple[T any](name, rule string, tags []string, parse func(string) (T, bool), format func(T) string) kind[T] {
	return scalar(name, rule, tags, func(text string) (T, string) {
		if v, ok := parse(text); ok {
			return v, ""
		}
		var zero T
		return zero, rule
	}, func(v T) *yaml.Node {
		n := stringNode(format(v))
		n.Tag = tags[0]
		return n
	})
}

func scalarNode(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// stringNode quotes what is not plain ASCII, so that no block style has to carry it.
func stringNode(text string) *yaml.Node {
	n := scalarNode(strTag, text)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// decimalForm has no octal, hex or _, which are read in more than one way.
var decimalForm = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17})$`)

func isDecimal(text string) bool { return decimalForm.MatchString(text) }

func whole[T int | uint16](low, high T) kind[T] {
	rule := fmt.Sprintf("must be a whole number from %d to %d", low, high)
	return simple("int", rule, []string{intTag}, func(text string) (T, bool) {
		n, err := strconv.ParseInt(text, 10, 64)
		return T(n), err == nil && isDecimal(text) && n >= int64(low) && n <= int64(high)
	}, func(v T) string { return strconv.FormatInt(int64(v), 10) })
}

func decimal(rule string, allowed func(float64) bool) kind[float64] {
	parse := func(text string) (float64, bool) {
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil && !math.IsNaN(v) && allowed(v)
	}
	return simple("float", rule, []string{floatTag, intTag}, parse,
		func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }).untagged()
}

// untagged lets the value decide how it is written: 4 needs no !!float before it.
func (k kind[T]) untagged() kind[T] {
	write := k.write
	k.write = func(v T) *yaml.Node {
		n := write(v)
		n.Tag = ""
		return n
	}
	return k
}

func number(low, high float64) kind[float64] {
	return decimal(fmt.Sprintf("must be a number from %v to %v", low, high),
		func(v float64) bool { return v >= low && v <= high })
}

func fraction() kind[float64] {
	return decimal("must be a number above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 })
}

func share() kind[float64] {
	return decimal("must be a number above 0 and at most 1", func(v float64) bool { return v > 0 && v <= 1 })
}

func boolean() kind[bool] {
	return simple("bool", "must be true or false", []string{boolTag}, func(text string) (bool, bool) {
		return text == "true", text == "true" || text == "false"
	}, strconv.FormatBool)
}

func duration(low, high time.Duration) kind[time.Duration] {
	rule := fmt.Sprintf("must be a duration from %s to %s, with its unit", short(low), short(high))
	return simple("duration", rule, []string{strTag, intTag}, func(text string) (time.Duration, bool) {
		d, err := time.ParseDuration(text)
		return d, err == nil && d >= low && d <= high
	}, short).untagged()
}

// short writes 75h and not 75h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// units are in falling order, so that writing takes the largest that divides.
var units = [...]struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

func size(low, high int64) kind[int64] {
	rule := fmt.Sprintf("must be a size from %s to %s, in bytes or with KiB, MiB or GiB", sizeText(low), sizeText(high))
	return simple("bytes", rule, []string{strTag, intTag}, func(text string) (int64, bool) {
		v, ok := parseSize(text)
		return v, ok && v >= low && v <= high
	}, sizeText).untagged()
}

func parseSize(text string) (int64, bool) {
	for _, u := range units {
		digits, found := strings.CutSuffix(text, u.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		return n * u.bytes, err == nil && isDecimal(digits) && n <= math.MaxInt64/u.bytes
	}
	return 0, false
}

func sizeText(v int64) string {
	for _, u := range units {
		if v >= u.bytes && v%u.bytes == 0 {
			return strconv.FormatInt(v/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(v, 10)
}

// oneOf reads one of the words; text says how each value is written.
func oneOf[T comparable](text func(T) string, values ...T) kind[T] {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = text(v)
	}
	rule := "must be one of " + strings.Join(words, ", ")
	return simple("string", rule, []string{strTag}, func(word string) (T, bool) {
		i := slices.Index(words, word)
		if i < 0 {
			var zero T
			return zero, false
		}
		return values[i], true
	}, text)
}

func address() kind[string] {
	return simple("string", "must be host:port, such as 127.0.0.1:8080 or :8080", []string{strTag}, func(text string) (string, bool) {
		host, port, err := net.SplitHostPort(text)
		if err != nil || host != "" && !isHost(host) {
			return "", false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return text, err == nil && isDecimal(port)
	}, func(v string) string { return v })
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$`)

// isHost accepts names and addresses, the latter without zone.
func isHost(text string) bool {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Zone() == ""
	}
	return hostName.MatchString(text)
}

func filePath() kind[string] {
	return scalar("path", "must be the path of a file", []string{strTag}, func(text string) (string, string) {
		if strings.ContainsRune(text, 0) {
			return "", "must be the path of a file, without NUL"
		}
		return text, ""
	}, stringNode)
}

func cidr() kind[netip.Prefix] {
	rule := "must be a range such as 10.0.0.0/8 or fd00::/8"
	return scalar("cidr", rule, []string{strTag}, func(text string) (netip.Prefix, string) {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return p, rule
		case p.Addr().Is4In6():
			return p, rule + "; write IPv4 in its own form"
		case p != p.Masked():
			return p, rule + ", and has bits beyond its length: the range is " + p.Masked().String()
		}
		return p, ""
	}, func(p netip.Prefix) *yaml.Node { return stringNode(p.String()) })
}

var queueForm = regexp.MustCompile(`^(live|bulk)-(0|[1-9][0-9]?)$`)

func queueName() kind[string] {
	return simple("string", "must be all, or names such as live-0 or bulk-1", []string{strTag},
		func(text string) (string, bool) { return text, queueForm.MatchString(text) },
		func(v string) string { return v })
}
