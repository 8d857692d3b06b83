package httpapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Page asks for a part of a list. Inputs embed it: huma passes over embedded
// types that are not exported.
type Page struct {
	// Limit bounds the items, 1 to 200; 0 means 50.
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items on a page"`
	// Cursor is the NextCursor of the page before; empty for the first page.
	Cursor string `query:"cursor" doc:"nextCursor of the page before; the other parameters must stay as they were"`
}

// pageInput is the input of a list that has no filters and belongs to no brand.
type pageInput struct{ Page }

// listing says what is listed. A cursor of one listing is good for no other.
type listing struct {
	// operation is the route's id; brand is empty for what belongs to none.
	operation, brand string
	// filters are the values of all filters, the empty ones too, always in the same order.
	filters []string
}

const ruleCursor = "must be the nextCursor of a page of the same query"

// digestBytes are enough to notice a mistake. There is nothing to guard: whoever
// forges a cursor asks for a place in a list that it may read anyway.
const digestBytes = 8

// cursor returns the cursor of a place in the list, in base64url: a digest of
// the listing and the place, then the place.
func (l listing) cursor(place string) string {
	h := sha256.New()
	for _, part := range append([]string{l.operation, l.brand, place}, l.filters...) {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(append(h.Sum(nil)[:digestBytes:digestBytes], place...))
}

// place is the reverse of cursor. No cursor is no place, which is the beginning.
// Its error is the [Problem] of a cursor that is damaged or of another listing.
func (l listing) place(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) <= digestBytes {
		return "", broken("query.cursor", ruleCursor)
	}
	place := string(raw[digestBytes:])
	if l.cursor(place) != cursor {
		return "", broken("query.cursor", ruleCursor)
	}
	return place, nil
}

// pageOfAll answers a page of a list that is at hand as a whole: sorted by
// position, which is unique, what comes after the cursor. A cursor stays good
// when its item is gone.
func pageOfAll[T, W any](l listing, p Page, all []T, position func(T) string, wire func(T) W) (List[W], error) {
	after, err := l.place(p.Cursor)
	if err != nil {
		return List[W]{}, err
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(position(a), position(b)) })
	start := 0
	if after != "" {
		start, _ = slices.BinarySearchFunc(all, after+"\x00", func(item T, next string) int {
			return cmp.Compare(position(item), next)
		})
	}
	rest := all[start:]
	shown := rest[:min(p.Limit, len(rest))]
	next := ""
	if len(rest) > len(shown) {
		next = position(shown[len(shown)-1])
	}
	return listOf(l, webhook.Page[T]{Items: shown, Next: next}, wire), nil
}

// pageOfStore answers a page of a list that the service keeps: ask gets its
// limit and place. The service's own word against a place becomes one against the cursor.
func pageOfStore[T, W any](l listing, p Page, ask func(webhook.Slice) (webhook.Page[T], error), wire func(T) W) (List[W], error) {
	after, err := l.place(p.Cursor)
	if err != nil {
		return List[W]{}, err
	}
	found, err := ask(webhook.Slice{Limit: p.Limit, After: after})
	if f, ok := errors.AsType[*webhook.FieldError](err); ok && f.Field == "cursor" {
		err = broken("query.cursor", ruleCursor)
	}
	if err != nil {
		return List[W]{}, err
	}
	return listOf(l, found, wire), nil
}

func listOf[T, W any](l listing, found webhook.Page[T], wire func(T) W) List[W] {
	list := List[W]{Items: make([]W, len(found.Items))}
	for i, item := range found.Items {
		list.Items[i] = wire(item)
	}
	if found.Next != "" {
		list.NextCursor = new(l.cursor(found.Next))
	}
	return list
}
