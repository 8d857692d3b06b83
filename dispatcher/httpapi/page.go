package httpapi

import (
	"cmp"
	"encoding/base64"
	"slices"
)

// Page asks for a part of a list.
type Page struct {
	// Limit bounds the items, 1 to 200; 0 means 50.
	Limit int
	// Cursor is the NextCursor of the page before; empty for the first page.
	Cursor string
}

// page sorts all by position, and answers what comes after the cursor. A cursor
// is a position and stays good when its item is gone.
func page[T, W any](all []T, p Page, position func(T) string, wire func(T) W) (List[W], error) {
	after, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return List[W]{}, broken("query.cursor", "must be the nextCursor of the page before")
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(position(a), position(b)) })
	start := 0
	if len(after) > 0 {
		start, _ = slices.BinarySearchFunc(all, string(after)+"\x00", func(item T, next string) int {
			return cmp.Compare(position(item), next)
		})
	}
	rest := all[start:]
	shown := rest[:min(p.Limit, len(rest))]
	list := List[W]{Items: make([]W, len(shown))}
	for i, item := range shown {
		list.Items[i] = wire(item)
	}
	if len(rest) > len(shown) {
		next := base64.RawURLEncoding.EncodeToString([]byte(position(shown[len(shown)-1])))
		list.NextCursor = &next
	}
	return list, nil
}
