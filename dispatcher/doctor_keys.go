package dispatcher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
)

// encryptionKeys looks which keys are needed, and whether they are the right ones.
func (v *visit) encryptionKeys(context.Context) error {
	const check = "encryption keys"
	if v.overview == nil {
		return nil
	}
	before := len(v.findings)
	for _, k := range v.overview.Keys {
		switch {
		case k.Missing:
			v.bad(check, fmt.Sprintf("key %q is missing, and %s cannot be signed for without it", k.ID, counted(k.Endpoints, "endpoint")),
				"put it at the end of secrets.keys of every daemon again, and restart them; then: outhook secret reencrypt")
		case k.Wrong:
			v.bad(check, fmt.Sprintf("key %q is not the one that sealed what is stored: outhook serve ends at once", k.ID),
				fmt.Sprintf("put the right key under the id %q in secrets.keys; a new key wants a new id", k.ID))
		}
	}
	if unreadable := v.overview.Unreadable; len(unreadable) > 0 {
		texts := make([]string, len(unreadable))
		for i, ref := range unreadable {
			texts[i] = ref.String()
		}
		v.warn(check, "not known what these endpoints need, as this version cannot read them: "+named(texts), "ask a doctor of the newest version that runs")
	}
	if len(v.findings) == before {
		v.ok(check, v.keysInUse())
	}
	return nil
}

// keysInUse says what each key of the configuration does.
func (v *visit) keysInUse() string {
	keys, seen := v.overview.Keys, v.walked()
	texts := []string{fmt.Sprintf("%s seals, and is needed by %s%s", keys[0].ID, counted(keys[0].Endpoints, "endpoint"), seen)}
	reencrypt := false
	for _, k := range keys[1:] {
		switch {
		case k.Endpoints > 0:
			reencrypt = true
			texts = append(texts, fmt.Sprintf("%s is needed by %s", k.ID, counted(k.Endpoints, "endpoint")))
		case v.overview.Complete:
			texts = append(texts, k.ID+" by none: it can go from secrets.keys, once it is first in no daemon's")
		default:
			texts = append(texts, k.ID+" by none that was seen")
		}
	}
	text := strings.Join(texts, "; ")
	if reencrypt {
		text += "; outhook secret reencrypt moves all to " + keys[0].ID
	}
	return text
}

// adminKey looks whether anybody can administer.
func (v *visit) adminKey(ctx context.Context) error {
	const check = "admin key"
	keys, err := v.d.doctor.store.Keys(ctx)
	if err != nil {
		return err
	}
	admins := 0
	for _, k := range keys {
		if k.Brand == "" {
			admins++
		}
	}
	bootstrap := v.d.cfg.AdminKeyHash != [sha256.Size]byte{}
	switch {
	case bootstrap && admins > 0:
		v.ok(check, fmt.Sprintf("auth.adminKey, and %s that %s created", counted(admins, "other"), were(admins)))
	case bootstrap:
		v.ok(check, "auth.adminKey")
	case admins > 0:
		v.ok(check, fmt.Sprintf("%s that %s created", counted(admins, "key"), were(admins)))
	default:
		v.bad(check, "there is none: outhook serve ends at once, and nobody can make a key",
			"set auth.adminKey, at least 32 characters: OUTHOOK_AUTH_ADMIN_KEY=$(openssl rand -hex 32)")
	}
	return nil
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
