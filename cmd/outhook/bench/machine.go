package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine finds out what the figures will be of.
func machine(ctx context.Context, redisProgram string) Machine {
	return Machine{
		Cores: runtime.NumCPU(), Model: model(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Redis: redisVersion(ctx, redisProgram), Load: loadAverage(),
	}
}

// model is the processor's name; that of its kind where the system does not tell.
func model() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown model"
}

func redisVersion(ctx context.Context, program string) string {
	if program == "" {
		return "embedded Redis (no redis-server on PATH: an order of magnitude slower)"
	}
	text, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "Redis of unknown version"
	}
	for word := range strings.FieldsSeq(string(text)) {
		if version, ok := strings.CutPrefix(word, "v="); ok {
			return fmt.Sprintf("Redis %s (AOF everysec)", version)
		}
	}
	return "Redis of unknown version"
}

func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}
