// Package catalog holds the event types: their names, groups, schemas and
// examples, and typed constructors for the events of the platform.
//
// A [Catalog] answers four questions. Which types are there ([Catalog.Types],
// [Catalog.Lookup])? May this event be published ([Catalog.Publishable],
// [Catalog.CheckEvent])? May an endpoint ask for this pattern
// ([Catalog.CheckPattern])? Does an endpoint want this type ([Catalog.Matches])?
//
// Schemas describe the documented top level and allow more: outhook passes the
// platform's JSON through byte for byte and must not stand in the way of a
// status, a channel or a field that is new. No error of this package repeats
// anything of a payload but the property names that the schema itself has.
//
// The constructors, such as [MessageDelivered] and [InteractionSMSReply], are a
// convenience for Go code. They build a [webhook.Event] whose payload is in the
// documented form; nothing obliges a publisher to use them.
package catalog
