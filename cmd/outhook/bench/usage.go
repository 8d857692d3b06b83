package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks is how many units of /proc's times are a second: a constant of Linux as programs see it.
const ticks = 100

// cpuOf is the processor time of a process so far, in seconds. False where /proc does not tell.
func cpuOf(pid int) (float64, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, false
	}
	user, errUser := strconv.ParseFloat(fields[11], 64)
	system, errSystem := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks, errUser == nil && errSystem == nil
}

// memoryOf is a line of /proc/PID/status in MiB, such as VmHWM, the peak. False where /proc does not tell.
func memoryOf(pid int, line string) (float64, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for one := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(one, line+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib / 1024, err == nil
		}
	}
	return 0, false
}

// cpu is what a Redis has used so far, all nodes together, in seconds.
func (s *redisServer) cpu(ctx context.Context) (all float64, known bool) {
	for _, one := range s.each() {
		info := one.info(ctx, "cpu")
		user, errUser := strconv.ParseFloat(info["used_cpu_user"], 64)
		system, errSystem := strconv.ParseFloat(info["used_cpu_sys"], 64)
		if errUser != nil || errSystem != nil {
			return 0, false
		}
		all += user + system
	}
	return all, true
}
