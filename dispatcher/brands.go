package dispatcher

import (
	"context"
	"strconv"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Brands answers some of the brands of which something is kept, in no order, from after the place on: empty at the
// beginning, and next is empty at the end. One that is there all the time is answered at least once, perhaps twice.
// A page may be empty and not be the last. Errors: [webhook.FieldError] of "cursor", [webhook.ErrUnavailable].
func (d *Dispatcher) Brands(ctx context.Context, after string) (brands []string, next string, err error) {
	tag, place, err := d.brandsPlace(after)
	if err != nil {
		return nil, "", err
	}
	found, err := within(ctx, d, "brands", func(ctx context.Context) (p webhook.Page[string], err error) {
		p.Items, p.Next, err = d.past.Brands(ctx, tag, place)
		return p, err
	})
	switch {
	case err != nil:
		return nil, "", err
	case found.Next != "":
		return found.Items, strconv.Itoa(tag) + "." + found.Next, nil
	case tag+1 < d.store.Tags():
		return found.Items, strconv.Itoa(tag+1) + ".", nil
	}
	return found.Items, "", nil
}

// brandsPlace reads a place: the tag, and where in it.
func (d *Dispatcher) brandsPlace(after string) (tag int, place string, err error) {
	if after == "" {
		return 0, "", nil
	}
	number, place, _ := strings.Cut(after, ".")
	if tag, err = strconv.Atoi(number); err != nil || tag < 0 || tag >= d.store.Tags() {
		return 0, "", webhook.Invalid("cursor", "must be the next of a page before")
	}
	return tag, place, nil
}
