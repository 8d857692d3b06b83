package main

import (
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// columnGap stands between two columns.
const columnGap = "  "

// words are a piece of text and its colour. The text may be anybody's: it is made harmless when it is written.
type words struct {
	text   string
	colour colour
}

func plain(text string) words { return words{text: text} }

// state is the word of a state in its colour.
func state(word string) words { return words{text: word, colour: stateColour(word)} }

// table aligns columns by what is seen: escape codes take no place, wide characters two.
type table struct {
	rows [][]words
}

// newTable returns a table with a heading.
func newTable(heads ...string) *table {
	t := &table{}
	row := make([]words, len(heads))
	for i, head := range heads {
		row[i] = plain(head)
	}
	t.add(row...)
	return t
}

// newCard returns a table without a heading, of lines; see [table.line].
func newCard() *table { return &table{} }

// add appends a row. An empty cell is shown as a dash, so that columns can be counted.
func (t *table) add(cells ...words) {
	row := make([]words, len(cells))
	for i, c := range cells {
		if c.text == "" {
			c = plain("-")
		}
		c.text = strings.TrimRight(oneLine(c.text), " ")
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// line appends what a card says of one thing, unless there is nothing to say.
func (t *table) line(name string, value words) {
	if value.text != "" {
		t.add(plain(name+":"), value)
	}
}

// write writes all of it at once. The last cell of a row makes no column wider: what follows it would only be blanks.
func (t *table) write(out io.Writer, p palette) error {
	widths := t.widths()
	var text strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString(p.paint(c.text, c.colour))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(c.text)) + columnGap)
			}
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row[:max(0, len(row)-1)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(c.text))
		}
	}
	return widths
}
