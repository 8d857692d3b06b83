package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

const (
	defaultListed = 50
	// largestPage is the most that the API lists at once.
	largestPage = 200
)

// pageFlags are how much of a list is wanted, and from where.
type pageFlags struct {
	limit  int
	cursor string
}

func (f *pageFlags) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.limit, "limit", defaultListed, "how many to list; 0 is everything")
	cmd.Flags().StringVar(&f.cursor, "cursor", "", "go on where another list ended, with the same filters")
}

func (f pageFlags) check() error {
	if f.limit < 0 {
		return usage("--limit: must be 0 (everything) or more")
	}
	return nil
}

// collect follows cursors until there are as many as wanted. A page may be short, even empty, although there is more.
func collect[T any](ctx context.Context, f pageFlags, page func(context.Context, httpapi.Page) (httpapi.List[T], error)) (httpapi.List[T], error) {
	all := httpapi.List[T]{Items: []T{}}
	for at := (httpapi.Page{Cursor: f.cursor}); ; {
		at.Limit = largestPage
		if f.limit > 0 {
			at.Limit = min(largestPage, f.limit-len(all.Items))
		}
		got, err := page(ctx, at)
		if err != nil {
			return all, err
		}
		all.Items, all.NextCursor = append(all.Items, got.Items...), got.NextCursor
		if got.NextCursor == nil || f.limit > 0 && len(all.Items) >= f.limit {
			return all, nil
		}
		if *got.NextCursor == at.Cursor {
			return all, errors.New("the server's list does not go on: it names the same cursor again")
		}
		at.Cursor = *got.NextCursor
	}
}
