package httpapi_test

import (
	"context"
	"fmt"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// fakeKeyLimit bounds a description.
const fakeKeyLimit = 512

func (f *fakeService) CreateKey(_ context.Context, k webhook.APIKey) (webhook.APIKey, string, error) {
	err := f.enter(k)
	defer f.mu.Unlock()
	switch {
	case err != nil:
		return webhook.APIKey{}, "", err
	case len(k.Description) > fakeKeyLimit:
		return webhook.APIKey{}, "", webhook.Invalid("description", "must be at most %d bytes", fakeKeyLimit)
	}
	k.ID, k.CreatedAt = fmt.Sprintf("key_%032d", len(f.keys)+1), epoch
	f.keys = append(f.keys, k)
	return k, "ohk_" + k.ID + "_secret", nil
}

func (f *fakeService) Keys(context.Context) ([]webhook.APIKey, error) {
	err := f.enter()
	defer f.mu.Unlock()
	return slices.Clone(f.keys), err
}

func (f *fakeService) RevokeKey(_ context.Context, id string) error {
	err := f.enter()
	defer f.mu.Unlock()
	if err != nil {
		return err
	}
	before := len(f.keys)
	f.keys = slices.DeleteFunc(f.keys, func(k webhook.APIKey) bool { return k.ID == id })
	if len(f.keys) == before {
		return fmt.Errorf("revoke key: %w", webhook.ErrNotFound)
	}
	return nil
}
