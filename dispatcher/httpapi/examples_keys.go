package httpapi

import "encoding/json"

func exampleKeyRequest() KeyRequest {
	return KeyRequest{Brand: "acme", Description: "The CRM of acme"}
}

func exampleKey() Key {
	asked := exampleKeyRequest()
	return Key{ID: "key_0194bc2f1a2b7c3d8e4f5a6b7c8d9e0f", Brand: asked.Brand, Description: asked.Description, CreatedAt: exampleAt(0)}
}

func exampleNewKey() Key {
	k := exampleKey()
	k.Key = "ohk_…"
	return k
}

func exampleEventType() EventType {
	return EventType{
		Name: exampleType, Group: "status", Description: "A message was delivered to its recipient.",
		Schema:  json.RawMessage(`{"type":"object","required":["to","status"],"properties":{"to":{"type":"string"},"status":{"type":"string"}}}`),
		Example: json.RawMessage(`{"to":"15552223333","status":"DELIVERED"}`),
	}
}
