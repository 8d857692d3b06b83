package dispatcher

import (
	"context"
	"errors"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// vault is what a store can do about the encryption keys. Safe for concurrent use;
// errors that are worth a repetition wrap [webhook.ErrUnavailable].
type vault interface {
	CheckKeys(ctx context.Context) error
	Reencrypt(ctx context.Context, progress func(done, total int)) (webhook.Reencryption, error)
}

// CheckKeys returns a [webhook.KeyError] when Config.Secrets are not the keys that
// sealed what is stored: one is another under the same id, or one that is needed is
// missing. Run and AwaitKeys check by themselves, and so does whatever seals.
// Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) CheckKeys(ctx context.Context) error { return d.vault.CheckKeys(ctx) }

// AwaitKeys waits for Redis as AwaitRedis does, and then returns what CheckRedis and
// CheckKeys find; nil also when ctx ended first. It is for a process that does not Run.
func (d *Dispatcher) AwaitKeys(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := d.awaitRedis(ctx); err != nil {
			if isUnfit(err) {
				return err
			}
			break
		}
		err := d.CheckKeys(ctx)
		if !errors.Is(err, webhook.ErrUnavailable) {
			return err
		}
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "encryption keys are not checked yet", "error", err)
		}
		sleep(ctx, time.Second)
	}
	return nil
}

// ReencryptSecrets seals with the newest key of Config.Secrets what older ones
// sealed: signing secrets, old ones included, and header values of all endpoints of
// all brands. Then keys that nothing needs may go from everybody's configuration.
// Nothing else of an endpoint changes, no delivery is touched, and it may run beside
// everything. It takes its time, as it walks over all that stands in Redis; cut off
// anywhere, it goes on when it is called again. progress, which may be nil, is told
// how many endpoints of how many were looked at.
//
// Endpoints that cannot be opened are in the answer, and the others moved. Errors,
// with an answer of how far it came: a [webhook.KeyError] when the newest key is not
// the one that sealed what is stored; [webhook.ErrUnavailable].
func (d *Dispatcher) ReencryptSecrets(ctx context.Context, progress func(done, total int)) (webhook.Reencryption, error) {
	return d.vault.Reencrypt(ctx, progress)
}
