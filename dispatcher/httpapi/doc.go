// Package httpapi is the HTTP API under /v1, and its [Client].
//
// [New] returns a handler for a host's mux. Who asks is the host's decision:
// [Config.Identify] names the brand a request may see, and an [Authenticator]
// asks for keys. What the API does is behind [Service].
//
// The document of the API, OpenAPI 3.1, is at /openapi.json and to be had from
// [Document]; the page for people made of it is at /docs.
//
// Payloads pass byte for byte in both directions: they are cut out of requests
// and spliced into answers, never decoded and encoded again. White space around
// a payload is not part of it.
//
// Errors are [Problem] documents (RFC 9457): 400 for a body that is no JSON, 422
// for one that breaks a rule, with the place of the field in errors[].location.
package httpapi
