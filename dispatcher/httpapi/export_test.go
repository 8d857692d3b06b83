package httpapi

import "go.smobi.com/outhook/dispatcher/webhook"

// Cut cuts the events out of a batch, with the default limits.
func Cut(brand string, body []byte) ([]webhook.Event, error) {
	s := &server{Config: Config{}.WithDefaults()}
	entries, err := s.decodeBatch(body)
	if err != nil {
		return nil, err
	}
	events := make([]webhook.Event, len(entries))
	for i, entry := range entries {
		if events[i], err = s.decodeEvent(brand, entry); err != nil {
			return nil, err
		}
	}
	return events, nil
}
