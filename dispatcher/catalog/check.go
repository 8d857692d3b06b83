package catalog

import "go.smobi.com/outhook/dispatcher/webhook"

// CheckEvent holds a payload against the schema of its type. The payload should
// have passed [webhook.Event.Validate], which bounds its size and depth.
//
// err is a [webhook.FieldError]: of "type" when there is no such type, whatever
// the validation; of "payload" when a schema is to be held against it and it is
// no JSON object; and, under ValidationEnforce, of the first field that breaks
// the schema. Under ValidationWarn that is the warning, also a
// [webhook.FieldError], for the caller to log. Neither carries a value of the
// payload, nor a property name that the schema does not have.
//
// Under ValidationOff, and for a type without a schema, the payload is not read.
func (c *Catalog) CheckEvent(eventType string, payload []byte) (warning, err error) {
	k, ok := c.byName[eventType]
	if !ok {
		return nil, c.unknownType(eventType)
	}
	if c.validation == ValidationOff || k.schema == nil {
		return nil, nil
	}
	doc, err := decodeObject("payload", payload)
	if err != nil {
		return nil, err
	}
	broken := k.schema.violation("payload", doc)
	if c.validation == ValidationWarn {
		return broken, nil
	}
	return nil, broken
}

// Warns tells whether what breaks a schema is only to be said, so that not every payload needs to be looked at.
func (c *Catalog) Warns() bool { return c.validation == ValidationWarn }

// Publishable returns nil when a caller may publish events of this type, and a
// [webhook.FieldError] of "type" when there is no such type or it is
// operational: those are outhook's own word about itself.
func (c *Catalog) Publishable(eventType string) error {
	k, ok := c.byName[eventType]
	switch {
	case !ok:
		return c.unknownType(eventType)
	case k.Group == GroupOperational:
		return webhook.Invalid("type", "is operational: only outhook itself publishes events of this type")
	}
	return nil
}

// Operational tells whether events of this type are outhook's own word about itself.
func (c *Catalog) Operational(eventType string) bool {
	k, ok := c.byName[eventType]
	return ok && k.Group == GroupOperational
}

func (c *Catalog) unknownType(eventType string) error {
	var names []string
	for _, t := range c.types {
		if t.Group != GroupOperational {
			names = append(names, t.Name)
		}
	}
	return webhook.Invalid("type", "is not a known event type; the nearest is %q", nearest(eventType, names))
}
