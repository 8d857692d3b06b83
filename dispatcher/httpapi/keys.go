package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) keyRoutes() {
	key := reflect.TypeFor[Key]()
	register(s, route{
		id: "createKey", method: http.MethodPost, path: "/keys", scope: adminScope, summary: "Create an API key",
		holds:   ofFields,
		note:    "The answer holds the key, which is shown this once. Without a brand it is an admin's, which sees everything.",
		request: reflect.TypeFor[KeyRequest](), example: exampleKeyRequest(),
		answers: []routeAnswer{{status: http.StatusCreated, body: key, example: exampleNewKey()}},
	}, s.createKey)
	register(s, route{
		id: "listKeys", method: http.MethodGet, path: "/keys", scope: adminScope, summary: "List API keys, the oldest first",
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[List[Key]](), example: List[Key]{Items: []Key{exampleKey()}},
		}},
	}, s.keys)
	register(s, route{
		id: "revokeKey", method: http.MethodDelete, path: "/keys/{id}", scope: adminScope, summary: "Revoke an API key",
		holds:   ofFields,
		note:    "It opens nothing any more, within 5 s in every process.",
		answers: []routeAnswer{{status: http.StatusNoContent, note: "It is revoked"}},
	}, s.revokeKey)
}

// bodyInput is the input of an operation outside of a brand that reads a body.
type bodyInput struct{ rawRequest }

func (s *server) createKey(ctx context.Context, in *bodyInput) (*reply, error) {
	body, err := in.readJSON(s.settingsBytes())
	if err != nil {
		return nil, err
	}
	asked, err := decodeKey(body)
	if err != nil {
		return nil, err
	}
	made, text, err := s.Service.CreateKey(ctx, asked)
	if err != nil {
		return nil, err
	}
	out := keyOf(made)
	out.Key = text
	return answer(http.StatusCreated, out)
}

func decodeKey(raw []byte) (webhook.APIKey, error) {
	var k webhook.APIKey
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		switch name {
		case "brand":
			return decodeKeyBrand(name, value, &k.Brand)
		case "description":
			return decodeString(name, value, &k.Description)
		}
		return webhook.Invalid(shown(name), ruleUnknown)
	}))
	return k, err
}

// decodeKeyBrand lets neither "" nor null stand for an absent brand: a caller
// whose variable was empty would get a key that sees every brand.
func decodeKeyBrand(name string, value []byte, brand *string) error {
	if isNull(value) || string(value) == `""` {
		return webhook.Invalid(name, "must not be empty: leave it out for an admin's key")
	}
	if err := decodeString(name, value, brand); err != nil {
		return err
	}
	return webhook.CheckID(name, *brand)
}

func keyOf(k webhook.APIKey) Key {
	return Key{ID: k.ID, Brand: k.Brand, Description: k.Description, CreatedAt: Time{k.CreatedAt}}
}

func (s *server) keys(ctx context.Context, in *pageInput) (*reply, error) {
	all, err := s.Service.Keys(ctx)
	if err != nil {
		return nil, err
	}
	// Ids are made in the order of time.
	position := func(k webhook.APIKey) string { return k.ID }
	list, err := pageOfAll(listing{operation: "listKeys"}, in.Page, all, position, keyOf)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, list)
}

type keyInput struct {
	ID string `path:"id" doc:"The id of the key, as it stands in the list"`
}

func (s *server) revokeKey(ctx context.Context, in *keyInput) (*reply, error) {
	if err := checkExists(in.ID); err != nil {
		return nil, err
	}
	if err := s.Service.RevokeKey(ctx, in.ID); err != nil {
		return nil, err
	}
	return &reply{Status: http.StatusNoContent}, nil
}
