package catalog_test

import (
	"fmt"
	"time"

	"go.smobi.com/outhook/dispatcher/catalog"
)

func Example() {
	types, err := catalog.New(catalog.Config{Validation: catalog.ValidationEnforce})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = types.CheckEvent("message.delivered", []byte(`{"status":"DELIVERED"}`))
	fmt.Println(err)
	fmt.Println(types.CheckPattern("mesage.*"))
	// Output:
	// payload.channel: is required
	// eventTypes: matches no event type; the nearest is "message.*"
}

func ExampleMessageDelivered() {
	event, err := catalog.MessageDelivered("acme", catalog.Status{
		SmobiMessageID: "123e4567-e89b-12d3-a456-426614174000",
		ClientRef:      "client-ref-123",
		To:             "15552223333",
		From:           "Smobi-Dev",
		Channel:        catalog.ChannelRCS,
		Timestamp:      time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	event.ID = "receipt-1-delivered" // safe to publish again
	fmt.Println(event.Type, string(event.Payload))
	// Output:
	// message.delivered {"smobiMessageId":"123e4567-e89b-12d3-a456-426614174000","clientRef":"client-ref-123","to":"15552223333","from":"Smobi-Dev","status":"DELIVERED","channel":"RCS","timestamp":"2024-01-15T10:30:00Z"}
}
