package webhook_test

import (
	"errors"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestWhichServersEvict(t *testing.T) {
	for policy, want := range map[string]bool{
		"noeviction": false, "": false, "allkeys-lru": true, "allkeys-lfu": true, "allkeys-random": true,
		"volatile-lru": true, "volatile-lfu": true, "volatile-random": true, "volatile-ttl": true,
	} {
		if got := (webhook.ServerInfo{Version: "7.0.15", Policy: policy}).Evicts(); got != want {
			t.Errorf("%q: %t", policy, got)
		}
	}
	if (webhook.ServerInfo{Policy: "allkeys-lru"}).Evicts() {
		t.Error("a server that says nothing evicts")
	}
}

func TestWhichServersAreFull(t *testing.T) {
	for _, tt := range []struct {
		used, of  int64
		watermark float64
		want      bool
	}{
		{84, 100, 0.85, false}, {85, 100, 0.85, true}, {200, 100, 0.85, true}, {99, 100, 1, false}, {100, 100, 1, true},
		{1 << 40, 0, 0.85, false}, {0, 0, 0.85, false},
	} {
		if got := (webhook.ServerInfo{UsedMemory: tt.used, MaxMemory: tt.of}).Full(tt.watermark); got != tt.want {
			t.Errorf("%d of %d at %v: %t", tt.used, tt.of, tt.watermark, got)
		}
	}
}

func TestDurability(t *testing.T) {
	for _, tt := range []struct {
		d     webhook.Durability
		text  string
		field string // of the error
	}{
		{webhook.Durability{}, "off", ""},
		{webhook.Durability{Replicas: 2}, "wait:2", ""},
		{webhook.Durability{AOFs: 1, Timeout: webhook.MaxDurableTimeout}, "waitaof:1", ""},
		{webhook.Durability{Replicas: 1, AOFs: 1}, "wait:1", "Durable"},
		{webhook.Durability{Replicas: -1}, "off", "Durable.Replicas"},
		{webhook.Durability{AOFs: -1}, "off", "Durable.AOFs"},
		{webhook.Durability{Replicas: 1, Timeout: webhook.MaxDurableTimeout + 1}, "wait:1", "Durable.Timeout"},
		{webhook.Durability{Replicas: 1, Timeout: time.Microsecond}, "wait:1", "Durable.Timeout"},
		{webhook.Durability{Replicas: 1, Timeout: -time.Second}, "wait:1", "Durable.Timeout"},
	} {
		if got := tt.d.String(); got != tt.text || tt.d.On() != (tt.text != "off") {
			t.Errorf("%+v: %q, on %t", tt.d, got, tt.d.On())
		}
		found, field := errors.AsType[*webhook.FieldError](tt.d.Validate())
		if field != (tt.field != "") || field && found.Field != tt.field {
			t.Errorf("%+v: %v, want one of %q", tt.d, found, tt.field)
		}
	}
	if got := (webhook.Durability{}).WithDefaults().Timeout; got != time.Second {
		t.Errorf("timeout %s", got)
	}
}

func TestServerErrorNamesItsServerWhereThereAreSeveral(t *testing.T) {
	for address, want := range map[string]string{"": "it evicts", "10.0.0.5:6379": "10.0.0.5:6379: it evicts"} {
		if got := (&webhook.ServerError{Address: address, Why: "it evicts"}).Error(); got != want {
			t.Errorf("%q", got)
		}
	}
}

func TestHowMuchOfAServerIsUsed(t *testing.T) {
	for _, tt := range []struct {
		server webhook.ServerInfo
		want   float64
	}{
		{webhook.ServerInfo{MaxMemory: 200, UsedMemory: 50}, 0.25}, {webhook.ServerInfo{MaxMemory: 100, UsedMemory: 150}, 1.5}, {webhook.ServerInfo{UsedMemory: 50}, 0},
	} {
		if got := tt.server.Used(); got != tt.want {
			t.Errorf("%+v uses %g, not %g", tt.server, got, tt.want)
		}
	}
}
