package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unknown stands for a figure that this machine does not give.
const unknown = "n/a"

// WriteTable writes the report for people.
func (r Report) WriteTable(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintln(&text, r.Machine)
	for _, g := range r.Groups {
		fmt.Fprintf(&text, "\n%s: %s (%s)\n", g.Scenario, g.Title, g.repetitions())
		g.write(&text)
	}
	for _, did := range r.Redis {
		fmt.Fprintf(&text, "\n%s", did)
	}
	section(&text, "Notes", r.Notes)
	section(&text, "WRONG: these figures are worth nothing", r.Wrong)
	_, err := io.WriteString(out, text.String())
	return err
}

func section(text *strings.Builder, head string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(text, "\n%s\n", head)
	for _, line := range lines {
		fmt.Fprintf(text, "  - %s\n", line)
	}
}

// String is the machine on one line.
func (m Machine) String() string {
	load := unknown
	if m.Load > 0 {
		load = strconv.FormatFloat(m.Load, 'f', 2, 64)
	}
	return fmt.Sprintf("%s, %s, %s, %s, %s, load at start %s", times(m.Cores, "core"), m.Model, m.OS, m.Go, m.Redis, load)
}

func times(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// repetitions says of how many runs the medians are.
func (g Group) repetitions() string {
	most, same := 0, true
	for _, r := range g.Rows {
		most = max(most, len(r.Runs))
	}
	for _, r := range g.Rows {
		same = same && len(r.Runs) == most
	}
	switch {
	case !same:
		return fmt.Sprintf("medians of %s; some of fewer", times(most, "run"))
	case most > 1:
		return fmt.Sprintf("medians of %s", times(most, "run"))
	}
	return times(most, "run")
}

func (g Group) write(text *strings.Builder) {
	rows := [][]string{{""}}
	for _, c := range g.columns {
		rows[0] = append(rows[0], c.head)
	}
	for _, r := range g.Rows {
		cells := []string{rowText(r.Name)}
		for _, c := range g.columns {
			cells = append(cells, c.cell(r))
		}
		rows = append(rows, cells)
	}
	align(text, rows)
}

func (c column) cell(r Row) string {
	value, ok := r.Median[c.metric]
	if c.against != "" {
		value, ok = r.Ratios[c.key()]
	}
	if !ok {
		return unknown
	}
	return strconv.FormatFloat(value, 'f', c.decimals, 64)
}

// align writes the first column to the left and the others to the right.
func align(text *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				text.WriteString("  " + cell + pad)
			} else {
				text.WriteString("  " + pad + cell)
			}
		}
		text.WriteString("\n")
	}
}

// title begins with a capital letter.
func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
